"""A molecule from what a format states: elements, charges, bonds, places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyg_multipose.io.molecule.atoms import (
    check_count,
    check_elements,
    check_positions,
)
from pyg_multipose.io.molecule.molecule import BOND_TYPES
from pyg_multipose.io.rdkit import Chem
from pyg_multipose.io.report import Rejected

_TYPES = {number: kind for kind, number in BOND_TYPES.items()}
_HEAVIEST = 118


def mol_of(
    atomic_numbers: Sequence[int],
    pos: Sequence[Sequence[float]] | np.ndarray,
    bonds: Sequence[tuple[int, int, int]],
    charges: Sequence[int] | None = None,
) -> Chem.Mol:
    r"""A molecule of RDKit from tables, as a format states them.

    It is not sanitized, and its stereochemistry is left to the coordinates;
    :func:`~pyg_multipose.io.ligand_of` sees to both.

    Args:
        atomic_numbers: The element of each atom, hydrogens included.
        pos: Positions in Angstrom, shape :obj:`[num_atoms, 3]`.
        bonds: The two atoms of each bond, from 0, and its type as in a pose
            set: 1 single, 2 double, 3 triple, 4 aromatic. One that is listed
            from either end counts once.
        charges: The formal charge of each atom, 0 if :obj:`None`.
            (default: :obj:`None`)

    Raises:
        Rejected: If atoms are none or too many, an element or a type of bond
            is unknown, a bond leads to no atom, or coordinates are no
            three-dimensional structure.

    Example:
        >>> from pyg_multipose.io import ligand_of, mol_of
        >>> pos = [[0.0, 0.0, 0.0], [1.2, 0.0, 0.1], [-0.6, 1.0, 0.3]]
        >>> mol = mol_of([6, 8, 7], pos, [(0, 1, 2), (0, 2, 1)])
        >>> ligand_of(mol, template=None).molecule.smiles
        'NC=O'
    """
    places = np.array(pos, dtype=np.float64).reshape(-1, 3)
    size = len(atomic_numbers)
    charges = [0] * size if charges is None else list(charges)
    check_count(size, len({tuple(sorted(bond[:2])) for bond in bonds}))
    check_elements(atomic_numbers)
    if max(atomic_numbers) > _HEAVIEST:
        raise Rejected(
            'placeholder atom or unknown element',
            f'an atom has atomic number {max(atomic_numbers)}',
        )
    if not len(places) == len(charges) == size:
        raise Rejected(
            'incomplete atoms',
            f'{size} elements, {len(places)} positions and {len(charges)} '
            f'charges',
        )
    check_positions(places)
    mol = Chem.RWMol()
    for number, charge in zip(atomic_numbers, charges, strict=True):
        atom = Chem.Atom(int(number))
        atom.SetFormalCharge(int(charge))
        mol.AddAtom(atom)
    known: dict[tuple[int, int], int] = {}
    for i, j, kind in bonds:
        if not (0 <= i < size and 0 <= j < size) or i == j:
            raise Rejected(
                'bond to no atom',
                f'between atoms {i + 1} and {j + 1} of {size}',
            )
        if kind not in _TYPES:
            raise Rejected(
                'bond type',
                f'{kind} between atoms {i + 1} and {j + 1}; expected one of '
                f'{sorted(_TYPES)}',
            )
        ends = (min(i, j), max(i, j))
        if ends in known:
            if known[ends] != kind:
                raise Rejected(
                    'bond type',
                    f'{known[ends]} and {kind} between atoms {i + 1} and '
                    f'{j + 1}',
                )
            continue
        known[ends] = kind
        mol.AddBond(int(i), int(j), _TYPES[kind])
        if _TYPES[kind] == Chem.BondType.AROMATIC:
            mol.GetBondBetweenAtoms(int(i), int(j)).SetIsAromatic(True)
            for end in ends:
                mol.GetAtomWithIdx(end).SetIsAromatic(True)
    conformer = Chem.Conformer(size)
    conformer.Set3D(True)
    conformer.SetPositions(places)
    out = mol.GetMol()
    out.AddConformer(conformer, assignId=True)
    return out
