"""What a transform has made of a pose set: is it a pose set?"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch_geometric.data import Batch

from pyg_multipose.data.checks import check_keys
from pyg_multipose.data.layout import Layout
from pyg_multipose.data.levels import (
    COUNTS,
    Level,
    Levels,
    level_by_name,
    parse,
)
from pyg_multipose.data.pose_set import PoseSet


def check_written(before: PoseSet, after: Any) -> Layout:
    r"""Declares new keys, and refuses what is no pose set any more.

    Args:
        before: What the transform was given.
        after: What it returned; the levels of new keys are added to it.

    Returns:
        The layout of that.

    Raises:
        ValueError: If that has other counts, or if tables, edges or keys are
            not those of a pose set.
    """
    if not isinstance(after, PoseSet) or (
        isinstance(after, Batch) != isinstance(before, Batch)
    ):
        raise ValueError(
            f'it returned a {type(after).__name__}, not a '
            f'{type(before).__name__}'
        )
    for key in COUNTS:
        if key not in after or before[key].tolist() != after[key].tolist():
            raise ValueError(
                f"it changed '{key}', which counts atoms or poses"
            )
    known = set(before.keys())
    if 'num_nodes' in after and 'num_nodes' not in known:
        number, atoms = after['num_nodes'], before.num_nodes
        if number != atoms:
            raise ValueError(
                f"it sets 'num_nodes' to {number}, but there are {atoms} atoms"
            )
        del after['num_nodes']
    new = [key for key in after.stores[0].keys() if key not in known]
    check_keys(new, 'what it added')
    _declare(after, new)
    return Layout(after)  # checks that all fits together


def _declare(pose_set: PoseSet, new: list[str]) -> None:
    """Writes down the levels of new keys, and forgets those that are gone."""
    text = pose_set['levels']
    first = text if isinstance(text, str) else text[0]
    levels = {
        key: level for key, level in parse(first).items() if key in pose_set
    }
    for key in new:
        levels.setdefault(key, _level(pose_set, key))
    declared = str(Levels(levels))
    if declared != first:
        pose_set['levels'] = (
            declared if isinstance(text, str) else [declared] * len(text)
        )


def _level(pose_set: PoseSet, key: str) -> Level:
    """By its name, else as PyG has it: by the number of rows."""
    level = level_by_name(key)
    if level is not None:
        return level
    value = pose_set[key]
    if isinstance(value, Tensor) and value.dim():
        if value.size(0) == pose_set.num_nodes:
            return 'node'
        if value.size(0) == pose_set.num_edges:
            return 'edge'
    return 'set'
