r"""Datasets whose items are pose sets."""

from pyg_multipose.datasets.mpro_moonshot import MproMoonshot
from pyg_multipose.datasets.pose_set_dataset import PoseSetDataset

__all__ = classes = ['MproMoonshot', 'PoseSetDataset']
