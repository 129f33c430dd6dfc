"""Errors and rank correlations with bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from pyg_multipose.uncertainty.held_out import vector

#: The confidence of an interval.
LEVEL = 0.95
#: Resamples times compounds, so that a large part takes seconds; but at least
#: so many resamples.
LARGEST, FEWEST = 5_000_000, 100
#: Numbers of one block of resamples.
_BLOCK = 1_000_000
#: Up to so many compounds, pairs are compared for all resamples at once.
_FEW = 200


def mae(predicted: np.ndarray, measured: np.ndarray) -> np.ndarray:
    r"""Mean absolute errors along the last axis.

    Args:
        predicted: Predictions.
        measured: Labels of the same shape.
    """
    return np.abs(predicted - measured).mean(axis=-1)


def rmse(predicted: np.ndarray, measured: np.ndarray) -> np.ndarray:
    r"""Root mean square errors along the last axis.

    Args:
        predicted: Predictions.
        measured: Labels of the same shape.
    """
    return np.sqrt(np.square(predicted - measured).mean(axis=-1))


def spearman(predicted: np.ndarray, measured: np.ndarray) -> np.ndarray:
    r"""Spearman's rank correlations, NaN where one side is constant.

    Args:
        predicted: Predictions.
        measured: Labels of the same shape.
    """
    ranks = [stats.rankdata(one, axis=-1) for one in (predicted, measured)]
    first, second = (
        one - one.mean(axis=-1, keepdims=True) for one in ranks
    )  # fmt: skip
    return _ratio(first * second, first * first, second * second)


def kendall(predicted: np.ndarray, measured: np.ndarray) -> np.ndarray:
    r"""Kendall's :math:`\tau_b`, NaN where one side is constant.

    Args:
        predicted: Predictions.
        measured: Labels of the same shape.
    """
    if predicted.shape[-1] > _FEW:
        sides = np.atleast_2d(predicted), np.atleast_2d(measured)
        rows = zip(*sides, strict=True)
        found = [float(stats.kendalltau(*row).statistic) for row in rows]
        return np.array(found).reshape(predicted.shape[:-1])
    one, other = np.triu_indices(predicted.shape[-1], 1)
    first, second = (
        np.sign(values[..., one] - values[..., other])
        for values in (predicted, measured)
    )
    return _ratio(first * second, first * first, second * second)


Metric = Callable[[np.ndarray, np.ndarray], np.ndarray]
#: What :class:`Bootstrap` estimates.
METRICS: dict[str, Metric] = {
    'MAE': mae,
    'RMSE': rmse,
    'Spearman': spearman,
    'Kendall': kendall,
}
#: Of these, what is good if it is low.
LOW_IS_GOOD = ('MAE', 'RMSE')


@dataclass(frozen=True)
class Estimate:
    r"""A number with its interval; NaN where it is not defined.

    Args:
        value: The number.
        low: The lower end of the interval.
        high: The upper end.

    Example:
        >>> from pyg_multipose.uncertainty import Estimate
        >>> print(Estimate(1.01, 0.84, 1.19), Estimate(*[float('nan')] * 3))
        1.01 [0.84, 1.19] n/a
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if math.isnan(self.value):
            return 'n/a'
        return f'{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]'

    @property
    def signed(self) -> str:
        r"""The text of a difference."""
        if math.isnan(self.value):
            return 'n/a'
        return f'{self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}]'

    def overlaps(self, other: Estimate) -> bool:
        r"""Whether two intervals have a point in common.

        Args:
            other: The other one.
        """
        return self.low <= other.high and other.low <= self.high


