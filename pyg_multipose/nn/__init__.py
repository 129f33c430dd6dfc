r"""Layers: multi-pose readout, combinations, strategies, graphs."""

from pyg_multipose.nn.combination import (
    BoltzmannMeanCombination,
    BoltzmannMeanCombinationFunction,
    Combination,
    FreeEnergyCombination,
    GatedAttentionCombination,
    HardMaxCombination,
    HardMaxCombinationFunction,
    LogMeanExpCombination,
    MaxCombination,
    MaxCombinationFunction,
    MeanCombination,
    MeanCombinationFunction,
    TopKMeanCombination,
    TwoLevelCombination,
    combination_resolver,
)
from pyg_multipose.nn.multi_pose_readout import MultiPoseReadout
from pyg_multipose.nn.radius_interaction_graph import RadiusInteractionGraph
from pyg_multipose.nn.strategy import (
    ComplexOnlyStrategy,
    ConcatStrategy,
    DeltaStrategy,
    Strategy,
)

__all__ = [
    'BoltzmannMeanCombination',
    'BoltzmannMeanCombinationFunction',
    'Combination',
    'ComplexOnlyStrategy',
    'ConcatStrategy',
    'DeltaStrategy',
    'FreeEnergyCombination',
    'GatedAttentionCombination',
    'HardMaxCombination',
    'HardMaxCombinationFunction',
    'LogMeanExpCombination',
    'MaxCombination',
    'MaxCombinationFunction',
    'MeanCombination',
    'MeanCombinationFunction',
    'MultiPoseReadout',
    'RadiusInteractionGraph',
    'TopKMeanCombination',
    'TwoLevelCombination',
    'Strategy',
    'combination_resolver',
]
