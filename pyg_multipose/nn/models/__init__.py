r"""Single-pose models."""

from pyg_multipose.nn.models.equivariant_gnn import EquivariantGNN

__all__ = ['EquivariantGNN']
