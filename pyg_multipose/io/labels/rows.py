"""Reads the rows of one table of labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pyg_multipose.io.labels.values import (
    Format,
    Measurement,
    check_name,
    measured,
    parse_kind,
    unit_and_kind,
    units_of_name,
)
from pyg_multipose.io.report import Rejected, Report
from pyg_multipose.io.source.table import Table, stripped

#: What a column can hold; the first two have to be there.
ROLES = ('ligand_id', 'value', 'target_id', 'unit', 'relation', 'kind')
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
        for number, cells in self._table.rows:
            self._report.seen[file] += 1
            texts = {
                role: stripped(cells[place]) if place < len(cells) else ''
                for role, place in self._places.items()
            }
            ligand = texts['ligand_id']
            texts.update(self._constants)
            try:
                self._check_cells(cells, texts)
                unit, kind = unit_and_kind(
                    texts.get('unit', ''), texts.get('kind', '')
                )
                check_name(unit, self._name)
                pvalue, relation = measured(
                    texts['value'],
                    texts.get('relation', ''),
                    unit,
                    number_format,
                    temperature,
                )
            except Rejected as rejected:
                self._report.drop(
                    file, number, ligand, rejected.reason, rejected.detail
                )
                continue
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

    def _check_cells(self, cells: list[str], texts: Mapping[str, str]) -> None:
        width = len(self._table.header)
        if any(stripped(cell) for cell in cells[width:]):
            raise Rejected(
                'more cells than columns',
                f'{len(cells)} instead of {width}: a comma in a number, or a '
                f'name that is not quoted? {cells[:10]}',
            )
        for role in ('ligand_id', 'target_id'):
            if not texts[role]:
                raise Rejected(f'empty {role}', 'it belongs to nothing')
        if any('\n' in text or '\r' in text for text in texts.values()):
            raise Rejected(
                'a line break in a cell', 'a quotation mark too many?'
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
        if 'kind' in self._places or parse_kind(constants.get('kind', ''))[1]:
            return  # 'pIC50' tells the scale
        told = sorted(units_of_name(self._name))
        hint = (
            f" The name of the column '{self._name}' tells {told}"
            if told
            else ''
        )
        raise ValueError(
            f"'{file}': the unit of the values is not told; pass the name of "
            f"its column in columns, or unit='nM' or what it is.{hint}"
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
        others = units_of_name(self._name) - {unit}
        if others:
            self._report.flag(
                self._table.file,
                None,
                '',
                'the name of the column tells another unit as well',
                f'{self._name!r} tells {sorted(others)} besides {unit}, which '
                f'was told and is taken',
            )
