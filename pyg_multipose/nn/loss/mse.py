r"""The squared error."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from pyg_multipose.nn.loss.base import LabelLoss
from pyg_multipose.nn.loss.labeled_predictions import LabeledPredictions


class MSELoss(LabelLoss):
    r"""The mean squared error, with missing labels and bounds.

    .. math::
        \ell = r^2

    where :math:`r` is how far the prediction is from what its label allows,
    :eq:`eq-one-sided`. Without bounds, missing labels and weights it is
    :class:`torch.nn.MSELoss`. See :class:`LabelLoss` for arguments, shapes
    and errors.

    Args:
        reduction: As of :class:`LabelLoss`. (default: :obj:`"mean"`)

    Example:
        >>> import math
        >>> import torch
        >>> from pyg_multipose.nn.loss import MSELoss
        >>> pred = torch.tensor([6.0, 5.0, 3.0], requires_grad=True)
        >>> y = torch.tensor([7.0, math.nan, 4.0])
        >>> loss = MSELoss()(pred, y, relation=['=', '=', '<'])
        >>> loss  # the last one costs nothing: it is below 4
        tensor(0.5000, grad_fn=<DivBackward0>)
        >>> loss.backward()
        >>> pred.grad
        tensor([-1.,  0.,  0.])
    """

    def each(self, labels: LabeledPredictions) -> Tensor:
        r"""The squared error of each label."""
        error = labels.residual
        zero = torch.zeros_like(error)
        return functional.mse_loss(error, zero, reduction='none')
