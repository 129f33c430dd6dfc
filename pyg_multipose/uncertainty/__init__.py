r"""How sure a prediction is: members, intervals, and whether they hold."""

from pyg_multipose.uncertainty.bootstrap import Bootstrap, Estimate
from pyg_multipose.uncertainty.coverage import (
    Calibration,
    calibration,
    plot_calibration,
)
from pyg_multipose.uncertainty.intervals import (
    GaussianScaling,
    Intervals,
    SplitConformal,
)
from pyg_multipose.uncertainty.members import DeepEnsemble, MCDropout, Members
from pyg_multipose.uncertainty.variance import Uncertainty, spread

__all__ = [
    'Bootstrap',
    'Calibration',
    'DeepEnsemble',
    'Estimate',
    'GaussianScaling',
    'Intervals',
    'MCDropout',
    'Members',
    'SplitConformal',
    'Uncertainty',
    'calibration',
    'plot_calibration',
    'spread',
]
