r"""Datasets whose items are pose sets."""

from pyg_multipose.datasets.mpro_moonshot import MproMoonshot

__all__ = classes = ['MproMoonshot']