class Bootstrap:
    r"""MAE, RMSE, Spearman and Kendall with 95 % intervals over compounds.

    Compounds are drawn with replacement; ends are percentiles of what a
    metric is on these resamples. They are the same for all predictions, so
    that differences are paired.
    What another training would change is not in the intervals.

    Args:
        measured: Labels of the compounds, one dimension.
        resamples: How often they are drawn; fewer of more than 2500
            compounds, see :attr:`resamples`. (default: :obj:`2000`)
        seed: Seed of a generator of its own. (default: :obj:`0`)

    Raises:
        ValueError: If there is no label, or one is not finite.

    Example:
        >>> import numpy as np
        >>> from pyg_multipose.uncertainty import Bootstrap
        >>> measured = np.array([5.0, 5.0, 6.0, 8.0])
        >>> bootstrap = Bootstrap(measured, resamples=100)
        >>> found = bootstrap(np.array([5.0, 6.0, 5.5, 7.0]))
        >>> list(found), found['MAE'].value
        (['MAE', 'RMSE', 'Spearman', 'Kendall'], 0.625)
        >>> found = bootstrap.difference(measured + 0.5, measured)
        >>> found['MAE'].signed
        '+0.50 [+0.50, +0.50]'
    """

    def __init__(
        self, measured: Any, resamples: int = 2000, seed: int = 0
    ) -> None:
        self.measured = vector('measured', measured)
        if not self.measured.size:
            raise ValueError('There is no label to compare with')
        most = max(FEWEST, LARGEST // self.measured.size)
        #: How often compounds are drawn.
        self.resamples = min(resamples, most)
        self.seed = seed

    def __call__(self, predicted: Any) -> dict[str, Estimate]:
        r"""The metrics by name.

        Args:
            predicted: Predictions, compound by compound.
        """
        values = self._checked(predicted)
        return self._estimates(lambda metric, rows: metric(
            values[rows], self.measured[rows]
        ))  # fmt: skip

    def difference(
        self, predicted: Any, reference: Any
    ) -> dict[str, Estimate]:
        r"""How much the metrics differ between two models.

        Args:
            predicted: Predictions of a model.
            reference: Those of the one that it is compared with.
        """
        one, other = self._checked(predicted), self._checked(reference)
        return self._estimates(lambda metric, rows: (
            metric(one[rows], self.measured[rows])
            - metric(other[rows], self.measured[rows])
        ))  # fmt: skip

    def _checked(self, predicted: Any) -> np.ndarray:
        values = vector('predicted', predicted)
        if values.shape != self.measured.shape:
            raise ValueError(
                f"'predicted' has {values.size} entries, expected one for "
                f'each of {self.measured.size} labels'
            )
        return values

    def _blocks(self) -> Iterator[np.ndarray]:
        generator = np.random.default_rng(self.seed)
        count = self.measured.size
        pairs = count * count // 2 if count <= _FEW else count
        step = max(1, _BLOCK // max(pairs, 1))
        for start in range(0, self.resamples, step):
            number = min(step, self.resamples - start)
            yield generator.integers(count, size=(number, count))

    def _estimates(
        self, compute: Callable[[Metric, np.ndarray], np.ndarray]
    ) -> dict[str, Estimate]:
        everything = np.arange(self.measured.size)
        value = {
            name: float(compute(metric, everything))
            for name, metric in METRICS.items()
        }
        defined = [name for name in METRICS if not math.isnan(value[name])]
        drawn: dict[str, list[np.ndarray]] = {name: [] for name in defined}
        for rows in self._blocks():
            for name in defined:
                drawn[name].append(compute(METRICS[name], rows))
        tail = 100 * (1 - LEVEL) / 2
        nan = float('nan')
        out = dict.fromkeys(METRICS, Estimate(nan, nan, nan))
        for name in defined:
            ends = np.nanpercentile(
                np.concatenate(drawn[name]), [tail, 100 - tail]
            )
            out[name] = Estimate(value[name], *map(float, ends))
        return out


def _ratio(
    both: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """A correlation from the terms of its sums."""
    scale = first.sum(axis=-1) * second.sum(axis=-1)
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.where(scale > 0, both.sum(axis=-1) / np.sqrt(scale), np.nan)
