"""A mol block as a molecule: checked here, parsed by RDKit."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from pyg_multipose.io.molecule.atoms import (
    atoms_of,
    bonds_of,
    check_count,
    check_elements,
    check_positions,
    check_symbol,
    coordinate,
    whole_number,
)
from pyg_multipose.io.rdkit import Chem, rdBase
from pyg_multipose.io.report import Rejected

# The coordinates decide what is 3-D, so the header is always this one.
_HEADER = '\n  pyg_multi         3D\n\n'
_BOND = re.compile(r'[ \d]{8}\d')
_V30 = re.compile(r'M\s+V30 ')
_CHARGES = re.compile(r'M  (CHG|RAD)')
#: In the field of charges, a radical.
_DOUBLET = 4


def parse_mol_block(lines: Sequence[str]) -> Chem.Mol:
    r"""Parses the lines from the counts line to ``M  END``.

    Args:
        lines: These lines.

    Returns:
        The molecule with a conformer, not sanitized, all its hydrogens kept.

    Raises:
        Rejected: If it is no molecule with 3-D coordinates.
    """
    is_v3000 = _is_v3000(lines)
    pos = read_positions(lines)
    radicals = [] if is_v3000 else _radicals(lines)
    counts = f'{lines[0].rstrip()[:33]:33} {"V3000" if is_v3000 else "V2000"}'
    text = '\n'.join([counts, *(line.rstrip() for line in lines[1:])])
    with rdBase.BlockLogs():
        mol = Chem.MolFromMolBlock(
            f'{_HEADER}{text}\n', sanitize=False, removeHs=False
        )
    if mol is None:
        raise Rejected('mol block cannot be parsed', 'RDKit refuses it')
    atoms = atoms_of(mol)
    check_elements([atom.GetAtomicNum() for atom in atoms])
    if any(atom.HasQuery() for atom in atoms) or any(
        bond.HasQuery() for bond in bonds_of(mol)
    ):
        raise Rejected('query atoms or bonds', 'a pattern, not a molecule')
    got = mol.GetConformer().GetPositions()
    if got.shape != pos.shape or not (np.abs(got - pos) < 1e-5).all():
        raise Rejected(
            'mol block cannot be parsed',
            'its atoms or coordinates are not in their columns',
        )
    for index in radicals:
        mol.GetAtomWithIdx(index).SetNumRadicalElectrons(1)
    return mol


def read_positions(lines: Sequence[str]) -> np.ndarray:
    r"""Reads the coordinates of a mol block, and checks its atoms.

    Args:
        lines: The lines from the counts line to ``M  END``.

    Returns:
        Positions in Angstrom, shape :obj:`[num_atoms, 3]`.

    Raises:
        Rejected: If they are no 3-D coordinates of atoms.
    """
    check = _check_v3000 if _is_v3000(lines) else _check_v2000
    pos = np.array(check(lines), dtype=np.float64)
    check_positions(pos)
    return pos


def without_positions(lines: Sequence[str]) -> str:
    r"""A text that two mol blocks share if they differ in coordinates alone.

    Args:
        lines: The lines from the counts line to ``M  END``; of V3000, where
            coordinates are in no columns, the text is the block itself.
    """
    size = 0 if _is_v3000(lines) else whole_number(lines[0][:3]) or 0
    bare = [line[30:] for line in lines[1 : size + 1]]
    return '\n'.join([lines[0], *bare, *lines[size + 1 :]])


def _is_v3000(lines: Sequence[str]) -> bool:
    return lines[0].rstrip().upper().endswith('V3000')


def _check_v2000(lines: Sequence[str]) -> list[list[float]]:
    num_atoms = whole_number(lines[0][:3])
    num_bonds = whole_number(lines[0][3:6])
    if num_atoms is None or num_bonds is None:
        raise Rejected(
            'mol block cannot be parsed', f'counts line {lines[0]!r}'
        )
    check_count(num_atoms, num_bonds)
    end = num_atoms + num_bonds + 1
    # Before 'M  END' there are atoms, bonds and properties.
    if len(lines) <= end or any(map(_BOND.match, lines[end:])):
        raise Rejected(
            'incomplete mol block',
            f'{num_atoms} atoms and {num_bonds} bonds expected, '
            f'got {len(lines) - 2} lines',
        )
    pos = []
    for number, line in enumerate(lines[1 : num_atoms + 1], start=1):
        if len(line.rstrip()) < 32:
            raise Rejected(
                'incomplete mol block',
                f'the line of atom {number} ends early: {line.rstrip()!r}',
            )
        check_symbol(line[31:34].strip(), number)
        fields = (line[:10], line[10:20], line[20:30])
        pos.append([coordinate(field, number) for field in fields])
    return pos


def _radicals(lines: Sequence[str]) -> list[int]:
    """The atoms that are radicals by a field of their line.

    RDKit does not read it, and takes any number for a charge or a valence.
    Lines of charges or radicals overrule it.
    """
    num_atoms = whole_number(lines[0][:3]) or 0
    radicals = []
    for row, line in enumerate(lines[1 : num_atoms + 1]):
        for called, field, largest in (
            ('charge', line[36:39].strip(), 7),
            ('valence', line[48:51].strip(), 15),
        ):
            value = whole_number(field or '0')
            if value is None or value > largest:
                raise Rejected(
                    'mol block cannot be parsed',
                    f'atom {row + 1} has {field!r} as its {called}, expected '
                    f'0 to {largest}',
                )
            if called == 'charge' and value == _DOUBLET:
                radicals.append(row)
    if any(_CHARGES.match(line) for line in lines[num_atoms + 1 :]):
        return []
    return radicals


def _check_v3000(lines: Sequence[str]) -> list[list[float]]:
    rows = _v30_lines(lines)
    pos: list[list[float]] = []
    in_atoms = False
    num_atoms = 0
    for row in rows:
        words = row.split()
        if words[:1] == ['COUNTS']:
            num_atoms, num_bonds = (
                whole_number(word) or 0 for word in (*words[1:3], '', '')[:2]
            )
            check_count(num_atoms, num_bonds)
        elif words[:2] in (['BEGIN', 'ATOM'], ['END', 'ATOM']):
            in_atoms = words[0] == 'BEGIN'
        elif in_atoms:
            number = len(pos) + 1
            if len(words) < 5:
                raise Rejected(
                    'incomplete mol block',
                    f'the line of atom {number} ends early: {row!r}',
                )
            check_symbol(words[1], number)
            pos.append([coordinate(field, number) for field in words[2:5]])
            check_count(len(pos))
    check_count(len(pos))
    if len(pos) != num_atoms:
        raise Rejected(
            'incomplete mol block',
            f'{num_atoms} atoms expected, got {len(pos)}',
        )
    return pos


def _v30_lines(lines: Sequence[str]) -> list[str]:
    """The lines of V3000, with those joined that end in a dash."""
    rows: list[str] = []
    goes_on = False
    for line in lines:
        start = _V30.match(line)
        if start is None:
            continue
        row = line[start.end() :].rstrip()
        if goes_on:
            row = rows.pop() + row
        goes_on = row.endswith('-')
        rows.append(row[:-1] if goes_on else row)
    return rows
