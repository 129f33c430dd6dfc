r"""Poses of a set that differ from each other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform

from pyg_multipose.data import PoseSet
from pyg_multipose.transforms.arguments import (
    check_length,
    check_set,
    set_name,
)
from pyg_multipose.transforms.pose_set_transform import PoseSetTransform
from pyg_multipose.transforms.search import check_shape, exact
from pyg_multipose.transforms.symmetry import symmetric_rmsd, symmetries


@functional_transform('unique_poses')
class UniquePoses(PoseSetTransform):
    r"""Drops poses that are nearly the same as one before.

    (functional name: :obj:`unique_poses`).

    Poses are taken in order (docking programs write the best first;
    :class:`~pyg_multipose.transforms.TopPoses` sorts them), and one is
    dropped if it is nearer than :obj:`rmsd` to one that was kept.
    Distances are root mean squares over the heavy atoms of the ligand, in
    place: nothing is superposed, as poses share the frame of the receptor.
    They are the smallest over all symmetries of the molecule, i.e., over all
    ways to map its elements and bonds onto each other.
    Types of bonds and stereochemistry do not count, so the ends of a
    carboxylate are equal.

    Args:
        rmsd: The distance in Angstrom.
        symmetric: Whether equivalent atoms may change places; needs
            :obj:`z` and :obj:`bond_index`. (default: :obj:`True`)

    Raises:
        ValueError: If the poses differ in their atoms or bonds, or if
            there are no bonds.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.transforms import UniquePoses
        >>> pose_set = MproMoonshot('test')[0]
        >>> UniquePoses(4.0)(pose_set).num_poses, pose_set.num_poses
        (5, 8)
    """

    def __init__(self, rmsd: float, symmetric: bool = True) -> None:
        self.rmsd = check_length(rmsd, 'rmsd')
        self.symmetric = symmetric

    def forward(self, data: Any) -> PoseSet:
        r"""Drops the poses.

        Args:
            data: A pose set; :meth:`__call__` hands in a shallow copy.
        """
        pose_set = check_set(data, self.__class__.__name__)
        check_shape(pose_set.get('pos'), 'pos')
        if pose_set.num_poses == 1:
            return pose_set
        pos, orders = molecule_in_poses(pose_set, self.symmetric)
        kept: list[int] = [0]
        for pose in range(1, len(pos)):
            distance = symmetric_rmsd(pos[pose], pos[kept], orders)
            if distance.amin() >= self.rmsd:
                kept.append(pose)
        return pose_set.select(kept)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.rmsd}, '
            f'symmetric={self.symmetric})'
        )


def molecule_in_poses(
    pose_set: PoseSet, symmetric: bool
) -> tuple[Tensor, Tensor]:
    r"""The heavy atoms of the ligand in all poses, and their symmetries.

    Args:
        pose_set: A set whose poses are those of one molecule.
        symmetric: Whether symmetries are asked for, or the identity alone.

    Returns:
        Positions of shape :obj:`[num_poses, num_atoms, 3]`, and orders of the
        atoms, as of :func:`symmetries`.

    Raises:
        ValueError: If the poses differ in their atoms or bonds, or if
            there are no bonds.
    """
    where = set_name(pose_set)
    ligands = pose_set.ligands()
    first = ligands[0]
    for number, ligand in enumerate(ligands):
        if _differ(ligand, first):
            raise ValueError(
                f'{where}: pose {number} has other atoms or bonds than '
                f'pose 0, or in another order; a distance between them '
                f'has no meaning'
            )
    heavy = torch.ones(first.num_nodes, dtype=torch.bool)
    if 'z' in first and bool((first.z > 1).any()):
        heavy = (first.z > 1).cpu()
    pos = torch.stack([exact(one.pos).cpu()[heavy] for one in ligands])
    if not symmetric:
        return pos, torch.arange(pos.size(1))[None]
    missing = [key for key in ('z', 'bond_index') if key not in first]
    if missing:
        raise ValueError(
            f'{where} has no {missing}, which tell how the molecule is '
            f'symmetric; add them, or use symmetric=False'
        )
    bonds = first.bond_index.cpu()
    bonds = bonds[:, heavy[bonds].all(dim=0)]
    row = heavy.cumsum(0) - 1
    return pos, symmetries(first.z.cpu()[heavy], row[bonds], where)


def _differ(one: Data, other: Data) -> bool:
    return one.num_nodes != other.num_nodes or any(
        key in other and not torch.equal(one[key], other[key])
        for key in ('z', 'bond_index')
    )
