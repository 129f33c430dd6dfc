"""Pose sets put together again from their poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import is_sparse

from pyg_multipose.data.checks import check_same_keys
from pyg_multipose.data.layout import Layout
from pyg_multipose.data.levels import (
    RELATIONS,
    Level,
    Levels,
    level_by_name,
    parse,
)
from pyg_multipose.data.pose_set import PoseSet
from pyg_multipose.data.tables import joined


def rebuilt(
    pose_set: PoseSet, poses: Sequence[Data], same_atoms: bool
) -> PoseSet:
    r"""A set of other graphs in place of the poses of a set.

    What the poses hold of the receptor is stored once if it is equal in all
    of them; else each pose is stored as a whole complex.
    The level of a new key is told by its name; else it has a row for each
    atom, or one for the pose.

    Args:
        pose_set: The set, whose label, names and other values on level set
            are taken over.
        poses: The graphs, one for each of its poses.
        same_atoms: Whether their atoms are those of the poses, in the same
            order.

    Raises:
        ValueError: If the graphs are not the poses of one set.
    """
    known = Levels.of(pose_set)
    levels = _levels(known, poses)
    receptor = int(pose_set['receptor_size'])
    halves = None
    if receptor and same_atoms:
        halves = _halves(poses, levels, receptor)
    tables = joined(
        None if halves is None else _atoms(halves[0][0], levels, receptor),
        poses if halves is None else [
            _atoms(own, levels, int(size))
            for (_, own), size in zip(
                halves, pose_set['pose_size'], strict=True
            )
        ],
        pose_set.get('y'),
        pose_set.get('name'),
        [key for key, level in levels.items() if level == 'pose'],
        pose_set.get('receptor_name'),
        declared=levels,
    )  # fmt: skip
    if halves is not None:
        _add_relations(tables, halves, levels, pose_set)
    device = tables['pose_size'].device
    if 'moved_index' in pose_set:  # all sets of a batch have the same keys
        tables['moved_index'] = pose_set['moved_index'][:, :0].to(device)
    for key in known.on('set'):
        value = pose_set[key]
        tables[key] = value.to(device) if isinstance(value, Tensor) else value
    out = PoseSet()
    # A set may be without what others are made with, such as a name.
    for key in dict.fromkeys((*pose_set.stores[0].keys(), *levels)):
        if key in tables:
            out[key] = tables[key]
    if 'num_nodes' in tables:
        out.num_nodes = tables['num_nodes']
    declared = {
        key: level
        for key, level in parse(pose_set['levels']).items()
        if key in out or key not in known  # such as were excluded in a batch
    }
    new = {key: level for key, level in levels.items() if key not in known}
    out['levels'] = str(Levels({**declared, **new}))
    Layout(out)  # checks that all fits together
    return out


def _levels(known: Levels, poses: Sequence[Data]) -> dict[str, Level]:
    """The level of every key of the poses."""
    keys, *others = (
        [key for key in pose.stores[0].keys() if key != 'num_nodes']
        for pose in poses
    )
    for number, got in enumerate(others, 1):
        check_same_keys(got, keys, f'pose {number}', 'pose 0')
    return {
        key: known.get(key)
        or level_by_name(key)
        or _level_by_rows([pose[key] for pose in poses], poses)
        for key in keys
    }


def _level_by_rows(values: Sequence[Any], poses: Sequence[Data]) -> Level:
    """Atoms where there is a row for each, as in from_poses."""
    rows = [
        value.size(0) if isinstance(value, Tensor) and value.dim() else 1
        for value in values
    ]
    of_atoms = rows == [pose.num_nodes for pose in poses]
    return 'node' if of_atoms or set(rows) != {1} else 'pose'


#: What a pose holds of its receptor, and the rest.
_Halves = tuple[dict[str, Any], dict[str, Any]]


def _halves(
    poses: Sequence[Data], levels: Mapping[str, Level], receptor: int
) -> list[_Halves] | None:
    """The poses taken apart, if they have one receptor."""
    out: list[_Halves] = []
    for pose in poses:
        if not _is_regular(pose, levels):
            return None
        fixed, own = _half(pose, levels, receptor)
        if 'is_ligand' in levels and (
            fixed['is_ligand'].any() or not own['is_ligand'].all()
        ):
            return None
        first = out[0][0] if out else fixed
        if not all(_equal(fixed[key], first[key]) for key in fixed):
            return None
        out.append((fixed, own))
    return out


def _is_regular(pose: Data, levels: Mapping[str, Level]) -> bool:
    """Whether all rows are there; if not, joining tells what is wrong."""
    size = pose.num_nodes
    for key, level in levels.items():
        value = pose[key]
        if level == 'pose':
            continue
        if not isinstance(value, Tensor) or is_sparse(value):
            return False
        if level == 'node':
            shape = [size]
        elif key == f'{level}_index':
            if value.dtype != torch.long or value.dim() != 2:
                return False
            if ((value < 0) | (value >= size)).any():
                return False
            shape = [2]
        else:
            index = pose.get(f'{level}_index')
            shape = [] if index is None else [index.size(-1)]
        if list(value.shape[:1]) != shape:
            return False
    return True


def _half(pose: Data, levels: Mapping[str, Level], receptor: int) -> _Halves:
    fixed: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for key, level in levels.items():
        value = pose[key]
        if level == 'pose':
            own[key] = value
        elif level == 'node':
            fixed[key], own[key] = value[:receptor], value[receptor:]
        else:
            inner = (pose[f'{level}_index'] < receptor).all(dim=0)
            dim = value.dim() - 1 if key == f'{level}_index' else 0
            for half, rows in ((fixed, inner), (own, ~inner)):
                half[key] = value.index_select(dim, rows.nonzero().view(-1))
    return fixed, own


def _equal(one: Tensor, two: Tensor) -> bool:
    if one.dtype != two.dtype or one.shape != two.shape:
        return False
    same = one == two
    if one.is_floating_point() or one.is_complex():
        same |= one.isnan() & two.isnan()
    return bool(same.all())


def _atoms(
    half: Mapping[str, Any], levels: Mapping[str, Level], size: int
) -> Data:
    """The atoms of a receptor or a ligand, and what a pose has once."""
    out = Data(num_nodes=size)
    for key, value in half.items():
        if levels[key] in ('node', 'pose'):
            out[key] = value
    return out


def _add_relations(
    tables: dict[str, Any],
    halves: Sequence[_Halves],
    levels: Mapping[str, Level],
    pose_set: PoseSet,
) -> None:
    """Adds the receptor's edges and bonds, then those of each pose."""
    receptor = int(pose_set['receptor_size'])
    size = pose_set['pose_size']
    shifts = (size.cumsum(0) - size).tolist()
    for key, level in levels.items():
        if level not in RELATIONS:
            continue
        parts = [halves[0][0][key]]
        for (_, own), shift in zip(halves, shifts, strict=True):
            value = own[key]
            if key == f'{level}_index':
                value = torch.where(value < receptor, value, value + shift)
            parts.append(value)
        tables[key] = torch.cat(parts, -1 if key == f'{level}_index' else 0)
