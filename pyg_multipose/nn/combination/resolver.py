r"""Combinations by name."""

import warnings
from typing import Any

import torch_geometric.nn.aggr
from torch_geometric.nn.aggr import Aggregation
from torch_geometric.resolver import normalize_string, resolver

from pyg_multipose.nn.combination.boltzmann_mean import (
    BoltzmannMeanCombination,
)
from pyg_multipose.nn.combination.free_energy import FreeEnergyCombination
from pyg_multipose.nn.combination.gated_attention import (
    GatedAttentionCombination,
)
from pyg_multipose.nn.combination.hard_max import HardMaxCombination
from pyg_multipose.nn.combination.log_mean_exp import LogMeanExpCombination
from pyg_multipose.nn.combination.max import MaxCombination
from pyg_multipose.nn.combination.mean import MeanCombination
from pyg_multipose.nn.combination.surprises import surprises
from pyg_multipose.nn.combination.top_k_mean import TopKMeanCombination
from pyg_multipose.nn.combination.two_level import TwoLevelCombination

#: The combinations that have a name, and what stands before the suffix.
_OURS = (
    MeanCombination,
    MaxCombination,
    FreeEnergyCombination,
    BoltzmannMeanCombination,
    LogMeanExpCombination,
    HardMaxCombination,
    TopKMeanCombination,
    GatedAttentionCombination,
    TwoLevelCombination,
)


def combination_resolver(
    query: str | Aggregation, *args: Any, **kwargs: Any
) -> Aggregation:
    r"""Returns the combination of a name.

    Our names come first (:obj:`"max"` is :class:`MaxCombination`, by default
    a smooth *minimum*), then the class names of
    :obj:`torch_geometric.nn.aggr` (:obj:`"MaxAggregation"`,
    :obj:`"softmax"`).
    Case, hyphens and underscores do not count, and the suffix is optional.
    Some aggregations of PyG give numbers that a user of energies does not
    expect: a warning says so, and what to use instead.

    Args:
        query: The name, or an instance, which is returned as it is.
        *args: Arguments of the class.
        **kwargs: Keyword arguments of the class.

    Returns:
        The combination.

    Raises:
        ValueError: If there is none of this name.
        TypeError: If :obj:`query` is neither a name nor an instance, or is an
            instance and comes with arguments.

    Example:
        >>> from pyg_multipose.nn import combination_resolver
        >>> combination_resolver('max', scale=10.0)
        MaxCombination(scale=10.0, negate=True, normalize=False)
        >>> combination_resolver('free_energy')
        FreeEnergyCombination()
        >>> combination_resolver('MaxAggregation')  # of PyG
        MaxAggregation()
    """
    out = _resolved(query, *args, **kwargs)
    for reason in surprises(out):
        warnings.warn(reason, stacklevel=2)
    return out


def _resolved(
    query: str | Aggregation, *args: Any, **kwargs: Any
) -> Aggregation:
    if isinstance(query, Aggregation):
        if args or kwargs:
            raise TypeError(
                f'Got an instance, {query!r}, and arguments for its class. '
                f'Give them where the instance is made'
            )
        return query

    # Our short names go before PyG's: "max" is ours.
    names = {
        normalize_string(cls.__name__).removesuffix('combination'): cls
        for cls in _OURS
    }
    classes: list[type[Aggregation]] = [*_OURS, *_pyg_classes()]
    choices = [cls.__name__ for cls in classes]
    if not isinstance(query, str):
        raise TypeError(
            f'Expected a name or an instance of an Aggregation (got '
            f'{query!r}). Names are {sorted(names)}, or the classes {choices}'
        )
    try:
        return resolver(
            classes, names, query, Aggregation, None, *args, **kwargs
        )
    except ValueError as error:
        if not str(error).startswith('Could not resolve'):
            raise  # of the class itself, about its arguments
        raise ValueError(
            f"Unknown combination '{query}'; choose among {sorted(names)}, or "
            f'the classes {choices}'
        ) from None


def _pyg_classes() -> list[type[Aggregation]]:
    return [
        cls
        for cls in vars(torch_geometric.nn.aggr).values()
        if isinstance(cls, type)
        and issubclass(cls, Aggregation)
        and cls is not Aggregation
    ]
