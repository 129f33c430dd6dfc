r"""Transforms of graphs and pose sets."""

from pyg_multipose.transforms.check_transform import check_transform
from pyg_multipose.transforms.coordinate_noise import CoordinateNoise
from pyg_multipose.transforms.duplicate_log_weights import (
    duplicate_log_weights,
)
from pyg_multipose.transforms.flag_poses import FlagPoses
from pyg_multipose.transforms.per_pose import PerPose
from pyg_multipose.transforms.planted_energy import PlantedEnergy
from pyg_multipose.transforms.pocket_cut import PocketCut
from pyg_multipose.transforms.pose_flags import pose_flags
from pyg_multipose.transforms.pose_set_transform import PoseSetTransform
from pyg_multipose.transforms.radius_graph import RadiusGraph
from pyg_multipose.transforms.random_poses import RandomPoses
from pyg_multipose.transforms.top_poses import TopPoses
from pyg_multipose.transforms.unique_poses import UniquePoses

__all__ = [
    'CoordinateNoise',
    'FlagPoses',
    'PerPose',
    'PlantedEnergy',
    'PocketCut',
    'PoseSetTransform',
    'RadiusGraph',
    'RandomPoses',
    'TopPoses',
    'UniquePoses',
    'check_transform',
    'duplicate_log_weights',
    'pose_flags',
]
