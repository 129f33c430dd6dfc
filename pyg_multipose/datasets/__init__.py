r"""Datasets whose items are pose sets."""

from pyg_multipose.datasets.mpro_moonshot import MproMoonshot
from pyg_multipose.datasets.pose_set_dataset import PoseSetDataset
from pyg_multipose.datasets.pose_set_shards import PoseSetShards

__all__ = classes = ['MproMoonshot', 'PoseSetDataset', 'PoseSetShards']
