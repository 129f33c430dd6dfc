r"""Pose sets: one receptor (or none) and the poses of one compound."""

from pyg_multipose.data.layout import Layout
from pyg_multipose.data.pose_set import PoseSet
from pyg_multipose.data.splits import (
    check_leaks,
    date_split,
    group_split,
    random_split,
)

__all__ = [
    'Layout',
    'PoseSet',
    'check_leaks',
    'date_split',
    'group_split',
    'random_split',
]
