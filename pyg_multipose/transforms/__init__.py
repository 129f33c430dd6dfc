r"""Transforms of graphs and pose sets."""

from pyg_multipose.transforms.radius_graph import RadiusGraph

__all__ = ['RadiusGraph']
