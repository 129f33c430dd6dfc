r"""Layers: the multi-pose readout, combinations and interaction graphs."""

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
    'MultiPoseReadout',
    'RadiusInteractionGraph',
    'TopKMeanCombination',
    'TwoLevelCombination',
    'combination_resolver',
]
