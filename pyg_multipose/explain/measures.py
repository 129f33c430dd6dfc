"""What follows from predictions and weights of poses, without the model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from pyg_multipose.nn.distribution import are_distributions

#: Predictions that are given to a combination in one call, at most.
ROWS = 1 << 20


def weight_entropy(weights: Tensor, index: Tensor, num_sets: int) -> Tensor:
    r"""The entropy of the weights of each set, in nats.

    .. math::
        H = - \sum_{i=1}^{N} w_i \ln w_i

    :math:`\exp(H)` is the effective number of poses: 1 if one pose decides,
    :math:`N` if all count alike.

    Args:
        weights: The weights :math:`w_i`, shape :math:`(P)`.
        index: The set of each pose, shape :math:`(P)`.
        num_sets: The number of sets :math:`S`.

    Returns:
        Shape :math:`(S)`; NaN for sets whose weights are no distribution.

    Example:
        >>> from pyg_multipose.explain import weight_entropy
        >>> import torch
        >>> weights = torch.tensor([0.5, 0.5, 1.0, 0.0])
        >>> index = torch.tensor([0, 0, 1, 1])
        >>> weight_entropy(weights, index, 2).exp()
        tensor([2., 1.])
    """
    # Rounding may make a weight negative, where entr is -inf.
    of_poses = torch.special.entr(weights.clamp(min=0))
    out = scatter(of_poses, index, 0, num_sets, reduce='sum')
    known = are_distributions(weights, index, num_sets)
    return out.masked_fill(~known, torch.nan)


def leave_one_out(
    combination: nn.Module, poses: Tensor, set_size: Sequence[int]
) -> Tensor:
    r"""How a combined prediction changes when one pose is left out.

    .. math::
        \Delta_i = h(y_1, \ldots, y_{i-1}, y_{i+1}, \ldots, y_N) -
        h(y_1, \ldots, y_N)

    Exact, by the combination itself: :math:`N` calls' worth of :math:`N - 1`
    numbers, and none of the model.

    Args:
        combination: The combination :math:`h`, an aggregation.
        poses: The predictions of the poses, set by set, shape
            :math:`(P, F)`. Poses that are not finite were left out already,
            and change nothing.
        set_size: The number of poses of each set.

    Returns:
        The changes, shape :math:`(P, F)`, in the unit of the predictions;
        NaN for the only pose of a set, since nothing combines to no number.

    Example:
        >>> from pyg_multipose.explain import leave_one_out
        >>> import torch
        >>> from pyg_multipose.nn import MeanCombination
        >>> poses = torch.tensor([[1.0], [2.0], [6.0], [5.0]])
        >>> leave_one_out(MeanCombination(), poses, [3, 1]).squeeze(1)
        tensor([ 1.0000,  0.5000, -1.5000,     nan])
    """
    parts = []
    for of_set in poses.split(list(set_size)):
        finite = of_set.isfinite().all(dim=1)
        change = torch.zeros_like(of_set)
        change[finite] = _of_set(combination, of_set[finite]).to(of_set.dtype)
        parts.append(change)
    return torch.cat(parts)


def combined(
    combination: nn.Module, poses: Tensor, index: Tensor, num_sets: int
) -> Tensor:
    r"""Combines as a readout does.

    Args:
        combination: An aggregation.
        poses: Finite predictions, shape :math:`(P, F)`.
        index: The set of each, shape :math:`(P)`.
        num_sets: The number of sets :math:`S`.

    Returns:
        Shape :math:`(S, F)`.
    """
    return combination(poses, index=index, dim_size=num_sets, dim=-2)


def _of_set(combination: nn.Module, poses: Tensor) -> Tensor:
    """The changes of one set, whose poses are all finite."""
    count = poses.size(0)
    if count <= 1:
        return torch.full_like(poses, torch.nan)
    number = torch.arange(count, device=poses.device)
    together = combined(combination, poses, torch.zeros_like(number), 1)
    parts = []
    for left_out in number.split(max(1, ROWS // (count - 1))):
        others = number[:-1] + (number[:-1] >= left_out.unsqueeze(1)).long()
        index = number[: len(left_out)].repeat_interleave(count - 1)
        without = combined(
            combination, poses[others.flatten()], index, len(left_out)
        )
        parts.append(without - together)
    return torch.cat(parts)
