r"""Losses of combined predictions and of poses, with labels as they are."""

from pyg_multipose.nn.loss.base import LabelLoss
from pyg_multipose.nn.loss.gaussian_nll import GaussianNLLLoss
from pyg_multipose.nn.loss.huber import HuberLoss
from pyg_multipose.nn.loss.labeled_predictions import LabeledPredictions
from pyg_multipose.nn.loss.mse import MSELoss
from pyg_multipose.nn.loss.pose_cross_entropy import PoseCrossEntropyLoss
from pyg_multipose.nn.loss.pose_labels import soft_pose_labels
from pyg_multipose.nn.loss.relation import RELATIONS, relation_codes
from pyg_multipose.nn.loss.weighted_loss import WeightedLoss

__all__ = [
    'GaussianNLLLoss',
    'HuberLoss',
    'LabelLoss',
    'LabeledPredictions',
    'MSELoss',
    'PoseCrossEntropyLoss',
    'RELATIONS',
    'WeightedLoss',
    'relation_codes',
    'soft_pose_labels',
]
