r"""Pose sets: one receptor (or none) and the poses of one compound."""

import torch
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr

from pyg_multipose.data.layout import Layout
from pyg_multipose.data.moved_atoms import MovedAtoms
from pyg_multipose.data.pose_set import PoseSet
from pyg_multipose.data.siblings.hook import watch_transforms
from pyg_multipose.data.splits import (
    check_leaks,
    date_split,
    group_split,
    random_split,
)
from pyg_multipose.data.storage import PoseStorage

__all__ = [
    'Layout',
    'MovedAtoms',
    'PoseSet',
    'check_leaks',
    'date_split',
    'group_split',
    'random_split',
]

# What torch.load(weights_only=True) may make: a pose set, and what PyG itself
# puts into it and does not name.
torch.serialization.add_safe_globals(
    [PoseSet, PoseStorage, DataEdgeAttr, DataTensorAttr]
)

# What depends on the other poses of a set is refused where it is made.
watch_transforms()
