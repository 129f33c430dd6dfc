"""How well poses and affinities are predicted, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pyg_multipose.uncertainty import Estimate
from pyg_multipose.uncertainty.bootstrap import mae, spearman

#: Of the interval; 2.5 % lie on either side.
LEVEL = 0.95


@dataclass(frozen=True)
class Predicted:
    r"""What a way predicts with one seed.

    Args:
        affinity: The predictions of the compounds in kT.
        label: What they should be.
        hit: For every compound, whether the pose that is taken for the best
            is the one of lowest planted energy; empty without planted
            energies.
    """

    affinity: np.ndarray
    label: np.ndarray
    hit: np.ndarray


Metric = Callable[[Predicted, np.ndarray], float]


def top_1(one: Predicted, rows: np.ndarray) -> float:
    r"""The share of compounds whose best pose is found.

    Args:
        one: A seed.
        rows: Which compounds.
    """
    return float(one.hit[rows].mean())


def error(one: Predicted, rows: np.ndarray) -> float:
    r"""Mean absolute error in kT."""
    return float(mae(one.affinity[rows], one.label[rows]))


def rank(one: Predicted, rows: np.ndarray) -> float:
    r"""Spearman's rank correlation of the affinities."""
    return float(spearman(one.affinity[rows], one.label[rows]))


def estimate(
    metric: Metric, seeds: Sequence[Predicted], resamples: int
) -> Estimate:
    r"""The mean of a metric over seeds, with its percentile interval.

    Compounds and seeds are drawn with replacement, so the interval is that of
    another test set and of another seed.

    Args:
        metric: The metric.
        seeds: What was predicted, seed by seed, for the same compounds.
        resamples: How often to draw.
    """
    count = len(seeds[0].label)
    rng = np.random.default_rng(0)
    value = np.mean([metric(one, np.arange(count)) for one in seeds])
    if math.isnan(value):
        return Estimate(math.nan, math.nan, math.nan)
    drawn = []
    for _ in range(resamples):
        rows = rng.integers(count, size=count)
        some = rng.integers(len(seeds), size=len(seeds))
        drawn.append(np.mean([metric(seeds[i], rows) for i in some]))
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(drawn, [tail, 100 - tail])
    return Estimate(float(value), float(low), float(high))
