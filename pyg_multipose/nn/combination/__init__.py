r"""Combinations: the predictions of the poses of a set become one."""

from pyg_multipose.nn.combination.base import Combination
from pyg_multipose.nn.combination.boltzmann_mean import (
    BoltzmannMeanCombination,
    BoltzmannMeanCombinationFunction,
)
from pyg_multipose.nn.combination.free_energy import FreeEnergyCombination
from pyg_multipose.nn.combination.gated_attention import (
    GatedAttentionCombination,
)
from pyg_multipose.nn.combination.hard_max import (
    HardMaxCombination,
    HardMaxCombinationFunction,
)
from pyg_multipose.nn.combination.log_mean_exp import LogMeanExpCombination
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
from pyg_multipose.nn.combination.top_k_mean import TopKMeanCombination
from pyg_multipose.nn.combination.two_level import TwoLevelCombination

__all__ = [
    'BoltzmannMeanCombination',
    'BoltzmannMeanCombinationFunction',
    'Combination',
    'FreeEnergyCombination',
    'GatedAttentionCombination',
    'HardMaxCombination',
    'HardMaxCombinationFunction',
    'LogMeanExpCombination',
    'MaxCombination',
    'MaxCombinationFunction',
    'MeanCombination',
    'MeanCombinationFunction',
    'Running',
    'TopKMeanCombination',
    'TwoLevelCombination',
    'combination_resolver',
]
