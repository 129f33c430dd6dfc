import math

import pytest
import torch
from scipy import stats

from pyg_multipose.train import AffinityMetrics


def computed(pred, y, relation=None, parts=1):
    metrics = AffinityMetrics()
    relation = torch.zeros(len(y)) if relation is None else relation
    for rows in torch.arange(len(y)).tensor_split(parts):
        metrics.update(pred[rows], y[rows], relation[rows])
    return {name: float(one) for name, one in metrics.compute().items()}


@pytest.mark.parametrize('ties', [False, True])
def test_as_scipy(ties):
    generator = torch.Generator().manual_seed(1)
    y = torch.randn(30, generator=generator)
    pred = y + torch.randn(30, generator=generator)
    if ties:
        y, pred = y.round(), pred.round()
    got = computed(pred, y, parts=4)
    error = pred - y
    assert got['mae'] == pytest.approx(float(error.abs().mean()), rel=1e-5)
    assert got['rmse'] == pytest.approx(
        float(error.square().mean().sqrt()), rel=1e-5
    )
    rank = stats.spearmanr(pred, y).statistic
    assert got['spearman'] == pytest.approx(rank, abs=1e-6)
    tau = stats.kendalltau(pred, y).statistic
    assert got['kendall'] == pytest.approx(tau, abs=1e-6)
    rest = error.square().sum() / (y - y.mean()).square().sum()
    assert got['r2'] == pytest.approx(float(1 - rest), abs=1e-5)


def test_missing_labels_and_bounds_are_left_out():
    pred = torch.tensor([1.0, 2.0, 3.0, 50.0, 60.0])
    y = torch.tensor([1.5, 2.5, 2.0, math.nan, 0.0])
    relation = torch.tensor([0, 0, 0, 0, 1])
    assert computed(pred, y, relation) == computed(pred[:3], y[:3])


def test_what_is_not_defined_is_nan():
    nothing = computed(torch.ones(2), torch.full((2,), math.nan))
    assert all(math.isnan(value) for value in nothing.values())
    one = computed(torch.ones(1), torch.zeros(1))
    assert one['mae'] == one['rmse'] == 1.0
    assert math.isnan(one['r2']) and math.isnan(one['spearman'])
    flat = computed(torch.ones(3), torch.tensor([1.0, 2.0, 3.0]))
    assert math.isnan(flat['spearman']) and math.isnan(flat['kendall'])
    assert flat['r2'] == pytest.approx(-1.5)
    alike = computed(torch.tensor([1.0, 2.0]), torch.ones(2))
    assert math.isnan(alike['r2']) and alike['mae'] == 0.5


def test_shapes_are_compared():
    with pytest.raises(ValueError, match='one prediction of a set'):
        AffinityMetrics().update(torch.ones(3, 1), torch.ones(3))
