r"""The Huber loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from pyg_multipose.nn.loss._checks import check_positive
from pyg_multipose.nn.loss.base import LabelLoss
from pyg_multipose.nn.loss.labeled_predictions import LabeledPredictions


class HuberLoss(LabelLoss):
    r"""The Huber loss, with missing labels and bounds.

    .. math::
        \ell = \begin{cases}
        \frac{1}{2} r^2 & |r| \le \delta \\
        \delta \left( |r| - \frac{1}{2} \delta \right) & |r| > \delta
        \end{cases}

    where :math:`r` is how far the prediction is from what its label allows,
    :eq:`eq-one-sided`: quadratic near it, linear far away, so that a label
    that is plainly wrong pulls no harder than one that is
    :math:`\delta` away. Without bounds, missing labels and weights it is
    :class:`torch.nn.HuberLoss`. See :class:`LabelLoss` for arguments, shapes
    and errors.

    Args:
        delta: Where the loss becomes linear, in the unit of the labels.
            (default: :obj:`1.0`)
        reduction: As of :class:`LabelLoss`. (default: :obj:`"mean"`)

    Raises:
        ValueError: If :obj:`delta` is not positive and finite.

    Example:
        >>> import math
        >>> import torch
        >>> from pyg_multipose.nn.loss import HuberLoss
        >>> pred = torch.tensor([6.0, 5.0, 9.0])
        >>> y = torch.tensor([7.0, math.nan, 5.0])
        >>> HuberLoss(reduction='none')(pred, y)
        tensor([0.5000, 0.0000, 3.5000])
    """

    def __init__(self, delta: float = 1.0, reduction: str = 'mean') -> None:
        super().__init__(reduction)
        self.delta = check_positive('delta', delta)

    def each(self, labels: LabeledPredictions) -> Tensor:
        r"""The Huber loss of each label."""
        error = labels.residual
        zero = torch.zeros_like(error)
        return functional.huber_loss(
            error, zero, reduction='none', delta=self.delta
        )

    def extra_repr(self) -> str:
        r"""Shows delta, and the reduction if it is not the default."""
        shown = super().extra_repr()
        return f'delta={self.delta}' + (f', {shown}' if shown else '')
