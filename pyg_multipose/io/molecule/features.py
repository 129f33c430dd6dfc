"""The tables that turn molecules into tensors.

Elements are atomic numbers, so no table of them can lack one. Everything else
that an atom has is one of the following integers:

================= ==========================================================
key               values
================= ==========================================================
``formal_charge`` the formal charge
``num_hydrogens`` all hydrogens of the atom, written out or not
``aromatic``      1 if RDKit's model says so, else 0
``hybridization`` 1 sp, 2 sp2, 3 sp3, 4 sp3d, 5 sp3d2, 0 all others
================= ==========================================================

Bonds are apart from any edges: ``bond_index`` in both directions, sorted by
source, then target, and ``bond_type`` 1 single, 2 double, 3 triple, 4
aromatic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.io.molecule.atoms import atoms_of
from pyg_multipose.io.molecule.molecule import Molecule
from pyg_multipose.io.rdkit import Chem

#: Raised whenever a key of an atom or bond, or what it means, changes; data
#: sets and checkpoints tell it.
VERSION = 1
_HYBRIDIZATIONS = {
    Chem.HybridizationType.SP: 1,
    Chem.HybridizationType.SP2: 2,
    Chem.HybridizationType.SP3: 3,
    Chem.HybridizationType.SP3D: 4,
    Chem.HybridizationType.SP3D2: 5,
}
_OF_ATOM: dict[str, Callable[[Chem.Atom], int]] = {
    'formal_charge': lambda atom: atom.GetFormalCharge(),
    'num_hydrogens': lambda atom: atom.GetTotalNumHs(),
    'aromatic': lambda atom: int(atom.GetIsAromatic()),
    'hybridization': lambda atom: _HYBRIDIZATIONS.get(
        atom.GetHybridization(), 0
    ),
}
#: The keys of an atom, besides :obj:`z` and :obj:`pos`.
FEATURES = tuple(_OF_ATOM)


def check_features(features: Sequence[str]) -> tuple[str, ...]:
    r"""Refuses names that are in no table.

    Args:
        features: Names of features.

    Raises:
        ValueError: If one is not known.
    """
    features = [features] if isinstance(features, str) else list(features)
    unknown = [name for name in features if name not in FEATURES]
    if unknown:
        raise ValueError(
            f'Unknown features {unknown}, choose among {list(FEATURES)}'
        )
    return tuple(features)


def atom_tables(
    molecule: Molecule, parents: Sequence[int], features: Sequence[str]
) -> dict[str, Tensor]:
    r"""The tensors of a molecule: all but its coordinates.

    Args:
        molecule: The molecule.
        parents: The heavy atom of each hydrogen that is an atom of its own;
            these come after all heavy ones.
        features: The keys wanted.
    """
    atoms = atoms_of(molecule.mol)
    z = [atom.GetAtomicNum() for atom in atoms] + [1] * len(parents)
    out = {'z': torch.tensor(z)}
    for name in features:
        values = [_OF_ATOM[name](atom) for atom in atoms]
        out[name] = torch.tensor(values + [0] * len(parents))
    bonds = list(molecule.bonds) + [
        (parent, len(atoms) + row, 1) for row, parent in enumerate(parents)
    ]
    table = np.array(bonds, dtype=np.int64).reshape(-1, 3)
    ends = np.concatenate([table[:, :2].T, table[:, 1::-1].T], axis=1)
    order = np.lexsort(ends[::-1])
    out['bond_index'] = torch.from_numpy(np.ascontiguousarray(ends[:, order]))
    out['bond_type'] = torch.from_numpy(np.tile(table[:, 2], 2)[order])
    return out
