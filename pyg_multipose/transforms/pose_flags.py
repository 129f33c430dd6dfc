"""What may be wrong with a pose, by its atoms, bonds and positions alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet
from pyg_multipose.transforms.neighbors import radius
from pyg_multipose.transforms.search import exact

#: Atoms that are not bonded are nearer than this share of their van der
#: Waals radii only if they clash.
CLASH = 0.75
#: The same within a ligand, more than three bonds apart; atoms that a ring
#: holds together are nearer.
SELF_CLASH = 0.6
#: Lengths of bonds, in sums of covalent radii.
BOND = (0.75, 1.25)
#: Angstrom; an atom of the ligand further away touches no receptor.
CONTACT = 5.0


class _Element(NamedTuple):
    """Radii in Angstrom (Bondi; Cordero), and the most bonds, ions too."""

    van_der_waals: float
    covalent: float
    valence: int


#: Other elements, metals among them, are not judged, nor are hydrogens by
#: distances.
ELEMENTS = {
    1: _Element(0.0, 0.0, 1),
    5: _Element(1.92, 0.84, 4),
    6: _Element(1.70, 0.76, 4),
    7: _Element(1.55, 0.71, 4),
    8: _Element(1.52, 0.66, 3),
    9: _Element(1.47, 0.57, 1),
    14: _Element(2.10, 1.11, 6),
    15: _Element(1.80, 1.07, 6),
    16: _Element(1.80, 1.05, 6),
    17: _Element(1.75, 1.02, 7),
    34: _Element(1.90, 1.20, 6),
    35: _Element(1.85, 1.20, 7),
    53: _Element(1.98, 1.39, 7),
}
#: The columns of this table, by atomic number; 0 if there is no row.
_TABLE = torch.zeros(256, 3, dtype=torch.float64)
_TABLE[list(ELEMENTS)] = torch.tensor(list(ELEMENTS.values())).double()
_VAN_DER_WAALS, _COVALENT, _VALENCE = _TABLE.unbind(dim=1)
#: Of bond types 0 to 4; an aromatic bond is at least a single one.
_ORDERS = torch.tensor([0, 1, 2, 3, 1])


def pose_flags(pose_set: PoseSet) -> dict[str, Tensor]:
    r"""Counts what may be wrong with each pose of a set.

    ==================== ====================================================
    flag                 what is counted, in each pose
    ==================== ====================================================
    ``flag_clash``       pairs of a ligand and a receptor atom nearer than
                         0.75 of the sum of their van der Waals radii
    ``flag_self_clash``  pairs within the ligand, more than three bonds
                         apart, nearer than 0.6 of that sum
    ``flag_stretched``   bonds shorter than 0.75 or longer than 1.25 of the
                         sum of the covalent radii
    ``flag_valence``     atoms with more bonds than their element can have
    ``flag_other_atoms`` 1 if atoms or bonds are not those of most poses
    ``flag_outside``     atoms without a receptor atom within 5 Angstrom, if
                         these are more than half
    ==================== ====================================================

    Hydrogens and metals are not judged by distances.
    A covalent bond between ligand and receptor counts as a clash.
    Flags are left out if a set lacks what they need: a receptor,
    :obj:`bond_index`, :obj:`z`, or :obj:`pos`.

    Args:
        pose_set: The set.

    Returns:
        Counts of each flag, shape :obj:`[num_poses]`; 0 is fine.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.transforms import pose_flags
        >>> receptor = Data(z=torch.tensor([8]), pos=torch.zeros(1, 3))
        >>> z, pos = torch.tensor([6]), torch.tensor([[1.0, 0.0, 0.0]])
        >>> ligands = [Data(z=z, pos=pos * r) for r in (1.0, 3.5)]  # Angstrom
        >>> pose_flags(PoseSet.from_complex(receptor, ligands))
        {'flag_clash': tensor([1, 0]), 'flag_other_atoms': tensor([0, 0]), ...}
    """
    has_receptor = 'is_ligand' in pose_set and not bool(
        pose_set['is_ligand'].all()
    )
    has = {
        'z': 'z' in pose_set,
        'pos': 'pos' in pose_set,
        'bonds': 'bond_index' in pose_set,
        'receptor': has_receptor,
    }
    parts = _parts(pose_set)
    out = {
        f'flag_{name}': torch.cat([count(part) for part in parts])
        for name, (count, needs) in _COUNTS.items()
        if all(has[what] for what in needs)
    }
    out['flag_other_atoms'] = _others(
        [ligand for part in parts for ligand in _ligands(part)]
    )
    return {key: out[key] for key in FLAGS if key in out}


@dataclass
class _Part:
    """Poses that share a receptor, or one pose.

    Args:
        data: Their atoms, those of the receptor once and first.
        pose: The pose of every atom; of the receptor's, 0.
        number: How many poses.
    """

    data: Data
    pose: Tensor
    number: int

    @property
    def ligand(self) -> Tensor:
        """Which atoms are those of a ligand."""
        if 'is_ligand' in self.data:
            return self.data.is_ligand
        return torch.ones(len(self.pose), dtype=torch.bool)

    @cached_property
    def contacts(self) -> tuple[Tensor, Tensor]:
        """Heavy atoms of ligands and of the receptor that are near."""
        ligand, receptor = self.heavy(True), self.heavy(False)
        pos = exact(self.data.pos)
        i, j = radius(pos[receptor], pos[ligand], CONTACT)
        return ligand[i], receptor[j]

    def heavy(self, is_ligand: bool) -> Tensor:
        """Atoms of ligands or of the receptor that are no hydrogens."""
        mask = self.ligand == is_ligand
        return (mask & (self.data.z > 1)).nonzero().view(-1)

    def count(self, atoms: Tensor) -> Tensor:
        """How many of these atoms of ligands each pose has."""
        return torch.bincount(self.pose[atoms], minlength=self.number)

    def bonds(self) -> list[Tensor]:
        """The bonds within the ligand of each pose, as rows of bonds."""
        rows = self.ligand[self.data.bond_index].all(dim=0).nonzero().view(-1)
        owner = self.pose[self.data.bond_index[0, rows]]
        order = owner.argsort(stable=True)
        sizes = torch.bincount(owner, minlength=self.number).tolist()
        return list(rows[order].split(sizes))


def _parts(pose_set: PoseSet) -> list[_Part]:
    """All poses at once where their receptor is the same, else one by one."""
    size, mask = pose_set.get('receptor_size'), pose_set.get('is_ligand')
    first = 0 if size is None else int(size.sum())
    if mask is not None and first and not mask[:first].any():
        if mask[first:].all():
            number = pose_set.num_poses
            pose = torch.arange(number).repeat_interleave(
                pose_set.pose_size.cpu()
            )
            pose = torch.cat([pose.new_zeros(first), pose])
            keys = ['z', 'pos', 'is_ligand', 'num_hydrogens']
            keys += ['bond_index', 'bond_type']
            found = {key: pose_set[key] for key in keys if key in pose_set}
            return [_Part(Data(**found).cpu(), pose, number)]
    poses = [pose.cpu() for pose in pose_set.to_poses()]
    return [
        _Part(pose, torch.zeros(pose.num_nodes, dtype=torch.long), 1)
        for pose in poses
    ]


def _clashes(part: _Part) -> Tensor:
    return _near(part, *part.contacts, CLASH)  # no two radii reach further


def _self_clashes(part: _Part) -> Tensor:
    atoms, bond_index = part.heavy(True), part.data.bond_index
    bonds = [bond_index[:, rows] for rows in part.bonds()]
    sizes = part.count(atoms).tolist()
    pairs = []
    known: dict[bytes, Tensor] = {}  # poses of a ligand have equal bonds
    for of_pose, ends in zip(atoms.split(sizes), bonds, strict=True):
        if not len(of_pose):
            continue
        first = int(of_pose[0])
        here, ends = of_pose - first, ends - first
        key = here.numpy().tobytes() + b'|' + ends.numpy().tobytes()
        if key not in known:
            known[key] = _apart(here, ends)
        pairs.append(known[key] + first)
    i, j = torch.cat(pairs or [atoms.new_empty(2, 0)], dim=1)
    return _near(part, i, j, SELF_CLASH)


def _apart(atoms: Tensor, bond_index: Tensor) -> Tensor:
    """Pairs of some atoms that are more than three bonds apart."""
    every = torch.cat([atoms, bond_index.flatten()])
    low, size = int(every.min()), int(every.max() - every.min()) + 1
    bonded = torch.eye(size)
    bonded[bond_index[0] - low, bond_index[1] - low] = 1.0
    bonded = bonded[atoms - low][:, atoms - low]
    i, j = (bonded @ bonded @ bonded == 0).triu().nonzero().t()
    return torch.stack([atoms[i], atoms[j]])


def _stretched(part: _Part) -> Tensor:
    i, j = part.data.bond_index
    once = (i < j) & part.ligand[i]
    i, j = i[once], j[once]
    covalent = _of(part.data.z, _COVALENT)
    judged = (covalent[i] > 0) & (covalent[j] > 0)
    share = _distance(part.data, i, j) / (covalent[i] + covalent[j])
    return part.count(i[judged & ((share < BOND[0]) | (share > BOND[1]))])


def _valences(part: _Part) -> Tensor:
    data = part.data
    i, j = data.bond_index
    z = data.z
    kind = torch.ones_like(i)
    if 'bond_type' in data:
        kind = data.bond_type.long().clamp(0, 4)
    order = _ORDERS[kind]
    if 'num_hydrogens' in data:
        # It counts all, also those that are atoms of their own.
        order = order * (z[j] != 1)
    total = torch.zeros_like(z).index_add_(0, i, order)
    if 'num_hydrogens' in data:
        total += data.num_hydrogens
    # A carbon in a ring has a double bond there, or outside of it.
    in_ring, has_double = torch.zeros(2, len(z), dtype=torch.bool)
    in_ring[i[kind == 4]] = True
    has_double[i[kind == 2]] = True
    total += in_ring & ~has_double & (z == 6)
    most = _of(z, _VALENCE)
    wrong = (most > 0) & (total > most) & part.ligand
    return part.count(wrong.nonzero().view(-1))


def _outside(part: _Part) -> Tensor:
    touched = part.contacts[0].unique()
    size = part.count(part.heavy(True))
    alone = size - part.count(touched)
    return torch.where(2 * alone > size, alone, 0)


_Count = Callable[[_Part], Tensor]
#: How each flag is counted, and what that needs.
_COUNTS: dict[str, tuple[_Count, tuple[str, ...]]] = {
    'clash': (_clashes, ('z', 'pos', 'receptor')),
    'self_clash': (_self_clashes, ('z', 'pos', 'bonds')),
    'stretched': (_stretched, ('z', 'pos', 'bonds')),
    'valence': (_valences, ('z', 'bonds')),
    'outside': (_outside, ('z', 'pos', 'receptor')),
}
#: All flags, and what each counts.
FLAGS = {
    'flag_clash': 'pairs of atoms of ligand and receptor are too near',
    'flag_self_clash': 'pairs of atoms of the ligand are too near',
    'flag_stretched': 'bonds are too short or too long',
    'flag_valence': 'atoms have more bonds than their element can have',
    'flag_other_atoms': 'has other atoms or bonds than most poses of the set',
    'flag_outside': 'atoms, more than half, are away from the receptor',
}


def _ligands(part: _Part) -> list[tuple[bytes, ...]]:
    """What the atoms and bonds of each ligand are."""
    data, atoms = part.data, part.ligand.nonzero().view(-1)
    sizes = part.count(atoms).tolist()
    rows = part.bonds() if 'bond_index' in data else [None] * part.number
    out = []
    for of_pose, bonds in zip(atoms.split(sizes), rows, strict=True):
        parts = [data.z[of_pose]] if 'z' in data else []
        if bonds is not None:
            first = int(of_pose[0]) if len(of_pose) else 0
            parts.append(data.bond_index[:, bonds] - first)
            if 'bond_type' in data:
                parts.append(data.bond_type[bonds])
        count = str(len(of_pose)).encode()
        out.append((count, *(part.numpy().tobytes() for part in parts)))
    return out


def _others(ligands: list[tuple[bytes, ...]]) -> Tensor:
    (most, _), *_ = Counter(ligands).most_common(1)
    return torch.tensor([int(one != most) for one in ligands])


def _of(z: Tensor, column: Tensor) -> Tensor:
    return column[z.long().clamp(0, 255)]


def _distance(data: Data, i: Tensor, j: Tensor) -> Tensor:
    pos = exact(data.pos)
    return (pos[i] - pos[j]).square().sum(dim=1).sqrt()


def _near(part: _Part, i: Tensor, j: Tensor, share: float) -> Tensor:
    size = _of(part.data.z, _VAN_DER_WAALS)
    judged = (size[i] > 0) & (size[j] > 0)
    near = _distance(part.data, i, j) < share * (size[i] + size[j])
    return part.count(i[judged & near])
