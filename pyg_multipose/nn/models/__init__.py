r"""Single-pose models."""

from pyg_multipose.nn.models.equivariant_gnn import EquivariantGNN
from pyg_multipose.nn.models.schnet import SchNet
from pyg_multipose.nn.sharing.shared_layers import SharedLayers

__all__ = ['EquivariantGNN', 'SchNet', 'SharedLayers']
