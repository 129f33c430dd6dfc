import math

import numpy as np
import pytest
from scipy import stats

from pyg_multipose.uncertainty import Bootstrap, Estimate
from pyg_multipose.uncertainty.bootstrap import (
    METRICS,
    kendall,
    mae,
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


@pytest.mark.parametrize('count', [7, 30, 101])
def test_all_resamples_at_once_are_those_one_by_one(count):
    """With ties; beyond 100 compounds SciPy compares pairs."""
    rng = np.random.default_rng(0)
    measured = rng.normal(size=(3, count)).round(1)
    predicted = (measured + rng.normal(size=(3, count))).round(1)
    reference = {
        'Spearman': lambda p, y: stats.spearmanr(p, y).statistic,
        'Kendall': lambda p, y: stats.kendalltau(p, y).statistic,
    }
    for name, one in reference.items():
        expected = [one(*row) for row in zip(predicted, measured, strict=True)]
        found = METRICS[name](predicted, measured)
        assert found == pytest.approx(expected, abs=1e-12), name


def test_they_are_those_of_a_training():
    train = pytest.importorskip('pyg_multipose.train')
    torch = pytest.importorskip('torch')
    pytest.importorskip('torchmetrics')
    metrics = train.AffinityMetrics()
    metrics.update(torch.tensor(PREDICTED), torch.tensor(MEASURED))
    logged = metrics.compute()
    for name, metric in METRICS.items():
        value = float(metric(PREDICTED, MEASURED))
        assert float(logged[name.lower()]) == pytest.approx(value), name


def test_a_constant_has_no_rank_correlation():
    found = Bootstrap(MEASURED, 20)(np.full(4, 5.3))
    assert str(found['Spearman']) == found['Kendall'].signed == 'n/a'
    assert found['MAE'].value == pytest.approx(mae(np.full(4, 5.3), MEASURED))


def test_it_is_determined_by_its_seed():
    rng = np.random.default_rng(1)
    measured = rng.normal(size=10)
    predicted = measured + rng.normal(size=10)
    state = np.random.get_state()[1].copy()
    first = Bootstrap(measured, 50, seed=1)(predicted)
    assert first == Bootstrap(measured, 50, seed=1)(predicted)
    assert first != Bootstrap(measured, 50, seed=2)(predicted)
    assert np.array_equal(state, np.random.get_state()[1])


def test_an_interval_is_made_of_quantiles():
    rng = np.random.default_rng(0)
    measured = rng.normal(size=100)
    predicted = measured + rng.normal(size=100)
    found = Bootstrap(measured, 400)(predicted)['RMSE']
    rows = np.random.default_rng(0).integers(100, size=(400, 100))
    values = rmse(predicted[rows], measured[rows])
    inside = (found.low <= values) & (values <= found.high)
    assert inside.mean() == pytest.approx(0.95, abs=0.01)
    # The standard error of a root mean square of normal numbers.
    error = found.value / math.sqrt(2 * 100)
    assert found.high - found.low == pytest.approx(4 * error, rel=0.25)


def test_differences_are_paired():
    bootstrap = Bootstrap(MEASURED, 100)
    found = bootstrap.difference(MEASURED + 0.5, MEASURED)['MAE']
    assert found == Estimate(0.5, 0.5, 0.5)
    same = bootstrap.difference(PREDICTED, PREDICTED)['MAE']
    assert same == Estimate(0.0, 0.0, 0.0)


def test_intervals_overlap():
    assert Estimate(1, 0, 2).overlaps(Estimate(3, 2, 4))
    assert not Estimate(1, 0, 2).overlaps(Estimate(3, 2.1, 4))
    assert not Estimate(3, 2.1, 4).overlaps(Estimate(1, 0, 2))


def test_large_parts_are_drawn_less_often():
    assert Bootstrap(np.zeros(100)).resamples == 2000
    assert Bootstrap(np.zeros(10_000)).resamples == 500
    assert Bootstrap(np.zeros(1_000_000)).resamples == 100


@pytest.mark.parametrize(
    'measured, predicted, text',
    [
        ([], [], 'no label'),
        ([1.0, math.nan], [1.0, 2.0], "'measured' is nan"),
        ([1.0, 2.0], [1.0], 'has 1 entries, expected one for each of 2'),
        ([1.0, 2.0], [1.0, math.inf], "'predicted' is inf"),
    ],
)
def test_bad_input(measured, predicted, text):
    with pytest.raises(ValueError, match=text):
        Bootstrap(measured)(predicted)
