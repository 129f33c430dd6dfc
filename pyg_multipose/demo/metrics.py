r"""Errors and rank correlations with bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    r"""A number with its interval; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if math.isnan(self.value):
            return 'n/a'
        return f'{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]'

    def overlaps(self, other: Estimate) -> bool:
        r"""Whether two intervals have a point in common.

        Args:
            other: The other one.
        """
        return self.low <= other.high and other.low <= self.high


def mae(predicted: np.ndarray, measured: np.ndarray) -> float:
    r"""Mean absolute error."""
    return float(np.abs(predicted - measured).mean())


def rmse(predicted: np.ndarray, measured: np.ndarray) -> float:
    r"""Root mean square error."""
    return float(np.sqrt(np.square(predicted - measured).mean()))


def spearman(predicted: np.ndarray, measured: np.ndarray) -> float:
    r"""Spearman's rank correlation; NaN if one side is constant."""
    if _constant(predicted) or _constant(measured):
        return math.nan
    return float(stats.spearmanr(predicted, measured).statistic)


def kendall(predicted: np.ndarray, measured: np.ndarray) -> float:
    r"""Kendall's tau-b; NaN if one side is constant."""
    if _constant(predicted) or _constant(measured):
        return math.nan
    return float(stats.kendalltau(predicted, measured).statistic)


Metric = Callable[[np.ndarray, np.ndarray], float]
METRICS: dict[str, Metric] = {
    'MAE': mae,
    'RMSE': rmse,
    'Spearman': spearman,
    'Kendall': kendall,
}
LOW_IS_GOOD = ('MAE', 'RMSE')


def resample(count: int, resamples: int, seed: int) -> np.ndarray:
    r"""Compounds drawn with replacement, one row per resample.

    Args:
        count: The number of compounds.
        resamples: The number of rows.
        seed: Seed of a generator of its own.
    """
    generator = np.random.default_rng(seed)
    return generator.integers(count, size=(resamples, count))


def estimate(
    metric: Metric,
    predicted: np.ndarray,
    measured: np.ndarray,
    rows: np.ndarray,
) -> Estimate:
    r"""A metric with its percentile interval.

    Args:
        metric: One of :obj:`METRICS`.
        predicted: Predictions, compound by compound.
        measured: Measured values.
        rows: Output of :func:`resample`.
    """
    value = metric(predicted, measured)
    if math.isnan(value):
        return Estimate(value, value, value)
    values = [metric(predicted[row], measured[row]) for row in rows]
    return Estimate(value, *_interval(values))


def difference(
    metric: Metric,
    predicted: np.ndarray,
    reference: np.ndarray,
    measured: np.ndarray,
    rows: np.ndarray,
) -> Estimate:
    r"""How much a metric differs between two models, paired by resample.

    Args:
        metric: One of :obj:`METRICS`.
        predicted: Predictions of a model.
        reference: Predictions of the model it is compared with.
        measured: Measured values.
        rows: Output of :func:`resample`.
    """
    values = [
        metric(predicted[row], measured[row])
        - metric(reference[row], measured[row])
        for row in [np.arange(len(measured)), *rows]
    ]
    return Estimate(values[0], *_interval(values[1:]))


def conformal_width(
    predicted: np.ndarray, measured: np.ndarray, level: float
) -> float:
    r"""Half the width of a prediction interval (split conformal).

    If other compounds were drawn like these, at least a share of
    :obj:`level` of them would lie within.

    Args:
        predicted: Predictions of compounds that no weight was fitted on.
        measured: Their measured values.
        level: The share, such as 0.9.
    """
    errors = np.sort(np.abs(predicted - measured))
    rank = math.ceil((len(errors) + 1) * level)
    return float(errors[min(rank, len(errors)) - 1])


def _interval(values: list[float]) -> tuple[float, float]:
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return float(low), float(high)


def _constant(values: np.ndarray) -> bool:
    return bool(np.ptp(values) == 0)
