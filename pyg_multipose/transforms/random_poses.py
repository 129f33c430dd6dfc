r"""Some poses of a set, others every time."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch_geometric.data.datapipes import functional_transform

from pyg_multipose.data import PoseSet
from pyg_multipose.transforms.arguments import check_count, check_set
from pyg_multipose.transforms.pose_set_transform import PoseSetTransform
from pyg_multipose.transforms.random_stream import RandomStream


@functional_transform('random_poses')
class RandomPoses(PoseSetTransform):
    r"""Keeps some poses, drawn anew at every access, as augmentation.

    (functional name: :obj:`random_poses`).

    All poses are equally likely, and those kept stay in order.
    Random numbers come from a generator of the transform's own; in the
    workers of a loader each has its own, new in every epoch.

    Args:
        num_poses: How many poses to keep; a set of fewer keeps all.
        seed: The seed. (default: :obj:`0`)

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.transforms import RandomPoses
        >>> pose_set = MproMoonshot('test')[0]
        >>> RandomPoses(4)(pose_set).num_poses, pose_set.num_poses
        (4, 8)
    """

    def __init__(self, num_poses: int, seed: int = 0) -> None:
        self.num_poses = check_count(num_poses, 'num_poses')
        self._stream = RandomStream(seed)

    def forward(self, data: Any) -> PoseSet:
        r"""Draws the poses.

        Args:
            data: A pose set; :meth:`__call__` hands in a shallow copy.
        """
        pose_set = check_set(data, self.__class__.__name__)
        count = pose_set.num_poses
        if count <= self.num_poses:
            return pose_set
        chosen = self._stream.rng.choice(count, self.num_poses, replace=False)
        return pose_set.select(np.sort(chosen).tolist())

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_poses}, '
            f'seed={self._stream.seed})'
        )
