r"""The weighted sum of losses."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from torch import Tensor, nn


class WeightedLoss(nn.Module):
    r"""The weighted sum of losses, e.g., of sets and of their poses.

    .. math::
        L = \sum_k w_k L_k

    Equation :eq:`eq-weighted-loss`. With one loss of the combined prediction
    and one of the predictions of the poses, the gradient is the weighted sum
    of two parts: for the former :eq:`eq-combined-loss`, for the latter
    :eq:`eq-pose-loss`, of the page on concepts. The gradient mode
    :obj:`"stream"` sees the combined prediction alone, and refuses a loss of
    poses.

    A term with weight 0 is left out, and may be NaN.

    Args:
        weights: The weight of each term by its name, 0 or more.

    Raises:
        ValueError: If there is no weight above 0, or one that is negative or
            not finite.

    Shapes:
        - **input:** for each term a tensor of one number :math:`()`
        - **output:** a tensor of one number :math:`()`

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.loss import WeightedLoss
        >>> total = WeightedLoss(affinity=1.0, poses=0.1)
        >>> total
        WeightedLoss(affinity=1.0, poses=0.1)
        >>> total(affinity=torch.tensor(2.0), poses=torch.tensor(5.0))
        tensor(2.5000)
    """

    def __init__(self, **weights: float) -> None:
        super().__init__()
        for name, weight in weights.items():
            _check_weight(name, weight)
        if not any(weights.values()):
            raise ValueError(
                f'No weight is above 0 (got {weights}), so there would be '
                f'nothing to minimize. Give one, e.g., '
                f'WeightedLoss(affinity=1.0, poses=0.1)'
            )
        self.weights = {name: float(w) for name, w in weights.items()}

    def forward(self, **losses: Tensor) -> Tensor:
        r"""Computes the sum.

        Args:
            losses: The terms by their names.

        Raises:
            ValueError: If names are not those of the weights, or if a term is
                no tensor of one number.
        """
        if losses.keys() != self.weights.keys():
            raise ValueError(
                f'Got losses {sorted(losses)}, expected those that have '
                f'weights, {sorted(self.weights)}'
            )
        terms = []
        for name, weight in self.weights.items():
            _check_term(name, losses[name])
            if weight > 0:
                terms.append(weight * losses[name])
        return sum(terms[1:], terms[0])

    def extra_repr(self) -> str:
        r"""Shows the weights."""
        return ', '.join(f'{name}={w}' for name, w in self.weights.items())


def _check_weight(name: str, weight: Any) -> None:
    number = isinstance(weight, Real) and not isinstance(weight, bool)
    if not number or not 0 <= float(weight) < math.inf:
        raise ValueError(
            f"The weight of '{name}' is {weight!r}, expected a finite number "
            f'of at least 0'
        )


def _check_term(name: str, loss: Any) -> None:
    if (
        not isinstance(loss, Tensor)
        or not loss.is_floating_point()
        or loss.dim() != 0
    ):
        got = type(loss).__name__
        if isinstance(loss, Tensor):
            got = f'{loss.dtype} of shape {list(loss.shape)}'
        raise ValueError(
            f"The loss '{name}' is {got}, expected a tensor of one "
            f"floating-point number. Reduce it first, e.g., by 'mean'"
        )
