r"""Poses of sets as records of SDF, with what was predicted of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.train.predicted_columns import Columns

#: Which poses are written.
CHOICES = ('best', 'weighted', 'all')
#: The weight from which on a pose counts as one that matters.
_WEIGHT = 0.01
#: What the data items are called; of sets, then of poses.
_PREFIX = 'multipose_'
_OF_SETS = ('prediction', 'low', 'high', 'unit', 'flags', 'receptor')
_OF_POSES = {
    'pose': 'pose',
    'prediction': 'pose_prediction',
    'weight': 'weight',
    'rank': 'rank',
}
_KEYS = ('z', 'pos', 'bond_index', 'bond_type')


def check_bonds(pose_set: PoseSet, where: str) -> None:
    r"""Refuses sets that no SDF can be made of.

    Args:
        pose_set: One of them.
        where: What they are called.

    Raises:
        ValueError: If they have no bonds.
    """
    missing = [key for key in _KEYS if key not in pose_set]
    if missing:
        raise ValueError(
            f"--sdf: the sets of '{where}' have no {missing}, of which the "
            f"records of an SDF are made; those of 'multipose prepare' have "
            f'them, and so have poses from files (--poses)'
        )


def sdf_records(
    items: Sequence[PoseSet], sets: Columns, poses: Columns, choice: str
) -> Iterator[str]:
    r"""Records of SDF, each with data items of what was predicted.

    Args:
        items: The sets.
        sets: What was predicted of them.
        poses: What was predicted of their poses.
        choice: Which poses are written: the best one of each set, those
            with a hundredth of the weight too, or all.

    Yields:
        One record after the other.
    """
    first = 0
    for number, pose_set in enumerate(items):
        tags = {key: sets[key][number] for key in _OF_SETS}
        molecules = _Molecules(pose_set)
        for pose in range(pose_set.num_poses):
            row = {key: poses[key][first + pose] for key in _OF_POSES}
            best, weight = row['rank'] == 1, abs(row['weight'])
            weighs = choice == 'weighted' and weight >= _WEIGHT
            if best or weighs or choice == 'all':
                named = {_OF_POSES[key]: row[key] for key in row}
                block = molecules.block(pose, sets['id'][number])
                yield f'{block}{_items({**tags, **named})}$$$$\n'
        first += pose_set.num_poses


class _Molecules:
    """The ligand of a set, as molecules of RDKit."""

    def __init__(self, pose_set: PoseSet) -> None:
        self.layout = Layout(pose_set)
        self.values = pose_set.to_dict()
        self.known: dict[bytes, Any] = {}

    def block(self, pose: int, name: str) -> str:
        """The mol block of a pose."""
        from rdkit import Chem
        from rdkit.Geometry import Point3D

        atoms = self._rows('node', pose)
        if 'is_ligand' in self.values:  # not what moved of the receptor
            atoms = atoms[self.values['is_ligand'].numpy()[atoms]]
        mol = Chem.Mol(self._molecule(pose, atoms))
        conformer = Chem.Conformer(len(atoms))
        conformer.Set3D(True)
        places = self.values['pos'][atoms].double().tolist()
        for number, place in enumerate(places):
            conformer.SetAtomPosition(number, Point3D(*place))
        mol.AddConformer(conformer)
        mol.SetProp('_Name', name)
        return Chem.MolToMolBlock(mol, kekulize=False)

    def _rows(self, level: str, pose: int) -> np.ndarray[Any, Any]:
        segments = self.layout._pose_segment[[pose]]
        return self.layout._segments[level][segments].rows()

    def _molecule(self, pose: int, atoms: np.ndarray[Any, Any]) -> Any:
        """Made once for all poses of one form."""
        from rdkit import Chem

        rows = self._rows('bond', pose)
        of_atom = [
            self.values[key].numpy()[atoms] if key in self.values else None
            for key in ('z', 'formal_charge', 'num_hydrogens')
        ]
        place = np.full(self.layout.num_nodes, -1)
        place[atoms] = np.arange(len(atoms))
        ends = place[self.values['bond_index'].numpy()[:, rows]]
        kind = self.values['bond_type'].numpy()[rows]
        kept = (ends[0] < ends[1]) & (ends[0] >= 0)
        parts = [
            *(a for a in of_atom if a is not None),
            ends[:, kept],
            kind[kept],
        ]
        key = b' '.join(part.tobytes() for part in parts)
        if key not in self.known:
            mol = Chem.RWMol()
            z, charge, hydrogens = of_atom
            for number, element in enumerate(z.tolist()):  # type: ignore[union-attr]
                atom = Chem.Atom(element)
                if charge is not None:
                    atom.SetFormalCharge(int(charge[number]))
                if hydrogens is not None:
                    atom.SetNumExplicitHs(int(hydrogens[number]))
                    atom.SetNoImplicit(True)
                mol.AddAtom(atom)
            for one, other, order in zip(
                *ends[:, kept].tolist(), kind[kept].tolist(), strict=True
            ):
                mol.AddBond(one, other, _bond_types()[order])
            self.known[key] = _kekulized(mol)
        return self.known[key]


def _bond_types() -> dict[int, Any]:
    from rdkit import Chem

    kinds = Chem.BondType
    return {
        1: kinds.SINGLE, 2: kinds.DOUBLE, 3: kinds.TRIPLE, 4: kinds.AROMATIC
    }  # fmt: skip


def _kekulized(mol: Any) -> Any:
    """Single and double bonds, which all programs read alike."""
    from rdkit import Chem

    for bond in mol.GetBonds():
        if bond.GetBondType() == Chem.BondType.AROMATIC:
            for part in (bond, bond.GetBeginAtom(), bond.GetEndAtom()):
                part.SetIsAromatic(True)
    mol.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(mol)
    try:
        Chem.Kekulize(mol, clearAromaticFlags=True)
    except Chem.KekulizeException:
        pass  # then bonds are written as aromatic
    return mol.GetMol()


def _items(tags: dict[str, Any]) -> str:
    """Data items, without those that are missing or empty."""
    return ''.join(
        f'>  <{_PREFIX}{key}>\n{_shown(value)}\n\n'
        for key, value in tags.items()
        if value is not None and value != ''
    )


def _shown(value: Any) -> str:
    return f'{value:.7g}' if isinstance(value, float) else str(value)
