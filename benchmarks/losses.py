"""Losses on sets of poses: a combination, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch_geometric.nn import AttentionalAggregation

from pyg_multipose.nn import MaxCombination, MeanCombination

#: Features of a pose where poses are combined by attention.
FEATURES = 16


@dataclass(frozen=True)
class Loss:
    r"""A combination and a loss.

    Args:
        title: What tables call it.
        combination: Makes the combination.
        on_poses: Whether the loss sees the predictions of the poses too.
        channels: Predictions of a pose.
        sharp: Whether the head of the model is scaled up, so that under a
            sharp combination one pose of a set matters, as in a trained
            model.
    """

    title: str
    combination: Callable[[], nn.Module]
    on_poses: bool = False
    channels: int = 1
    sharp: bool = False

    def __call__(
        self, combined: Tensor, poses: Tensor | None, target: Tensor
    ) -> Tensor:
        r"""The loss.

        Args:
            combined: Predictions of sets, :obj:`[S]` or :obj:`[S, F]`.
            poses: Predictions of poses, where the loss sees them.
            target: Labels of the sets, :obj:`[S]`.
        """
        target = target.to(combined.dtype)
        if combined.dim() > 1:
            target = target.unsqueeze(1)
        loss = (combined - target).square().mean()
        if self.on_poses:
            assert poses is not None
            loss = loss + poses.square().mean()
        return loss


LOSSES: dict[str, Loss] = {
    'mean': Loss('Mean', MeanCombination),
    'max1': Loss('Max, t = 1', lambda: MaxCombination(scale=1.0)),
    'max1000': Loss(
        'Max, t = 1000, one pose matters',
        lambda: MaxCombination(scale=1000.0),
        sharp=True,
    ),
    'poses': Loss('Mean and every pose', MeanCombination, on_poses=True),
    'attention': Loss(
        f'attention over {FEATURES} features',
        lambda: AttentionalAggregation(nn.Linear(FEATURES, 1)),
        channels=FEATURES,
    ),
}
