"""The ligand atoms of a model of a PDBQT file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from pyg_multipose.io.molecule.atoms import (
    check_count,
    check_positions,
    coordinate,
    whole_number,
)
from pyg_multipose.io.molecule.autodock_types import atomic_number, is_pseudo
from pyg_multipose.io.report import Rejected

_SMILES = re.compile(r'REMARK\s+SMILES\s+(?!IDX\b)(\S+)\s*')
_FOREIGN = re.compile(r'(REMARK|USER|COMPND)\b.*\bSMI(LES)?\b', re.IGNORECASE)
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
        foreign: A remark with a SMILES that is not Meeko's.
    """

    serials: list[int]
    atomic_numbers: list[int]
    pos: np.ndarray
    smiles: str = ''
    smiles_map: list[tuple[int, int]] = field(default_factory=list)
    parents: list[tuple[int, int]] = field(default_factory=list)
    glued: list[tuple[int, int]] = field(default_factory=list)
    foreign: str = ''


def parse_model(lines: list[str]) -> Model:
    r"""Reads the ligand of a model.

    Glue atoms of macrocycles and flexible residues are left out: the former
    are no atoms, the latter are the receptor's.

    Args:
        lines: The lines of the model.

    Raises:
        Rejected: If the model is no ligand, or cannot be read.
    """
    if not any(line.startswith('ROOT') for line in lines):
        raise Rejected(
            'not one ligand', 'expected a ROOT, got none: a receptor?'
        )
    serials: list[int] = []
    elements: list[int] = []
    pos: list[list[float]] = []
    smiles: list[str] = []
    maps: dict[str, list[tuple[int, int]]] = {'SMILES IDX': [], 'H PARENT': []}
    roots = 0
    residue = False
    glue: dict[str, list[int]] = {}
    opened: list[str] = []
    foreign = ''
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
        elif _FOREIGN.match(line):
            foreign = foreign or ' '.join(line.split())
    if roots > 1:
        raise Rejected(
            'several ligands in one model',
            f'{roots} ROOT: {"two" if roots == 2 else roots} ligands that '
            f'were docked together, and one score for all; dock or split '
            f'them one by one',
        )
    if not roots:
        raise Rejected(
            'not one ligand', 'flexible residues of a receptor alone'
        )
    check_count(len(serials))
    if residue or opened:
        raise Rejected(
            'incomplete model',
            f'no end of {"a residue" if residue else opened}',
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
        foreign,
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
