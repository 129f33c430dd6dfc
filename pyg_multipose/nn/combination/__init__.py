r"""Combinations: the predictions of the poses of a set become one."""

from pyg_multipose.nn.combination.base import Combination
from pyg_multipose.nn.combination.free_energy import FreeEnergyCombination
from pyg_multipose.nn.combination.max import (
    MaxCombination,
    MaxCombinationFunction,
)
from pyg_multipose.nn.combination.mean import (
    MeanCombination,
    MeanCombinationFunction,
)
from pyg_multipose.nn.combination.resolver import combination_resolver
from pyg_multipose.nn.combination.running import Running

__all__ = [
    'Combination',
    'FreeEnergyCombination',
    'MaxCombination',
    'MaxCombinationFunction',
    'MeanCombination',
    'MeanCombinationFunction',
    'Running',
    'combination_resolver',
]
