r"""Contracts for others' combinations, single-pose models and readers."""

from pyg_multipose.testing.combination import CombinationContract
from pyg_multipose.testing.example_sets import example_sets
from pyg_multipose.testing.model import ModelContract
from pyg_multipose.testing.reader import ReaderContract

__all__ = [
    'CombinationContract',
    'ModelContract',
    'ReaderContract',
    'example_sets',
]
