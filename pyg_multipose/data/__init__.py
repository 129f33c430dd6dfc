r"""Pose sets: one receptor (or none) and the poses of one compound."""

from pyg_multipose.data.layout import Layout
from pyg_multipose.data.pose_set import PoseSet

__all__ = ['Layout', 'PoseSet']
