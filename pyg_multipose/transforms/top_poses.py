r"""The best poses of a set by a score."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data.datapipes import functional_transform

from pyg_multipose.data import PoseSet
from pyg_multipose.data.levels import Levels
from pyg_multipose.transforms.arguments import (
    check_count,
    check_set,
    set_name,
)
from pyg_multipose.transforms.pose_set_transform import PoseSetTransform


@functional_transform('top_poses')
class TopPoses(PoseSetTransform):
    r"""Keeps the best poses by a score, best first.

    (functional name: :obj:`top_poses`).

    Of equal scores the earlier pose comes first.
    A missing score (NaN) is no good score: such a pose is kept only if there
    are too few others, and comes last.

    Args:
        k: How many poses to keep; a set of fewer keeps all.
        score: The key of the score, one number per pose, e.g.,
            :obj:`"vina_score"`.
        higher_is_better: Which way is good: :obj:`False` for energies.
            Sets that were read by :func:`~pyg_multipose.io.read_poses`
            know it: :obj:`poses.scores[key].higher_is_better`.

    Raises:
        ValueError: If there is no such score.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.transforms import TopPoses
        >>> transform = TopPoses(2, 'vina_score', higher_is_better=False)
        >>> MproMoonshot('test', transform=transform)[0].vina_score
        tensor([-7.3350, -7.2760])
    """

    def __init__(self, k: int, score: str, higher_is_better: bool) -> None:
        self.k = check_count(k, 'k')
        self.score = score
        self.higher_is_better = higher_is_better

    def forward(self, data: Any) -> PoseSet:
        r"""Chooses the poses.

        Args:
            data: A pose set; :meth:`__call__` hands in a shallow copy.
        """
        pose_set = check_set(data, self.__class__.__name__)
        value = self._values(pose_set)
        if self.higher_is_better:
            value = -value
        # By value, then the missing ones (which may sort anywhere) last.
        order = torch.argsort(value.nan_to_num(), stable=True)
        missing = value[order].isnan()
        order = torch.cat([order[~missing], order[missing]])
        return pose_set.select(order[: self.k])

    def _values(self, pose_set: PoseSet) -> Tensor:
        value = pose_set.get(self.score)
        levels = Levels.of(pose_set)
        if (
            levels.get(self.score) != 'pose'
            or not isinstance(value, Tensor)
            or value.numel() != pose_set.num_poses
        ):
            raise ValueError(
                f"{set_name(pose_set)} has no number '{self.score}' for each "
                f'pose; what poses have is {sorted(levels.on("pose"))}'
            )
        return value.detach().double().view(-1)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.k}, score='{self.score}', "
            f'higher_is_better={self.higher_is_better})'
        )
