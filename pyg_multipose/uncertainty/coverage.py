"""Whether intervals cover what they promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest

from pyg_multipose.uncertainty.held_out import HeldOut
from pyg_multipose.uncertainty.intervals import Intervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Nominal coverages that are looked at.
LEVELS = tuple(round(0.05 * k, 2) for k in range(1, 20))
#: The confidence of the interval of an observed coverage.
CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False)
class Calibration:
    r"""Nominal against observed coverage, on compounds of a third part.

    Args:
        levels: Nominal coverages :math:`1 - \alpha`.
        observed: The share of labels within the intervals.
        low: The lower ends of its binomial interval (95 %, Clopper and
            Pearson),
        high: and the upper ends.
        num_labels: The number of labels.
        num_missing: How many compounds were left out, since they have no
            label.

    Example:
        >>> import numpy as np
        >>> from pyg_multipose.uncertainty import SplitConformal, calibration
        >>> errors = np.random.default_rng(0).normal(size=(2, 500))
        >>> intervals = SplitConformal(np.zeros(500), errors[0])
        >>> found = calibration(intervals, np.zeros(500), errors[1])
        >>> found.levels[:2], found.num_missing
        (array([0.05, 0.1 ]), 0)
    """

    levels: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    num_labels: int
    num_missing: int

    @property
    def miscalibration(self) -> float:
        r"""The area between observed and nominal coverage.

        .. math::
            \int_0^1 | \mathrm{observed}(p) - p | \, \mathrm{d}p

        by the trapezoidal rule over the levels, with 0 at both ends. 0 is
        best, 0.5 the worst. Where all is right, chance alone leaves about
        :math:`0.3 / \sqrt{n}` with :math:`n` labels.
        """
        gaps = np.abs(self.observed - self.levels)
        gaps = np.concatenate([[0.0], gaps, [0.0]])
        levels = np.concatenate([[0.0], self.levels, [1.0]])
        return float((np.diff(levels) * (gaps[1:] + gaps[:-1]) / 2).sum())

    @property
    def miscovered(self) -> np.ndarray:
        r"""The levels whose binomial interval does not hold them."""
        return self.levels[
            (self.levels < self.low) | (self.levels > self.high)
        ]

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_labels} labels, '
            f'{self.num_missing} missing, miscalibration='
            f'{self.miscalibration:.3f})'
        )


def calibration(
    intervals: Intervals,
    predicted: Any,
    measured: Any,
    std: Any = None,
    levels: Sequence[float] = LEVELS,
) -> Calibration:
    r"""Observed coverage at several nominal ones.

    Levels that the intervals have too few labels for have infinite
    intervals, which cover everything.

    Args:
        intervals: Intervals, fitted on other compounds.
        predicted: Predictions.
        measured: Labels; NaN where there is none.
        std: Predicted standard deviations, if the intervals were fitted with
            some. (default: :obj:`None`)
        levels: Nominal coverages, rising. (default: 0.05 to 0.95)

    Raises:
        ValueError: If an argument does not fit.

    Example:
        >>> from pyg_multipose.uncertainty import calibration
        >>> import numpy as np
        >>> from pyg_multipose.uncertainty import SplitConformal
        >>> rng = np.random.default_rng(0)
        >>> errors = rng.normal(size=(2, 500))
        >>> intervals = SplitConformal(np.zeros(500), errors[0])
        >>> found = calibration(intervals, np.zeros(500), errors[1])
        >>> found.num_labels, found.miscalibration < 0.05
        (500, True)
    """
    rising = np.asarray(levels, dtype=np.float64)
    if rising.ndim != 1 or not rising.size or (np.diff(rising) <= 0).any():
        raise ValueError(
            f"Expected 'levels' to be rising numbers between 0 and 1 (got "
            f'{levels})'
        )
    if (std is not None) != intervals.has_std:
        raise ValueError(
            f"'std' was {'' if intervals.has_std else 'not '}given to fit the "
            f'intervals; give it in both places or in none'
        )
    held_out = HeldOut.of(predicted, measured, std)
    scores, count = held_out.scores, held_out.scores.size
    within = [
        int((scores <= intervals.quantile(round(1 - level, 12))).sum())
        for level in rising.tolist()
    ]
    ends = [
        binomtest(k, count).proportion_ci(CONFIDENCE, 'exact') for k in within
    ]
    return Calibration(
        rising,
        np.array(within) / count,
        np.array([end.low for end in ends]),
        np.array([end.high for end in ends]),
        count,
        held_out.num_missing,
    )


def plot_calibration(
    of: Calibration, label: str = '', ax: Axes | None = None
) -> Axes:
    r"""Draws observed against nominal coverage, with binomial intervals.

    Args:
        of: The calibration.
        label: What it is of, for a legend. (default: :obj:`""`)
        ax: Where to draw, on what is there already.
            (default: :obj:`None`, a new figure)

    Returns:
        Where it was drawn; its figure is :obj:`ax.figure`.

    Raises:
        ImportError: If matplotlib is not installed.

    Example:
        >>> import numpy as np
        >>> from pyg_multipose.uncertainty import (
        ...     SplitConformal,
        ...     calibration,
        ...     plot_calibration,
        ... )
        >>> errors = np.random.default_rng(0).normal(size=(2, 500))
        >>> intervals = SplitConformal(np.zeros(500), errors[0])
        >>> found = calibration(intervals, np.zeros(500), errors[1])
        >>> len(plot_calibration(found, 'conformal').lines) > 0
        True
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "Pictures need matplotlib: pip install 'pyg_multipose[viz]'"
        ) from error
    if ax is None:
        ax = Figure(figsize=(3.6, 3.6), layout='constrained').subplots()
    (line,) = ax.plot(
        of.levels, of.observed, 'o-', ms=3, lw=1, label=label or None
    )
    ax.fill_between(
        of.levels, of.low, of.high, color=line.get_color(), alpha=0.2, lw=0
    )
    ax.plot([0, 1], [0, 1], color='#999999', lw=0.8, zorder=0)
    ax.set(
        xlabel='nominal coverage',
        ylabel='observed coverage',
        xlim=(0, 1),
        ylim=(0, 1),
        aspect='equal',
    )
    ax.spines[['top', 'right']].set_visible(False)
    return ax
