r"""What to say where a training gives numbers that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pyg_multipose.data import Layout, PoseSet

if TYPE_CHECKING:
    from pyg_multipose.train.multi_pose_module import MultiPoseModule

#: Sets that a message names.
_SHOWN = 8
_ADVICE = (
    'Checkpoints are from before. Look at these sets (distances, labels), or '
    'train anew with a lower learning rate, a smaller norm of the gradient '
    '(clip) or in full precision'
)


def check_loss(batch: PoseSet, loss: Tensor) -> None:
    r"""Stops a training whose loss is not finite.

    The readout has refused poses whose energies are not.

    Args:
        batch: The sets.
        loss: Their loss.

    Raises:
        ValueError: If it is infinite or NaN; names the sets.
    """
    if not bool(loss.isfinite()):
        raise ValueError(
            f'The loss is {loss.item()}. The sets: {sets_of(batch)}. {_ADVICE}'
        )


def check_gradient(module: MultiPoseModule, seen: list[PoseSet]) -> None:
    r"""Stops a training whose gradient is not finite, before the step.

    Args:
        module: The module.
        seen: The batches that it is of.

    Raises:
        ValueError: If it is infinite or NaN somewhere; names the sets.
    """
    grads = [one.grad for one in module.parameters() if one.grad is not None]
    largest = [one.detach().abs().max() for one in grads if one.numel()]
    if not largest or bool(torch.stack(largest).isfinite().all()):
        return
    name = next(
        name
        for name, one in module.named_parameters()
        if one.grad is not None and not bool(one.grad.isfinite().all())
    )
    sets = '; '.join(sets_of(batch) for batch in seen)
    raise ValueError(
        f"The loss is finite, but its gradient is not, first that of '{name}'."
        f' The sets: {sets}. {_ADVICE}'
    )


def sets_of(batch: PoseSet) -> str:
    r"""The names of sets with their labels.

    Args:
        batch: The sets.
    """
    layout = Layout(batch)
    labels = [f'{value:.4g}' for value in batch.y.view(-1).tolist()]
    shown = [
        f'{layout.set_name(number)} (label {label})'
        for number, label in enumerate(labels[:_SHOWN])
    ]
    more = len(labels) - len(shown)
    return ', '.join(shown) + (f' and {more} more' if more > 0 else '')
