"""Maestro files, as Glide and other programs of Schrödinger write poses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pyg_multipose.io.ligand.format import Format
from pyg_multipose.io.ligand.ligand import Ligand, ligand_of
from pyg_multipose.io.ligand.maestro_block import (
    NO_VALUE,
    Structure,
    Table,
    check_no_structure,
    parse_structure,
    words_of,
)
from pyg_multipose.io.ligand.record import MAX_RECORD, Record, clean_lines
from pyg_multipose.io.molecule.atoms import check_count, coordinate
from pyg_multipose.io.molecule.from_tables import mol_of
from pyg_multipose.io.molecule.molecule import Molecule
from pyg_multipose.io.report import Rejected
from pyg_multipose.io.source.text_file import MAX_LINE, TextFile

_START = re.compile(rb'\s*([fp])_m_ct\s*(\{.*)?')
_ATOMS, _BONDS = 'm_atom', 'm_bond'
_XYZ = ('r_m_x_coord', 'r_m_y_coord', 'r_m_z_coord')
_ELEMENT, _CHARGE = 'i_m_atomic_number', 'i_m_formal_charge'
_ENDS = ('i_m_from', 'i_m_to', 'i_m_order')
#: What a part has before it that has no structure there.
_NO_WHOLE = Rejected(
    'incomplete Maestro block', 'p_m_ct, a part, without an f_m_ct before it'
)
#: Glide's files of poses whose first structure is the receptor.
_POSE_VIEWER = re.compile(r'.*_pv\.mae(gz|\.gz)?', re.IGNORECASE)
#: Beginnings of names of values that Glide gives poses.
_OF_POSES = ('r_i_', 'i_i_', 'r_glide_')
_INTEGER = re.compile(r'[+-]?\d{1,9}', re.ASCII)


@dataclass
class _Record(Record):
    """A record with its structure, and the whole one that it is a part of."""

    structure: Structure = field(default_factory=Structure)
    whole: Structure | None = None
    is_partial: bool = False


class Maestro(Format):
    r"""Maestro files: ``f_m_ct`` blocks, and ``p_m_ct`` blocks after them."""

    name = 'maestro'
    suffixes = ('.mae', '.maegz')

    def records(self, lines: TextFile, file: str) -> Iterator[Record]:
        r"""Cuts a file where structures begin.

        Args:
            lines: The lines of the file.
            file: How the report calls it.

        Yields:
            One record after another.
        """
        number = 0
        whole: Structure | None = None
        for kind, raw in _pieces(lines):
            record = _Record(file, number + 1, is_partial=kind == 'p')
            text = '\n'.join(clean_lines(record, raw))
            if kind:
                number += 1
                record.whole = whole if kind == 'p' else None
                _read(record, text)
                yield record
                if kind == 'f':
                    whole = record.structure
            rest = record.structure.rest if kind else words_of(text)
            lost = _lost(file, number + 1, rest)
            if lost is not None:
                number += 1
                whole = None
                yield lost
        if not number:
            yield Record(
                file, 1, problem=('no structure', 'no f_m_ct block in it')
            )

    def ligand(self, record: Record, template: Molecule | None) -> Ligand:
        r"""The ligand of a structure.

        Args:
            record: The record.
            template: The molecule that it is said to be, if that is known.
        """
        assert isinstance(record, _Record)
        structure = record.structure
        whole = record.whole or structure
        atoms = _atoms(structure)
        elements = _atoms(whole)
        if atoms.size != elements.size:
            raise Rejected(
                'incomplete Maestro block',
                f'a part of {atoms.size} atoms after a structure of '
                f'{elements.size}',
            )
        check_count(atoms.size)
        places = [_column(atoms, name) for name in _XYZ]
        charges = _either(atoms, elements, _CHARGE)
        mol = mol_of(
            [
                _integer(text, _ELEMENT, row)
                for row, text in enumerate(
                    _either(atoms, elements, _ELEMENT) or [], start=1
                )
            ],
            [
                [coordinate(text, row) for text in xyz]
                for row, xyz in enumerate(zip(*places, strict=True), start=1)
            ],
            _bonds(structure, whole, atoms.size),
            None
            if charges is None
            else [
                0 if text == NO_VALUE else _integer(text, _CHARGE, row)
                for row, text in enumerate(charges, start=1)
            ],
        )
        return ligand_of(mol, template)


def _pieces(lines: TextFile) -> Iterator[tuple[str, list[bytes]]]:
    """What is before the first structure, then each, with its kind."""
    kind = ''
    raw: list[bytes] = []
    size = 0
    for line in lines:
        match = _START.fullmatch(line)
        if match is not None:
            yield kind, raw
            kind, raw, size = match[1].decode(), [], 0
        size += len(line) + 1
        if size <= MAX_RECORD + MAX_LINE:  # the rest would only take memory
            raw.append(line)
    yield kind, raw


def _read(record: _Record, text: str) -> None:
    structure = parse_structure(text, (_ATOMS, _BONDS))
    record.structure = structure
    for name, value in structure.values.items():
        record.add_item(name, value)
    values = structure.values
    if record.is_partial:
        whole = record.whole or Structure(problem=_NO_WHOLE)
        values = {**whole.values, **values}
        if structure.problem is None:
            structure.problem = whole.problem
    record.title = values.get('s_m_title', '').strip()
    if record.number == 1 and _POSE_VIEWER.fullmatch(record.file):
        if not any(name.startswith(_OF_POSES) for name in record.items):
            record.problem = (
                'not a pose',
                "the receptor, which is first in Glide's _pv files",
            )
    if structure.problem is not None:
        error = structure.problem
        record.problem = record.problem or (error.reason, error.detail)
    elif record.problem is not None:
        structure.problem = Rejected(*record.problem)


def _lost(file: str, number: int, words: list[str]) -> Record | None:
    """A record for what is left of a structure without a beginning."""
    try:
        check_no_structure(words)
    except Rejected as error:
        detail = f'before or after structures, {error.detail}'
        return Record(file, number, problem=(error.reason, detail))
    return None


def _atoms(structure: Structure) -> Table:
    if _ATOMS not in structure.tables:
        raise Rejected('no atoms', f'no table {_ATOMS}')
    return structure.tables[_ATOMS]


def _column(table: Table, name: str) -> list[str]:
    if name not in table.columns:
        raise Rejected('incomplete Maestro block', f'no column {name}')
    return table.columns[name]


def _either(atoms: Table, whole: Table, name: str) -> list[str] | None:
    """A column of a part, or else of the whole."""
    found = atoms.columns.get(name, whole.columns.get(name))
    if found is None and name == _ELEMENT:
        raise Rejected('incomplete Maestro block', f'no column {name}')
    return found


def _bonds(
    structure: Structure, whole: Structure, size: int
) -> list[tuple[int, int, int]]:
    table = structure.tables.get(_BONDS, whole.tables.get(_BONDS))
    if table is None:
        if size > 1:
            raise Rejected('no bonds', f'no table {_BONDS}')
        return []
    # Some programs list each bond from both of its ends.
    check_count(size, table.size // 2)
    columns = [_column(table, name) for name in _ENDS]
    out = []
    for row, texts in enumerate(zip(*columns, strict=True), start=1):
        i, j, kind = (
            _integer(text, name, row)
            for text, name in zip(texts, _ENDS, strict=True)
        )
        if kind not in (1, 2, 3):
            raise Rejected(
                'bond type',
                f'{kind} between atoms {i} and {j}; expected single, double '
                f'or triple',
            )
        out.append((i - 1, j - 1, kind))
    return out


def _integer(text: str, name: str, row: int) -> int:
    if not _INTEGER.fullmatch(text):
        raise Rejected(
            'incomplete Maestro block', f'{name}, row {row}: {text[:30]!r}'
        )
    return int(text)
