r"""The pictures of the demo."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from pyg_multipose.demo.compounds import Compounds
from pyg_multipose.demo.metrics import conformal
from pyg_multipose.demo.table import Row
from pyg_multipose.demo.training import Result

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402

#: One color for each trained model, in the order of ``MODELS``.
COLORS = ('#7f7f7f', '#1f77b4', '#d62728', '#2ca02c')
BASELINE = '#b8860b'
STYLE = {
    'font.size': 9,
    'axes.titlesize': 9,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'legend.frameon': False,
    'savefig.dpi': 150,
    'figure.constrained_layout.use': True,
}


def predicted_and_measured(
    path: Path,
    rows: Sequence[Row],
    predictions: dict[str, dict[str, np.ndarray]],
    valid: Compounds,
    test: Compounds,
    colors: Sequence[str],
) -> None:
    r"""Predictions of the test compounds, with two kinds of intervals.

    The title has the error with its bootstrap interval; the band around the
    diagonal is the 90 % prediction interval of a single compound, as wide as
    the errors on valid (split conformal).
    """
