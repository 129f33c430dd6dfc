r"""Receptors that are computed once for all poses."""

from pyg_multipose.nn.sharing.shared_layers import SharedLayers
from pyg_multipose.nn.sharing.shared_model import SharedModel
from pyg_multipose.nn.sharing.shared_receptor import SharedReceptor

__all__ = ['SharedLayers', 'SharedModel', 'SharedReceptor']
