"""What the atoms of a record must be like, whatever its format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from pyg_multipose.io.rdkit import Chem
from pyg_multipose.io.report import Rejected

#: More atoms than any ligand has: a receptor, or a damaged counts line.
MAX_ATOMS = 999
#: Angstrom; the third dimension of a drawing, rounding included.
FLAT = 0.01
#: Angstrom; single precision keeps a thousandth up to here.
MAX_COORDINATE = 10_000.0

_NUMBER = re.compile(r'[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?', re.ASCII)
_ELEMENTS = {
    Chem.GetPeriodicTable().GetElementSymbol(z): z for z in range(1, 119)
} | {'D': 1, 'T': 1}


def check_count(count: int, bonds: int = 0) -> None:
    r"""Refuses a record without atoms, or with too many for a ligand.

    Args:
        count: The number of its atoms.
        bonds: The number of its bonds. (default: :obj:`0`)
    """
    if not count:
        raise Rejected('no atoms', 'the molecule is empty')
    if count > MAX_ATOMS:
        raise Rejected(
            'too many atoms',
            f'{count}, but a ligand has at most {MAX_ATOMS}: a receptor?',
        )
    if bonds > 2 * count:
        raise Rejected(
            'too many bonds', f'{bonds} between {count} atoms of a ligand'
        )


def check_symbol(symbol: str, number: int) -> int:
    r"""The atomic number of an element; what is none is refused.

    Args:
        symbol: The symbol in the file.
        number: The number of the atom in the file.
    """
    atomic_number = _ELEMENTS.get(symbol[:1] + symbol[1:].lower())
    if atomic_number is None:
        raise Rejected(
            'placeholder atom or unknown element',
            f'atom {number} is {symbol!r}',
        )
    return atomic_number


def atoms_of(mol: Chem.Mol) -> list[Chem.Atom]:
    r"""The atoms of a molecule, several times as fast as RDKit's sequence.

    Args:
        mol: The molecule.
    """
    return list(map(mol.GetAtomWithIdx, range(mol.GetNumAtoms())))


def bonds_of(mol: Chem.Mol) -> list[Chem.Bond]:
    r"""The bonds of a molecule, several times as fast as RDKit's sequence.

    Args:
        mol: The molecule.
    """
    return list(map(mol.GetBondWithIdx, range(mol.GetNumBonds())))


def coordinate(text: str, number: int) -> float:
    r"""Reads a coordinate in Angstrom.

    RDKit's own reader takes what it can of a field, a blank one too.

    Args:
        text: The field.
        number: The number of the atom in the file.
    """
    if not _NUMBER.fullmatch(text.strip()):
        raise Rejected(
            'unreadable coordinates',
            f'atom {number} has {text.strip()[:30]!r}',
        )
    return float(text)


def whole_number(text: str) -> int | None:
    r"""A count or an index, or :obj:`None` if the text is none.

    Args:
        text: The field.
    """
    text = text.strip()
    is_one = text.isascii() and text.isdecimal() and len(text) < 10
    return int(text) if is_one else None


def check_positions(pos: np.ndarray) -> None:
    r"""Refuses coordinates that are no three-dimensional structure.

    A header that says 2D or 3D is not asked: it is often wrong, both ways.

    Args:
        pos: Positions of all atoms in Angstrom, of shape
            :obj:`[num_atoms, 3]`.
    """
    largest = np.abs(pos).max()
    if not largest <= MAX_COORDINATE:  # also if it is not a number
        raise Rejected(
            'coordinates out of range',
            f'{largest}, expected at most {MAX_COORDINATE} Angstrom',
        )
    if len(pos) < 2:
        return
    extent = np.ptp(pos, axis=0)
    if not extent.any():
        raise Rejected(
            'no 3-D coordinates', f'all atoms are at {pos[0].tolist()}'
        )
    if len(pos) > 2 and extent.min() < FLAT:
        flat = 'xyz'[int(extent.argmin())]
        raise Rejected(
            'no 3-D coordinates',
            f'flat: every {flat} is {pos[0][extent.argmin()]:g}, a drawing',
        )
    places = Counter(map(tuple, pos.tolist()))
    if len(places) < len(pos):
        place, count = places.most_common(1)[0]
        raise Rejected('atoms at one place', f'{count} are at {list(place)}')


def check_elements(atomic_numbers: Sequence[int]) -> None:
    r"""Refuses atoms that RDKit has read as placeholders.

    Args:
        atomic_numbers: The atomic number of each atom.
    """
    for number, z in enumerate(atomic_numbers, start=1):
        if z < 1:
            raise Rejected(
                'placeholder atom or unknown element',
                f'atom {number} has atomic number {z}',
            )
