r"""Layers: the multi-pose readout, combinations and interaction graphs."""

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

__all__ = [
    'Combination',
    'FreeEnergyCombination',
    'MaxCombination',
    'MaxCombinationFunction',
    'MeanCombination',
    'MeanCombinationFunction',
    'MultiPoseReadout',
    'RadiusInteractionGraph',
    'combination_resolver',
]
