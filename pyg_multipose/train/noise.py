r"""The noise of labels, which one of the losses wants to know."""

from __future__ import annotations

from torch import nn

from pyg_multipose.nn.loss import GaussianNLLLoss


def check_noise(loss: nn.Module, noise: float | None) -> None:
    r"""Refuses a noise that a loss has no use for, or one that is missing.

    Args:
        loss: The loss.
        noise: The standard deviation of labels.
    """
    gaussian = isinstance(loss, GaussianNLLLoss)
    if gaussian and noise is None:
        raise ValueError(
            "GaussianNLLLoss needs 'noise', the standard deviation of the "
            'labels in their unit, such as 0.3 for a pIC50'
        )
    if noise is not None and not (gaussian and noise > 0):
        raise ValueError(
            f'noise={noise!r}, expected a positive number, together with '
            f'GaussianNLLLoss; the loss is {type(loss).__name__}'
        )
