"""Reads the rows of one table of labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pyg_multipose.io.labels.column_name import check_name, read_name
from pyg_multipose.io.labels.units import parse_unit
from pyg_multipose.io.labels.value_text import ValueText
from pyg_multipose.io.labels.values import (
    Format,
    Measurement,
    measured,
    parse_kind,
    unit_and_kind,
)
from pyg_multipose.io.report import Rejected, Report
from pyg_multipose.io.source.table import BREAK, UNQUOTED, Table, stripped

#: What a column can hold; the first two have to be there.
ROLES = ('ligand_id', 'value', 'target_id', 'unit', 'relation', 'kind')
#: Units of pK that few constants are below.
LOW = 3.0
#: Separators that a file with one column may mean.
_DELIMITERS = {';': 'a semicolon', '\t': 'a tabulator', '|': 'a bar'}
# How spreadsheets write long numbers that were ids.
_REWRITTEN = re.compile(r'\d(?:[.,]\d+)?E\+\d+', re.ASCII)

#: The ids of ligand and target, and the kind.
Ids = tuple[str, str, str]


class LabelReader:
    r"""Reads the rows of one table.

    Args:
        table: The table.
        columns: The names of columns, by what they hold.
        constants: What holds for all rows: of the unit, the target and the
            kind.
        report: Where everything is counted.

    Raises:
        ValueError: If a column is absent, if it is not told what is in one,
            or if the unit contradicts the name of the column of values.
    """

    def __init__(
        self,
        table: Table,
        columns: Mapping[str, str],
        constants: Mapping[str, str],
        report: Report,
    ) -> None:
        unknown = sorted(set(columns) - set(ROLES))
        if unknown:
            raise ValueError(
                f"'{table.file}': columns has {unknown}; expected some of "
                f'{list(ROLES)}'
            )
        self._table = table
        self._constants = constants
        self._report = report
        self._places = {
            role: place
            for role in ROLES
            if (place := self._place(role, columns)) is not None
        }
        self._name = table.header[self._places['value']]
        for role in ('target_id', 'unit'):
            if role not in self._places and not stripped(
                constants.get(role, '')
            ):
                self._raise_untold(role)
        if 'unit' in constants:
            self._check_constant()

    def read(
        self, number_format: Format, temperature: float
    ) -> Iterator[tuple[Ids, Measurement]]:
        r"""Reads all rows; what cannot be read is in the report.

        Args:
            number_format: How numbers are written.
            temperature: In Kelvin, for free energies.

        Yields:
            The ids and the measurement of each row that can be read.
        """
        file = self._table.file
        low = read = 0
        for number, cells in self._table.rows:
            self._report.seen[file] += 1
            texts = {
                role: stripped(cells[place]) if place < len(cells) else ''
                for role, place in self._places.items()
            }
            ligand = texts['ligand_id']
            texts.update(self._constants)
            unit = ''
            try:
                self._check_cells(number, cells, texts)
                value = ValueText.parse(texts['value'])
                unit, kind = self._unit_and_kind(value, texts)
                check_name(unit, self._name)
                pvalue, relation = measured(
                    value.sign + value.number,
                    texts.get('relation', ''),
                    unit,
                    number_format,
                    temperature,
                )
            except Rejected as rejected:
                detail = rejected.detail
                if rejected.reason == 'not a number':
                    detail += (
                        f' in column {self._name!r}; expected a number, or '
                        f"with kind and unit, as in 'Ki=3.2nM'"
                    )
                self._report.drop(
                    file, number, ligand, rejected.reason, detail
                )
                is_negative = texts['value'].startswith(('-', '\u2212'))
                low += unit == 'pK' and is_negative
                continue
            low += unit == 'pK' and pvalue < LOW
            read += unit == 'pK' and pvalue >= LOW
            if _REWRITTEN.fullmatch(ligand):
                self._report.flag(
                    file,
                    number,
                    ligand,
                    'an id like a number',
                    'a spreadsheet may have rewritten it; it is kept as it is',
                )
            ids = (ligand, stripped(texts['target_id']), kind)
            yield ids, Measurement(file, number, pvalue, relation)
        if low > read:
            self._report.flag(
                file,
                None,
                '',
                'values are unlike pK',
                f'{low} of {low + read} in column {self._name!r} are below '
                f'{LOW:g}. Logarithms of a constant have another sign and '
                f"another zero: unit='log10(uM)' or so",
            )

    def _unit_and_kind(
        self, value: ValueText, texts: Mapping[str, str]
    ) -> tuple[str, str]:
        """Those of the cell of the value, of columns and of constants."""
        unit, kind = texts.get('unit', ''), texts.get('kind', '')
        if value.unit and stripped(unit):
            if parse_unit(unit) != parse_unit(value.unit):
                raise Rejected(
                    'two units', f'{unit!r}, and {value.unit!r} in the value'
                )
        if value.kind and stripped(kind):
            if parse_kind(kind) != parse_kind(value.kind):
                raise Rejected(
                    'two kinds', f'{kind!r}, and {value.kind!r} in the value'
                )
        return unit_and_kind(unit or value.unit, kind or value.kind)

    def _check_cells(
        self, number: int, cells: list[str], texts: Mapping[str, str]
    ) -> None:
        table = self._table
        width = len(table.header)
        if any(stripped(cell) for cell in cells[width:]):
            raise Rejected(
                'more cells than columns',
                f'{len(cells)} instead of {width}: a comma in a number, or a '
                f'name that is not quoted? {cells[:10]}',
            )
        split = [cell for cell in cells if table.delimiter in cell]
        if split and len(cells) < width:
            raise Rejected(
                'fewer cells than columns',
                f'{len(cells)} instead of {width}: do quotation marks hold '
                f'{split[0][:60]!r} together? {UNQUOTED}',
            )
        for role in ('ligand_id', 'target_id'):
            if not texts[role]:
                raise Rejected(f'empty {role}', 'it belongs to nothing')
        broken = [text for text in texts.values() if BREAK.search(text)]
        broken += [cell for cell in split if BREAK.search(cell)]
        if broken:
            first, last = table.lines[number]
            raise Rejected(
                'a line break in a cell',
                f'lines {first} to {last} are one row: a quotation mark too '
                f'many? {UNQUOTED} {broken[0][:60]!r}',
            )

    def _place(self, role: str, columns: Mapping[str, str]) -> int | None:
        table = self._table
        name = columns.get(role, role)
        place = table.column(name)
        if place is not None and role in self._constants:
            raise ValueError(
                f"'{table.file}' has a column '{name}', and "
                f'{role}={self._constants[role]!r} is passed; which one is '
                f'right? Leave out one of them'
            )
        if place is None and (
            role in columns or role in ('ligand_id', 'value')
        ):
            self._raise_absent(role, name)
        return place

    def _raise_absent(self, role: str, name: str) -> None:
        header = self._table.header
        close = get_close_matches(name, header, 1)
        hint = f"; did you mean '{close[0]}'?" if close else ''
        for sign, what in _DELIMITERS.items():
            if len(header) == 1 and sign in header[0]:
                hint = (
                    f'. The delimiter seems to be {what}: pass delimiter='
                    f'{sign!r}, and decimal= if numbers have a comma'
                )
        raise ValueError(
            f"'{self._table.file}' has no column '{name}' for {role}; it has "
            f'{header}. Pass columns={{{role!r}: ...}}{hint}'
        )

    def _raise_untold(self, role: str) -> None:
        file, constants = self._table.file, self._constants
        if role == 'target_id':
            raise ValueError(
                f"'{file}' has no column 'target_id'; pass its name in "
                f"columns, or target_id='...' if all values are of one target"
            )
        scale = parse_kind(constants.get('kind', ''))[1]
        if 'kind' in self._places or scale == 'pK' or self._has_units():
            return  # 'pIC50' tells the scale, 'Ki=3.2nM' the unit
        told = read_name(self._name)
        hint = (
            f" The name of the column '{self._name}' tells {told}"
            if told.accepted is not None
            else ''
        )
        raise ValueError(
            f"'{file}': the unit of the values is not told; pass the name of "
            f"its column in columns, or unit='nM' or what it is.{hint}"
        )

    def _has_units(self) -> bool:
        """Whether units stand behind values."""
        place = self._places['value']
        values = [
            ValueText.parse(cells[place])
            for _, cells in self._table.rows
            if place < len(cells)
        ]
        return any(
            value.unit or parse_kind(value.kind)[1] == 'pK' for value in values
        )

    def _check_constant(self) -> None:
        """The unit of all values: what is wrong with it is an error."""
        try:
            unit, _ = unit_and_kind(
                self._constants['unit'], self._constants.get('kind', '')
            )
            check_name(unit, self._name)
        except Rejected as rejected:
            raise ValueError(
                f"'{self._table.file}', unit={self._constants['unit']!r}: "
                f'{rejected}'
            ) from rejected
        others = read_name(self._name).others
        if others:
            self._report.flag(
                self._table.file,
                None,
                '',
                'the name of the column tells another unit as well',
                f'{self._name!r} tells {sorted(others)} besides {unit}, which '
                f'was told and is taken',
            )
