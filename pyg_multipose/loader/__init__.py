r"""Batches of pose sets within a budget."""

from pyg_multipose.loader.dealing import DealtSets
from pyg_multipose.loader.pose_set_sampler import PoseSetSampler
from pyg_multipose.loader.sizes import set_costs, set_sizes

__all__ = ['DealtSets', 'PoseSetSampler', 'set_costs', 'set_sizes']
