"""Poses without the other poses of their set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch_geometric.data import Batch

from pyg_multipose.data.layout import Layout
from pyg_multipose.data.levels import COUNTS
from pyg_multipose.data.pose_set import PoseSet


def alone(
    pose_set: PoseSet, layout: Layout, poses: Iterable[int]
) -> list[PoseSet]:
    r"""Some of the poses, each as a set of its own.

    Args:
        pose_set: A pose set or a batch of them.
        layout: Its layout.
        poses: Numbers of the poses.
    """
    tables = dict(pose_set.stores[0].items())
    is_batch = isinstance(pose_set, Batch)
    if is_batch:
        known = (*layout.levels, *COUNTS, 'levels', 'num_nodes')
        tables = {key: tables[key] for key in known if key in tables}
    out = []
    for pose in poses:
        index = int(layout.set_of_pose[pose])
        of_pose = PoseSet()
        for key, value in layout.select(tables, [pose], index).items():
            if is_batch and (
                key == 'levels' or layout.levels.get(key) == 'set'
            ):
                value = _of_set(value, index)
            of_pose[key] = value
        out.append(of_pose)
    return out


def _of_set(value: Any, index: int) -> Any:
    """What a batch holds of one of its sets."""
    if isinstance(value, Tensor):
        return value[index : index + 1]
    return value if isinstance(value, str) else value[index]
