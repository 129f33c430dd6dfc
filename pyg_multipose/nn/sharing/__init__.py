r"""Receptors that are computed once for all poses."""

from pyg_multipose.nn.sharing.shared_model import SharedModel

__all__ = ['SharedModel']
