r"""What the prediction of a single pose is made of."""

from pyg_multipose.nn.strategy.complex_only import ComplexOnlyStrategy
from pyg_multipose.nn.strategy.concat import ConcatStrategy
from pyg_multipose.nn.strategy.delta import DeltaStrategy
from pyg_multipose.nn.strategy.strategy import Strategy

__all__ = [
    'ComplexOnlyStrategy',
    'ConcatStrategy',
    'DeltaStrategy',
    'Strategy',
]
