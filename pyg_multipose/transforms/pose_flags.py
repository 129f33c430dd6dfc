"""What may be wrong with a pose, by its atoms, bonds and positions alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
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
    poses = [pose.cpu() for pose in pose_set.to_poses()]
    has_receptor = 'is_ligand' in pose_set and not bool(
        pose_set['is_ligand'].all()
    )
    has = {
        'z': 'z' in pose_set,
        'pos': 'pos' in pose_set,
        'bonds': 'bond_index' in pose_set,
        'receptor': has_receptor,
    }
    out = {
        f'flag_{name}': torch.tensor([count(pose) for pose in poses])
        for name, (count, needs) in _COUNTS.items()
        if all(has[what] for what in needs)
    }
    out['flag_other_atoms'] = _others([_ligand(pose) for pose in poses])
    return {key: out[key] for key in FLAGS if key in out}


def _clashes(pose: Data) -> int:
    ligand, receptor = _heavy(pose, True), _heavy(pose, False)
    pos = exact(pose.pos)
    reach = CLASH * 2 * float(_VAN_DER_WAALS.max())
    i, j = radius(pos[receptor], pos[ligand], reach)
    return _near(pose, ligand[i], receptor[j], CLASH)


def _self_clashes(pose: Data) -> int:
    atoms = _heavy(pose, True)
    bonded = torch.eye(pose.num_nodes)
    bonded[pose.bond_index[0], pose.bond_index[1]] = 1.0
    bonded = bonded[atoms][:, atoms]
    apart = (bonded @ bonded @ bonded == 0).triu()
    i, j = apart.nonzero().t()
    return _near(pose, atoms[i], atoms[j], SELF_CLASH)


def _stretched(pose: Data) -> int:
    i, j = pose.bond_index
    once = (i < j) & _ligand_mask(pose)[i]
    i, j = i[once], j[once]
    covalent = _of(pose.z, _COVALENT)
    judged = (covalent[i] > 0) & (covalent[j] > 0)
    share = _distance(pose, i, j) / (covalent[i] + covalent[j])
    return int((judged & ((share < BOND[0]) | (share > BOND[1]))).sum())


def _valences(pose: Data) -> int:
    i, j = pose.bond_index
    z = pose.z
    kind = torch.ones_like(i)
    if 'bond_type' in pose:
        kind = pose.bond_type.long().clamp(0, 4)
    order = _ORDERS[kind]
    if 'num_hydrogens' in pose:
        # It counts all, also those that are atoms of their own.
        order = order * (z[j] != 1)
    total = torch.zeros_like(z).index_add_(0, i, order)
    if 'num_hydrogens' in pose:
        total += pose.num_hydrogens
    # A carbon in a ring has a double bond there, or outside of it.
    in_ring, has_double = torch.zeros(2, len(z), dtype=torch.bool)
    in_ring[i[kind == 4]] = True
    has_double[i[kind == 2]] = True
    total += in_ring & ~has_double & (z == 6)
    most = _of(z, _VALENCE)
    wrong = (most > 0) & (total > most) & _ligand_mask(pose)
    return int(wrong.sum())


def _outside(pose: Data) -> int:
    ligand, receptor = _heavy(pose, True), _heavy(pose, False)
    pos = exact(pose.pos)
    touched, _ = radius(pos[receptor], pos[ligand], CONTACT)
    alone = len(ligand) - len(touched.unique())
    return alone if 2 * alone > len(ligand) else 0


_Count = Callable[[Data], int]
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


def _ligand(pose: Data) -> tuple[bytes, ...]:
    """What the atoms and bonds of a ligand are."""
    keep = _ligand_mask(pose)
    parts = []
    if 'z' in pose:
        parts.append(pose.z[keep])
    if 'bond_index' in pose:
        rows = keep[pose.bond_index].all(dim=0)
        first = int((~keep).sum())
        parts.append(pose.bond_index[:, rows] - first)
        if 'bond_type' in pose:
            parts.append(pose.bond_type[rows])
    count = str(int(keep.sum())).encode()
    return (count, *(part.numpy().tobytes() for part in parts))


def _others(ligands: list[tuple[bytes, ...]]) -> Tensor:
    (most, _), *_ = Counter(ligands).most_common(1)
    return torch.tensor([int(one != most) for one in ligands])


def _ligand_mask(pose: Data) -> Tensor:
    if 'is_ligand' in pose:
        return pose.is_ligand
    return torch.ones(pose.num_nodes, dtype=torch.bool)


def _heavy(pose: Data, is_ligand: bool) -> Tensor:
    mask = _ligand_mask(pose) == is_ligand
    return (mask & (pose.z > 1)).nonzero().view(-1)


def _of(z: Tensor, column: Tensor) -> Tensor:
    return column[z.long().clamp(0, 255)]


def _distance(pose: Data, i: Tensor, j: Tensor) -> Tensor:
    pos = exact(pose.pos)
    return (pos[i] - pos[j]).square().sum(dim=1).sqrt()


def _near(pose: Data, i: Tensor, j: Tensor, share: float) -> int:
    size = _of(pose.z, _VAN_DER_WAALS)
    judged = (size[i] > 0) & (size[j] > 0)
    near = _distance(pose, i, j) < share * (size[i] + size[j])
    return int((judged & near).sum())
