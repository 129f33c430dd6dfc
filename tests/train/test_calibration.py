"""Intervals of predictions."""

import math

import pytest
import torch

from pyg_multipose.train import ConformalInterval, MultiPoseModule, calibrate
from pyg_multipose.uncertainty import SplitConformal

from .conftest import TINY


def test_the_interval_is_that_of_split_conformal():
    torch.manual_seed(0)
    predicted, measured = torch.randn(2, 40)
    measured[3] = math.nan
    found = ConformalInterval.of(predicted, measured, 0.8)
    conformal = SplitConformal(predicted, measured)
    assert found.half_width == conformal.quantile(0.2)
    low, high = found.interval(predicted)
    known = ~measured.isnan()
    within = (low <= measured) & (measured <= high)
    assert within[known].float().mean() >= 0.8
    assert ConformalInterval.from_dict(found.to_dict()) == found


def test_too_few_labels_give_no_interval():
    assert ConformalInterval.of(torch.zeros(8), torch.ones(8)) is None
    assert ConformalInterval.of(torch.zeros(9), torch.ones(9)) is not None
    assert ConformalInterval.of(torch.zeros(1), torch.tensor([math.nan])) is (
        None
    )


def test_bounds_and_missing_labels_do_not_count(connected):
    module = MultiPoseModule(TINY, 'mean', affinity='PIC50')
    module.train()
    sets = [one.clone() for one in connected[:14]]
    sets[0].y = torch.tensor([math.nan])
    for number, one in enumerate(sets):
        one.put('y_relation', torch.tensor([int(number == 1)]), 'set')
    found = calibrate(module, sets)
    assert found.num_labels == 12 and module.training
    with pytest.warns(UserWarning, match='3 exact labels are too few'):
        assert calibrate(module, sets[:5]) is None
    assert module.calibration is None


def test_a_checkpoint_holds_it(connected, trainer, tmp_path):
    module = MultiPoseModule(TINY, 'mean', affinity='PIC50')
    calibrate(module, connected[:10])
    maker = trainer()
    maker.strategy.connect(module)
    maker.save_checkpoint(tmp_path / 'a.ckpt')
    again = MultiPoseModule.load_from_checkpoint(tmp_path / 'a.ckpt')
    assert again.calibration == module.calibration
