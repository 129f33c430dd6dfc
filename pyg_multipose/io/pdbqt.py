"""Models of a PDBQT file, as Vina, smina and AutoDock-GPU write poses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pyg_multipose.io.atoms import (
    check_count,
    check_positions,
    coordinate,
    whole_number,
)
from pyg_multipose.io.autodock_types import atomic_number, is_pseudo
from pyg_multipose.io.records import (
    MAX_RECORD,
    Record,
    clean_lines,
)
from pyg_multipose.io.report import Rejected
from pyg_multipose.io.text_file import MAX_LINE, TextFile

#: The score in the remark of Vina and of those that write like it.
VINA_SCORE = 'vina_affinity'

_VINA = re.compile(r'REMARK\s+VINA RESULT:(.*)')
_NAMED = re.compile(r'REMARK\s+(Name)\s*[=:]?\s*(.*)', re.IGNORECASE)
_SMILES = re.compile(r'REMARK\s+SMILES\s+(?!IDX\b)(\S+)\s*')
_PAIRS = re.compile(r'REMARK\s+(SMILES IDX|H PARENT)\s+(.*)')


@dataclass
class Model:
    r"""The ligand atoms of one model.

    Args:
        serials: The number that the file gives each atom.
        atomic_numbers: The element of each, by its type.
        pos: Positions in Angstrom, shape :obj:`[num_atoms, 3]`.
        smiles: Meeko's remark, or an empty text.
        smiles_map: Pairs (atom of the SMILES, serial), both from 1.
        parents: Pairs (atom of the SMILES, serial of its hydrogen).
        glued: Pairs of atoms at the ends of a bond that was cut.
    """

    serials: list[int]
    atomic_numbers: list[int]
    pos: np.ndarray
    smiles: str = ''
    smiles_map: list[tuple[int, int]] = field(default_factory=list)
    parents: list[tuple[int, int]] = field(default_factory=list)
    glued: list[tuple[int, int]] = field(default_factory=list)


def pdbqt_records(lines: TextFile, file: str) -> Iterator[Record]:
    r"""Cuts a file into its models; a file without any is one model.

    Args:
        lines: The lines of the file.
        file: How the report calls it.

    Yields:
        One record after another.
    """
    number = 0
    raw: list[bytes] = []
    size = 0
    inside = False
    models = False
    for line in lines:
        word = line[:6].rstrip(b' ')
        if word == b'MODEL':
            if inside or _has_atoms(raw):
                number += 1
                yield _record(file, number, raw, 'no ENDMDL')
            raw, size, inside, models = [], 0, True, True
        elif word == b'ENDMDL':
            number += 1
            yield _record(file, number, raw, '')
            raw, size, inside = [], 0, False
        else:
            size += len(line) + 1
            if size <= MAX_RECORD + MAX_LINE:
                raw.append(line)
    if inside or _has_atoms(raw) or (not models and _is_text(raw)):
        closed = not models and any(line[:7] == b'TORSDOF' for line in raw)
        problem = '' if closed and not lines.cut else 'the file ends within it'
        yield _record(file, number + 1, raw, lines.cut or problem)


def _record(file: str, number: int, raw: list[bytes], cut: str) -> Record:
    record = Record(file, number)
    record.block = clean_lines(record, raw)
    for line in record.block:
        if not line.startswith('REMARK'):
            continue
        if match := _VINA.fullmatch(line):
            record.add_item(VINA_SCORE, ' '.join(match[1].split()[:1]))
        elif match := _NAMED.fullmatch(line):
            record.title = match[2].strip()
        elif len(words := line.replace('=', ' ').split()) == 3:
            record.add_item(words[1].rstrip(':'), words[2])
    if not _has_atoms(raw):
        record.problem = record.problem or (
            'no atoms', 'a model without ATOM lines'
        )  # fmt: skip
    elif cut:
        record.problem = record.problem or ('incomplete model', cut)
    return record


def parse_model(lines: list[str]) -> Model:
    r"""Reads the ligand of a model.

    Glue atoms of macrocycles and flexible residues are left out: the former
    are no atoms, the latter are the receptor's.

    Args:
        lines: The lines of the model.

    Raises:
        Rejected: If the model is no ligand, or cannot be read.
    """
    serials: list[int] = []
    elements: list[int] = []
    pos: list[list[float]] = []
    smiles: list[str] = []
    maps: dict[str, list[tuple[int, int]]] = {'SMILES IDX': [], 'H PARENT': []}
    roots = 0
    residue = False
    glue: dict[str, list[int]] = {}
    opened: list[str] = []
    for line in lines:
        word = line[:6].split(' ')[0]
        if line.startswith(('BEGIN_RES', 'END_RES')):
            residue = line.startswith('BEGIN')
        elif residue:
            continue
        elif word in ('ATOM', 'HETATM'):
            atom = _atom(line)
            if atom is not None:
                if (kind := atom_type(line)).startswith('CG'):
                    glue.setdefault(kind, []).append(len(serials))
                serials.append(atom[0])
                elements.append(atom[1])
                pos.append(atom[2])
        elif word == 'ROOT':
            roots += 1
        elif word == 'BRANCH':
            opened.append(' '.join(line.split()[1:3]))
        elif line.startswith('ENDBRANCH'):
            if not opened or opened.pop() != ' '.join(line.split()[1:3]):
                raise Rejected('incomplete model', f'{line.strip()!r}')
        elif match := _SMILES.fullmatch(line):
            smiles.append(match[1])
        elif match := _PAIRS.fullmatch(line):
            maps[match[1]] += _pairs(match[2], line)
    check_count(len(serials))
    if residue or opened:
        raise Rejected(
            'incomplete model',
            f'no end of {"a residue" if residue else opened}',
        )
    if roots != 1:
        raise Rejected(
            'not one ligand',
            f'expected one ROOT in a model, got {roots}'
            + (': a receptor?' if not roots else ''),
        )
    if len(set(serials)) != len(serials):
        raise Rejected('unreadable atoms', 'two atoms have one number')
    if len(set(smiles)) > 1:
        raise Rejected('several SMILES remarks', f'{smiles}')
    places = np.array(pos)
    check_positions(places)
    return Model(
        serials,
        elements,
        places,
        smiles[0] if smiles else '',
        maps['SMILES IDX'],
        maps['H PARENT'],
        [(ends[0], ends[1]) for ends in glue.values() if len(ends) == 2],
    )


def _atom(line: str) -> tuple[int, int, list[float]] | None:
    """Number, element and position; :obj:`None` for what is no atom."""
    kind = atom_type(line)
    called = line[6:11].strip()
    if not kind:
        raise Rejected('incomplete model', f'no atom type in {line!r}')
    if is_pseudo(kind):
        return None
    z = atomic_number(kind)
    if z is None:
        raise Rejected(
            'placeholder atom or unknown element',
            f'atom {called} has type {kind!r}, not a type of AutoDock',
        )
    serial = whole_number(called)
    if serial is None:
        raise Rejected('unreadable atoms', f'number {called!r} in {line!r}')
    fields = (line[30:38], line[38:46], line[46:54])
    return serial, z, [coordinate(text, serial) for text in fields]


def atom_type(line: str) -> str:
    r"""The type of the atom of a line, from columns 78 to 80.

    Args:
        line: An ATOM or HETATM line.
    """
    return line[77:80].strip().upper()


def _pairs(text: str, line: str) -> list[tuple[int, int]]:
    words = text.split()
    numbers = [n for word in words if (n := whole_number(word)) is not None]
    if len(words) % 2 or len(numbers) < len(words):
        raise Rejected('unreadable index map', f'{line.strip()!r}')
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _has_atoms(raw: list[bytes]) -> bool:
    return any(line.startswith((b'ATOM', b'HETATM')) for line in raw)


def _is_text(raw: list[bytes]) -> bool:
    return any(line.strip(b' \t') for line in raw)
