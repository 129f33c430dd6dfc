r"""Single-pose models."""

from pyg_multipose.nn.models.equivariant_gnn import EquivariantGNN
from pyg_multipose.nn.models.schnet import SchNet

__all__ = ['EquivariantGNN', 'SchNet']
