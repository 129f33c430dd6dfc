r"""The likelihood of labels with Gaussian noise, bounds included."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from pyg_multipose.nn.loss._checks import (
    check_device,
    check_floats,
    check_like,
    check_positive,
    check_reduction,
    refuse,
)
from pyg_multipose.nn.loss.labeled_predictions import (
    LabeledPredictions,
    Relation,
)
from pyg_multipose.nn.loss.log_ndtr import log_ndtr
from pyg_multipose.nn.loss.reduction import reduced

_HALF_LN_2_PI = 0.5 * math.log(2 * math.pi)


class GaussianNLLLoss(nn.Module):
    r"""The negative log-likelihood of labels with Gaussian noise (Tobit).

    .. math::
        \ell = \begin{cases}
        \frac{1}{2} z^2 + \ln \sigma + \frac{1}{2} \ln 2 \pi
        & \text{the label is exact} \\
        -\ln \Phi(-z) & \text{the truth is below the label} \\
        -\ln \Phi(z) & \text{the truth is above the label}
        \end{cases}
        \qquad z = \frac{\hat{y} - y}{\sigma}

    with the prediction :math:`\hat{y}`, the label :math:`y` and the standard
    deviation :math:`\sigma` of the noise, equation :eq:`eq-tobit`. An exact
    label counts by its density, a bound by the probability of what it allows,
    as in Tobin's model of limited variables
    (`doi:10.2307/1907382 <https://doi.org/10.2307/1907382>`_). A bound does
    not stop to pull where it is met, but fades away within :math:`\sigma`.

    Without bounds, missing labels and weights it is
    :class:`torch.nn.GaussianNLLLoss` with :obj:`full=True`, and takes
    :math:`\sigma` where that takes :math:`\sigma^2`.
    See :class:`LabelLoss` for missing labels and the reduction.

    Args:
        reduction: As of :class:`LabelLoss`. (default: :obj:`"mean"`)

    Shapes:
        - **input:** predictions and labels :math:`(S)` or :math:`(S, F)`,
          standard deviations in the same shape or one number, relations in
          the same shape, weights :math:`(S)`
        - **output:** a number, or for :obj:`"none"` the shape of the
          predictions

    Example:
        >>> import math
        >>> import torch
        >>> from pyg_multipose.nn.loss import GaussianNLLLoss
        >>> pred = torch.tensor([6.0, 5.0, 3.0, 5.0])
        >>> y = torch.tensor([7.0, math.nan, 4.0, 4.0])
        >>> loss = GaussianNLLLoss(reduction='none')
        >>> loss(pred, y, scale=0.5, relation=['=', '=', '<', '<'])
        tensor([2.2258, 0.0000, 0.0230, 3.7832])

        The noise may be learned, here one number for all labels:

        >>> log_scale = torch.nn.Parameter(torch.zeros(()))
        >>> loss = GaussianNLLLoss()(pred, y, scale=log_scale.exp())
        >>> loss.backward()
        >>> log_scale.grad
        tensor(0.)
    """

    def __init__(self, reduction: str = 'mean') -> None:
        super().__init__()
        self.reduction = check_reduction(reduction)

    def forward(
        self,
        pred: Tensor,
        y: Tensor,
        scale: float | Tensor,
        relation: Relation | None = None,
        weight: Tensor | None = None,
    ) -> Tensor:
        r"""Computes the loss.

        Args:
            pred: The predictions of sets (or of poses).
            y: The labels, NaN where there is none.
            scale: The standard deviation :math:`\sigma`, in the unit of the
                labels: a number, a tensor of one, or one for each label,
                which may be anything where there is none. It may require
                grad.
            relation: As of :class:`LabelLoss`. (default: :obj:`None`, all
                labels are exact)
            weight: As of :class:`LabelLoss`. (default: :obj:`None`, all weigh
                the same)

        Returns:
            The loss.

        Raises:
            ValueError: As :class:`LabelLoss`, and if a standard deviation is
                not positive and finite.
        """
        labels = LabeledPredictions.of(pred, y, relation, weight)
        sigma = _sigma(scale, labels)
        z = (labels.pred - labels.y) / sigma
        # Not that of torch.nn.functional, which takes a small sigma for a
        # larger one without a word, and cannot be compiled in one graph.
        each = 0.5 * z.square() + sigma.log() + _HALF_LN_2_PI
        if labels.codes is not None:
            bound = -log_ndtr(labels.codes * z)
            each = torch.where(labels.codes == 0, each, bound)
        return reduced(each, labels.known, labels.weight, self.reduction)

    def extra_repr(self) -> str:
        r"""Shows the reduction if it is not the default."""
        return '' if self.reduction == 'mean' else repr(self.reduction)


def _sigma(scale: Any, labels: LabeledPredictions) -> Tensor:
    """The standard deviation of each label, 1 where there is none."""
    if isinstance(scale, Real):
        return torch.full_like(labels.y, check_positive('scale', scale))
    check_floats('scale', scale, (0, 1, 2))
    if scale.dim() > 0:
        check_like('scale', scale, labels.pred)
    check_device('scale', scale, labels.pred)
    scale = scale.to(labels.pred.dtype).expand_as(labels.pred)
    refuse(
        ~((scale > 0) & scale.isfinite()) & labels.known,
        'scale',
        scale,
        "a positive, finite standard deviation. The 'y_std' of labels is NaN "
        'for a single measurement and for bounds, and 0 for replicates that '
        'agree; give these one of your own',
    )
    return torch.where(labels.known, scale, 1.0)
