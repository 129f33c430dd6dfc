"""Whether the weights of the poses of a set are a distribution."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.utils import scatter

#: How far from zero and one rounding may take weights and their sums.
ROUNDING = 1e-5


def are_distributions(weights: Tensor, index: Tensor, num_sets: int) -> Tensor:
    r"""Whether no weight of a set is negative and they sum to one.

    So it is for the mean, the smooth extremum and the free energy, and for
    :pyg:`PyG's` mean, max, min, median and quantile. It is not for a sum or
    a standard deviation, nor, in general, for
    :class:`~torch_geometric.nn.aggr.SoftmaxAggregation`, where
    :math:`\partial y / \partial y_i` may be negative.

    Args:
        weights: The weights, shape :math:`(P)` or :math:`(P, F)`.
        index: The set of each pose, shape :math:`(P)`.
        num_sets: The number of sets :math:`S`.

    Returns:
        Shape :math:`(S)` or :math:`(S, F)`.
    """
    total = scatter(weights, index, 0, num_sets, reduce='sum')
    least = scatter(weights, index, 0, num_sets, reduce='min')
    sums_to_one = (total - 1).abs() <= ROUNDING
    return torch.logical_and(sums_to_one, least >= -ROUNDING)
