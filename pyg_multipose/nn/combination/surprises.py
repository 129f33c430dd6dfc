r"""Aggregations of PyG that do not do with energies what one expects."""

from collections.abc import Callable
from typing import Any

import torch
from torch_geometric.nn import aggr

_SPREAD = (
    'takes the difference of two large numbers, mean(y^2) - mean(y)^2: the '
    'variance of 10000.0, 10000.1 and 10000.2 comes out negative in float32, '
    'and a small standard deviation as 0, without gradient. For the spread '
    'of poses, take their predictions by return_poses=True, and torch.std of '
    'those of a set'
)


def surprises(aggregation: aggr.Aggregation) -> list[str]:
    r"""What a user of energies should know of an aggregation.

    Args:
        aggregation: Any, also one that is made of others.

    Returns:
        One text for each kind within it; none for those of this package.
    """
    found: dict[str, None] = {}
    within_std = {
        id(module.var_aggr)
        for module in aggregation.modules()
        if isinstance(module, aggr.StdAggregation)
    }
    for module in aggregation.modules():
        text = _TEXTS.get(type(module), _nothing)(module)
        if text and id(module) not in within_std:
            found[f"'{type(module).__name__}' {text}"] = None
    return list(found)


def _nothing(module: Any) -> str:
    return ''


def _spread(module: Any) -> str:
    return _SPREAD


def _softmax(module: Any) -> str:
    t = torch.as_tensor(module.t)
    if not t.is_meta and t.max() <= 0:
        return ''
    return (
        'averages predictions with weights exp(+t y): the HIGHEST wins, '
        'which for energies is the worst pose, and no value is beyond it. '
        'For energies use BoltzmannMeanCombination, an average in which the '
        'lowest wins, or FreeEnergyCombination'
    )


def _power_mean(module: Any) -> str:
    # PyG 2.7 has no choice.
    low = getattr(module, 'min_value', 0)
    high = getattr(module, 'max_value', 100)
    same = not module.learn and module.p == 1
    if same or (low is None and high is None):
        return ''
    return (
        f'clamps predictions to [{low}, {high}]: energies below zero all '
        f'become the same number, without gradient. For something between '
        f'the mean and the minimum use LogMeanExpCombination, whose scale '
        f'may be learned'
    )


def _median(module: Any) -> str:
    return (
        'takes the lower one of the two in the middle of a set of even size: '
        'for energies, the better pose, so small sets look better than they '
        'are; and one pose gets the gradient. Use MeanCombination, '
        'TopKMeanCombination, or QuantileAggregation(0.5)'
    )


_TEXTS: dict[type, Callable[[Any], str]] = {
    aggr.StdAggregation: _spread,
    aggr.VarAggregation: _spread,
    aggr.SoftmaxAggregation: _softmax,
    aggr.PowerMeanAggregation: _power_mean,
    aggr.MedianAggregation: _median,
}
