"""Tables of scores."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch_geometric.loader import DataLoader

from pyg_multipose.train import (
    AffinityMetrics,
    ConformalInterval,
    MultiPoseModule,
    Scores,
)

from .conftest import TINY


@pytest.fixture
def module():
    torch.manual_seed(0)
    return MultiPoseModule(TINY, 'mean', affinity='PIC50').eval()


def test_targets_are_scored_by_themselves(connected, module):
    sets = [one.clone() for one in connected[:12]]
    for number, one in enumerate(sets):
        # One receptor has one content, whatever the names of its targets.
        one.receptor_name = 'ab'[number % 2]
    scores = Scores.of(module, DataLoader(sets, 5), 200, progress=False)
    rows = {(row['target'], row['metric']): row for row in scores.rows}
    with torch.no_grad():
        pred = torch.cat([module(one) for one in sets]).double().numpy()
    y = torch.cat([one.y for one in sets]).double().numpy()
    for target, of_it in (
        ('all', slice(None)),
        ('a', slice(0, None, 2)),
        ('b', slice(1, None, 2)),
    ):
        expected = {
            'mae': np.abs(pred[of_it] - y[of_it]).mean(),
            'rmse': np.sqrt(np.square(pred[of_it] - y[of_it]).mean()),
            'spearman': stats.spearmanr(pred[of_it], y[of_it]).statistic,
            'kendall': stats.kendalltau(pred[of_it], y[of_it]).statistic,
        }
        for name, value in expected.items():
            row = rows[target, name]
            assert row['value'] == pytest.approx(value, abs=1e-4)
            assert row['low'] <= row['value'] <= row['high']
            assert row['sets'] == len(y[of_it])
        assert rows[target, 'r2']['low'] is None
    assert 'all     mae' in str(scores)
    # As it is logged: the mean over targets.
    metrics = AffinityMetrics()
    names = [one.receptor_name for one in sets]
    metrics.update(torch.tensor(pred), torch.tensor(y), targets=names)
    mean = (rows['a', 'mae']['value'] + rows['b', 'mae']['value']) / 2
    assert metrics.compute()['target_mae'] == pytest.approx(mean, abs=1e-6)


def test_long_names_of_targets_are_told_apart():
    metrics = AffinityMetrics()
    names = ['x' * 100 + 'a', 'x' * 100 + 'b', 'é', '']
    metrics.update(torch.zeros(4), torch.arange(4.0), targets=names)
    found = metrics.by_target()
    assert len(found) == 4 and found['é']['mae'] == 2
    assert metrics.predictions(names[1])[1].tolist() == [1.0]


def test_labels_within_the_interval_are_counted(connected, module):
    module.calibration = ConformalInterval(0.9, 1e9, 20)
    rows = Scores.of(module, connected[:6], progress=False).rows
    (row,) = [row for row in rows if row['metric'] == 'coverage']
    assert row['value'] == 1 and row['low'] < 1 == row['high']


def test_sets_without_a_label(connected, module):
    sets = [one.clone() for one in connected[:2]]
    for one in sets:
        one.y = torch.tensor([math.nan])
    with pytest.raises(ValueError, match='No set has an exact label'):
        Scores.of(module, sets, progress=False)
