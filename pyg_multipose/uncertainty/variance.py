"""Where the uncertainty of a compound comes from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.utils import scatter

from pyg_multipose.nn.distribution import are_distributions


@dataclass(frozen=True, eq=False)
class Uncertainty:
    r"""A prediction for each set, and its variance by where it comes from.

    With :math:`M` members, of which member :math:`m` predicts :math:`y_m`
    for a set and :math:`y_{mi}` for its poses, with weights :math:`w_{mi}`:

    .. math::
        \bar{y} &= \frac{1}{M} \sum_m y_m \\
        V_\mathrm{members} &= \frac{1}{M} \sum_m (y_m - \bar{y})^2 \\
        V_\mathrm{poses} &= \frac{1}{M} \sum_m \sum_i w_{mi}
        (y_{mi} - \mu_m)^2, \qquad \mu_m = \sum_i w_{mi} \, y_{mi} \\
        V &= V_\mathrm{members} + V_\mathrm{poses}

    The last line is the law of total variance for :math:`Y = y_m + y_{mi} -
    \mu_m`, with a member drawn at random and then a pose by its weights. For
    the mean, where :math:`y_m = \mu_m`, :math:`Y` is the prediction of the
    pose that was drawn.

    Args:
        members: The predictions :math:`y_m`, shape :math:`(M, S)` or
            :math:`(M, S, F)`.
        within: The variance among the poses for each member, in the same
            shape; NaN where weights are no distribution.

    Example:
        >>> import torch
        >>> from pyg_multipose.uncertainty import Uncertainty
        >>> members = torch.tensor([[-9.0], [-7.0]])
        >>> out = Uncertainty(members, torch.tensor([[0.5], [1.5]]))
        >>> out.mean, out.epistemic, out.conformational, out.variance
        (tensor([-8.]), tensor([1.]), tensor([1.]), tensor([2.]))
    """

    members: Tensor
    within: Tensor

    @property
    def mean(self) -> Tensor:
        r"""The prediction :math:`\bar{y}`, in the unit of the readout."""
        return self.members.mean(dim=0)

    @property
    def epistemic(self) -> Tensor:
        r"""The variance between members :math:`V_\mathrm{members}`.

        What members disagree about: more data could tell.
        """
        return self.members.var(dim=0, correction=0)

    @property
    def conformational(self) -> Tensor:
        r"""The mean spread among poses :math:`V_\mathrm{poses}`.

        What poses that count disagree about; NaN where weights are no
        distribution.
        """
        return self.within.mean(dim=0)

    @property
    def variance(self) -> Tensor:
        r"""The sum of both, :math:`V`."""
        return self.epistemic + self.conformational

    @property
    def std(self) -> Tensor:
        r"""The square root of :attr:`variance`, in the unit of :attr:`mean`.

        It knows neither of noise in labels nor of errors that all members
        share: calibrate it.
        """
        return self.variance.sqrt()

    def __repr__(self) -> str:
        num_members, num_sets = self.members.shape[:2]
        return (
            f'{self.__class__.__name__}({num_members} members, {num_sets} '
            f'sets)'
        )


def spread(
    poses: Tensor, weights: Tensor, index: Tensor, num_sets: int
) -> Tensor:
    r"""The weighted variance of the predictions of the poses of each set.

    .. math::
        \sum_i w_i (y_i - \mu)^2, \qquad \mu = \sum_i w_i \, y_i

    Args:
        poses: The predictions of the poses :math:`y_i`, shape :math:`(P)` or
            :math:`(P, F)`. One without weight may be anything, NaN too.
        weights: The weights :math:`w_i`, in the same shape.
        index: The set of each pose, shape :math:`(P)`.
        num_sets: The number of sets :math:`S`.

    Returns:
        Shape :math:`(S)` or :math:`(S, F)`, in the unit of the predictions
        squared; NaN where the weights are no distribution.

    Example:
        >>> from pyg_multipose.uncertainty import spread
        >>> import torch
        >>> poses = torch.tensor([1.0, 3.0, 5.0])
        >>> weights = torch.tensor([0.5, 0.5, 1.0])
        >>> spread(poses, weights, torch.tensor([0, 0, 1]), 2)
        tensor([1., 0.])
    """
    poses = poses.masked_fill(weights == 0, 0.0)
    mean = scatter(weights * poses, index, 0, num_sets, reduce='sum')
    square = (poses - mean[index]).square()
    out = scatter(weights * square, index, 0, num_sets, reduce='sum')
    known = are_distributions(weights, index, num_sets)
    return out.masked_fill(~known, torch.nan)
