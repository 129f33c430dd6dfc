import math

import numpy as np
import pytest

from pyg_multipose.demo.metrics import (
    METRICS,
    Estimate,
    conformal_width,
    difference,
    estimate,
    kendall,
    mae,
    resample,
    rmse,
    spearman,
)

PREDICTED = np.array([5.0, 6.0, 5.5, 7.0])
MEASURED = np.array([5.0, 5.0, 6.0, 8.0])


def test_by_hand():
    assert mae(PREDICTED, MEASURED) == pytest.approx((0 + 1 + 0.5 + 1) / 4)
    assert rmse(PREDICTED, MEASURED) == pytest.approx(math.sqrt(2.25 / 4))
    # Five pairs count (two measured values are equal), one is discordant.
    assert kendall(PREDICTED, MEASURED) == pytest.approx(3 / math.sqrt(6 * 5))
    # Pearson's correlation of the ranks (1, 3, 2, 4), (1.5, 1.5, 3, 4).
    ranks = np.array([1, 3, 2, 4]), np.array([1.5, 1.5, 3, 4])
    expected = np.corrcoef(*ranks)[0, 1]
    assert spearman(PREDICTED, MEASURED) == pytest.approx(expected)


def test_a_constant_has_no_rank_correlation():
    constant = np.full(4, 5.3)
    rows = resample(4, 20, seed=0)
    for name in ('Spearman', 'Kendall'):
        result = estimate(METRICS[name], constant, MEASURED, rows)
        assert str(result) == 'n/a'
    result = estimate(mae, constant, MEASURED, rows)
    assert result.value == pytest.approx(mae(constant, MEASURED))


def test_the_bootstrap_is_determined_by_its_seed():
    rows = resample(10, 50, seed=1)
    assert rows.shape == (50, 10)
    assert rows.min() == 0 and rows.max() == 9
    assert np.array_equal(rows, resample(10, 50, seed=1))
    assert not np.array_equal(rows, resample(10, 50, seed=2))
    state = np.random.get_state()[1].copy()
    resample(10, 50, seed=1)
    assert np.array_equal(state, np.random.get_state()[1])


def test_an_interval_is_made_of_quantiles():
    generator = np.random.default_rng(0)
    measured = generator.normal(size=200)
    predicted = measured + generator.normal(size=200)
    rows = resample(200, 400, seed=0)
    result = estimate(rmse, predicted, measured, rows)
    values = [rmse(predicted[row], measured[row]) for row in rows]
    share = np.mean([result.low <= value <= result.high for value in values])
    assert share == pytest.approx(0.95, abs=0.01)
    # The standard error of a root mean square of normal numbers.
    error = result.value / math.sqrt(2 * 200)
    assert result.high - result.low == pytest.approx(4 * error, rel=0.25)


def test_differences_are_paired():
    rows = resample(4, 100, seed=0)
    shifted = MEASURED + 0.5
    result = difference(mae, shifted, MEASURED, MEASURED, rows)
    assert result == Estimate(0.5, 0.5, 0.5)
    same = difference(mae, PREDICTED, PREDICTED, MEASURED, rows)
    assert same == Estimate(0.0, 0.0, 0.0)


def test_intervals_overlap():
    assert Estimate(1, 0, 2).overlaps(Estimate(3, 2, 4))
    assert not Estimate(1, 0, 2).overlaps(Estimate(3, 2.1, 4))
    assert not Estimate(3, 2.1, 4).overlaps(Estimate(1, 0, 2))


def test_conformal_width_is_a_rank_of_the_errors():
    measured = np.arange(1.0, 11.0)
    assert conformal_width(np.zeros(10), measured, level=0.5) == 6
    assert conformal_width(np.zeros(10), measured, level=0.9) == 10
