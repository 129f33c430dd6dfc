r"""The part of a receptor near the ligand."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data.datapipes import functional_transform

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.data.levels import Levels
from pyg_multipose.data.rows import ligand_rows, take_rows
from pyg_multipose.transforms.arguments import (
    check_length,
    check_set,
    set_name,
)
from pyg_multipose.transforms.neighbors import radius
from pyg_multipose.transforms.pose_set_transform import PoseSetTransform
from pyg_multipose.transforms.receptor_names import name_by_content
from pyg_multipose.transforms.search import check_shape


@functional_transform('pocket_cut')
class PocketCut(PoseSetTransform):
    r"""Cuts the receptor down to what is near the ligand.

    (functional name: :obj:`pocket_cut`).

    By default one cut is made for a set, around all of its poses, so that
    poses differ in the ligand alone and the receptor is stored once.
    Each set then has a receptor of its own, with a name of its own; with
    :obj:`around`, sets with the same receptor have the same pocket, which the
    models of this package then encode once for all of them.
    An atom that has moved in a pose is near if it is so in that pose, and
    then it is kept in all of them.
    Edges and bonds among the atoms that are left are kept.

    Args:
        r: Atoms within this distance in Angstrom are kept.
        around: Positions to cut around, shape :obj:`[num_points, 3]`, e.g.,
            those of a crystal ligand. (default: :obj:`None`, the atoms of the
            ligand in all poses)
        group: A key of atoms; all atoms of the receptor that share its value
            with an atom within reach are kept as well, e.g.,
            :obj:`"residue"`. (default: :obj:`None`)
        per_pose: Whether to cut around each pose on its own.
            The result is a set of whole graphs, as by
            :meth:`~pyg_multipose.data.PoseSet.from_poses`, and the receptor
            is stored as often as there are poses. (default: :obj:`False`)

    Raises:
        ValueError: If a set has no receptor, or nothing of it is near.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.transforms import PocketCut
        >>> dataset = MproMoonshot('test')
        >>> pose_set = dataset[0]
        >>> pose_set.receptor.num_nodes
        487
        >>> PocketCut(5.0, group='residue')(pose_set).receptor.num_nodes
        191
        >>> around = dataset.crystal_ligand.pos  # one pocket for all sets
        >>> transform = PocketCut(5.0, around, group='residue')
        >>> transform(pose_set).receptor.num_nodes
        150
        >>> len(transform.near(pose_set).unique())  # those whose residues stay
        72
    """

    def __init__(
        self,
        r: float,
        around: Tensor | None = None,
        group: str | None = None,
        per_pose: bool = False,
    ) -> None:
        self.r = check_length(r, 'r')
        self.around = None if around is None else check_shape(around, 'around')
        self.group = group
        self.per_pose = per_pose
        if per_pose and around is not None:
            raise ValueError(
                "With 'around', the cut is the same for every pose; leave out "
                "'per_pose'"
            )

    def forward(self, data: Any) -> PoseSet:
        r"""Cuts the receptor.

        Args:
            data: A pose set; :meth:`__call__` hands in a shallow copy.
        """
        pose_set = check_set(data, self.__class__.__name__)
        check_shape(pose_set.get('pos'), 'pos')
        if not int(pose_set.receptor_size):
            raise ValueError(
                f'{set_name(pose_set)} has no receptor that its poses share; '
                f'PocketCut needs one'
            )
        if not self.per_pose:
            out = self._cut(pose_set)
            # Atoms that have moved may come within reach of fixed points.
            if self.around is None or _gone(pose_set)[0].numel():
                name_by_content(out)
            return out
        levels = Levels.of(pose_set)
        graphs = [
            self._cut(pose_set.select([pose]), f', pose {pose}').pose(0)
            for pose in range(pose_set.num_poses)
        ]
        out = PoseSet.from_poses(
            graphs,
            y=pose_set.get('y'),
            name=pose_set.get('name'),
            pose_attrs=levels.on('pose'),
        )
        for key in levels.on('set'):
            if key not in out:
                out.put(key, pose_set[key], 'set')
        return out

    def near(self, pose_set: PoseSet) -> Tensor:
        r"""The atoms of the receptor within reach, some of them repeated.

        Args:
            pose_set: The set.
        """
        size = int(pose_set.receptor_size)
        pos = pose_set.pos
        is_ligand = ligand_rows(pose_set)
        around = self.around
        around = pos[is_ligand] if around is None else around.to(pos)
        atom, stands = _gone(pose_set)
        # Absent ones have no place; the first row of a pose is its ligand's.
        is_moved = ~is_ligand[stands]
        point, near = radius(pos[:size], around, self.r)
        of_moved = of_ligand = None
        if self.around is None and atom.numel():
            # An atom is near if it is so in a pose, where it is in that pose.
            layout = Layout(pose_set)
            pose = torch.from_numpy(
                np.repeat(np.arange(layout.num_poses), layout.pose_size)
            ).to(pos.device)
            gone = pose[stands - size] * size + atom
            of_ligand = pose[is_ligand[size:]]
            near = near[~torch.isin(of_ligand[point] * size + near, gone)]
            of_moved = pose[stands[is_moved] - size]
        moved = radius(
            pos[stands[is_moved]], around, self.r, of_moved, of_ligand
        )[1]
        return torch.cat([near, atom[is_moved][moved]])

    def _cut(self, pose_set: PoseSet, where: str = '') -> PoseSet:
        near = self.near(pose_set)
        if not len(near):
            raise ValueError(
                f'{set_name(pose_set)}{where}: no atom of the receptor is '
                f'within {self.r} Angstrom. Are ligand and receptor in one '
                f'frame?'
            )
        size = int(pose_set.receptor_size)
        keep = torch.zeros(size, dtype=torch.bool, device=near.device)
        keep[near] = True
        if self.group is not None:
            group = self._groups(pose_set)[:size]
            keep = torch.isin(group, group[near].unique())
        return keep_receptor(pose_set, keep)

    def _groups(self, pose_set: PoseSet) -> Tensor:
        levels = Levels.of(pose_set)
        if levels.get(str(self.group)) != 'node':
            raise ValueError(
                f"{set_name(pose_set)}: '{self.group}' is no key of atoms; "
                f'these are {sorted(levels.on("node"))}'
            )
        return pose_set[str(self.group)]

    def __repr__(self) -> str:
        points = self.around
        around = None if points is None else f'{len(points)} points'
        return (
            f'{self.__class__.__name__}({self.r}, around={around}, '
            f'group={self.group!r}, per_pose={self.per_pose})'
        )


def near_receptor(pos: Tensor, around: Tensor, r: float, near: Tensor) -> None:
    r"""Finds the atoms of a receptor near any of some positions.

    Args:
        pos: The positions of the receptor's atoms in Angstrom.
        around: The positions.
        r: The distance in Angstrom.
        near: Which atoms are near, as far as that is known, shape
            :obj:`[num_atoms]`; changed in place.
    """
    rest = (~near).nonzero().view(-1)
    if len(rest):
        near[rest[radius(pos[rest], around, r)[1]]] = True


def keep_receptor(pose_set: PoseSet, keep: Tensor) -> PoseSet:
    r"""Keeps some atoms of the receptor, where they are and have moved to.

    Args:
        pose_set: The set.
        keep: Which ones, shape :obj:`[receptor_size]`.
    """
    size = int(pose_set.receptor_size)
    is_ligand = ligand_rows(pose_set)
    rows = is_ligand.clone()
    rows[:size] = keep
    atom, stands = _gone(pose_set)
    is_moved = ~is_ligand[stands]
    rows[stands[is_moved]] = rows[atom[is_moved]]
    return take_rows(pose_set, rows)


def _gone(pose_set: PoseSet) -> tuple[Tensor, Tensor]:
    """Atoms of the receptor that are not where it has them, and their rows."""
    pairs = pose_set.get('moved_index')
    if pairs is None:
        none = torch.empty(0, dtype=torch.long, device=pose_set.pos.device)
        return none, none
    return pairs[0], pairs[1]
