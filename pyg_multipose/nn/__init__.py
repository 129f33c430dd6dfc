r"""Layers: multi-pose readout, combinations, strategies, graphs."""

from pyg_multipose.nn.combination import (
    Combination,
    FreeEnergyCombination,
    MaxCombination,
    MaxCombinationFunction,
    MeanCombination,
    MeanCombinationFunction,
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
    'Combination',
    'ComplexOnlyStrategy',
    'ConcatStrategy',
    'DeltaStrategy',
    'FreeEnergyCombination',
    'MaxCombination',
    'MaxCombinationFunction',
    'MeanCombination',
    'MeanCombinationFunction',
    'MultiPoseReadout',
    'RadiusInteractionGraph',
    'Strategy',
    'combination_resolver',
]
