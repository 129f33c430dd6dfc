"""Where :class:`SharedLayers` was before it moved; old imports work."""

from pyg_multipose.nn.sharing.shared_layers import SharedLayers

__all__ = ['SharedLayers']
