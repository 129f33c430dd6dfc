r"""Whether the pose that a model takes for the best is right."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pyg_multipose.train.lightning import torchmetrics

#: A pose within so many Angstrom of the reference is right.
RIGHT = 2.0
#: The best poses that one of which is to be right.
TOP = 3


class PoseMetrics(torchmetrics.Metric):
    r"""How often a right pose is among the best ones by prediction.

    A pose is right if it is at most 2 Angstrom from the reference.
    Over the sets that have a reference, :obj:`top1` is the share whose best
    pose is right, :obj:`top3` the share that has a right one among the best
    three, and :obj:`possible` the share that has a right one at all. Of equal
    predictions the earlier pose is better. NaN if no set has a reference.

    Metrics of retrieval of torchmetrics are no help here: they leave
    out scores that are not positive, and energies are negative.

    Args:
        top: The number of poses of :obj:`top3`. (default: :obj:`3`)
        right: The distance in Angstrom. (default: :obj:`2.0`)
        kwargs: As of :class:`torchmetrics.Metric`.

    Example:
        >>> import torch
        >>> from pyg_multipose.train import PoseMetrics
        >>> metrics = PoseMetrics(top=2)
        >>> energy = torch.tensor([-9.0, -8.0, -7.0, -6.0, -5.0])
        >>> rmsd = torch.tensor([3.0, 1.0, 5.0, 0.5, 4.0])
        >>> size = torch.tensor([3, 2])
        >>> metrics.update(energy, rmsd, size, high_is_strong=False)
        >>> metrics.compute()
        {'top1': tensor(0.5000), 'top2': tensor(1.), 'possible': tensor(1.)}
        >>> metrics.count
        2
    """

    full_state_update = False
    sets: Tensor
    found: Tensor
    higher_is_better = True
    is_differentiable = False

    def __init__(
        self, top: int = TOP, right: float = RIGHT, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.top, self.right = top, right
        zero = torch.tensor(0)
        self.add_state('sets', default=zero, dist_reduce_fx='sum')
        self.add_state('found', default=zero.repeat(3), dist_reduce_fx='sum')

    def update(
        self,
        poses: Tensor,
        rmsd: Tensor,
        set_size: Tensor,
        high_is_strong: bool,
    ) -> None:
        r"""Adds sets.

        Args:
            poses: The prediction of each pose, set by set.
            rmsd: Its distance to the reference in Angstrom, NaN where there
                is none.
            set_size: The number of poses of each set.
            high_is_strong: Whether a high prediction binds strongly, unlike
                an energy.
        """
        sizes = set_size.tolist()
        for values, far in zip(
            poses.detach().split(sizes), rmsd.split(sizes), strict=True
        ):
            if far.isnan().any():
                continue
            order = values.argsort(stable=True, descending=high_is_strong)
            right = far[order] <= self.right
            self.sets += 1
            self.found += torch.stack(
                [right[:1].any(), right[: self.top].any(), right.any()]
            ).to(self.found)

    def compute(self) -> dict[str, Tensor]:
        r"""The shares by name."""
        names = ('top1', f'top{self.top}', 'possible')
        return dict(zip(names, self.found / self.sets, strict=True))

    @property
    def count(self) -> int:
        r"""Sets with a reference, up to now."""
        return int(self.sets)
