import math

import numpy as np
import pytest
import torch

from pyg_multipose.demo.compounds import load
from pyg_multipose.demo.settings import Settings
from pyg_multipose.demo.training import MODELS, build, fit, pic50, predict

SETTINGS = Settings(epochs=2, max_sets=3, hidden_irreps='2x0e+1x1o')


def test_the_unit_is_changed_after_combining():
    assert pic50(torch.tensor([-6 * math.log(10)])) == pytest.approx(6)


def test_models_start_alike_near_the_mean_label():
    part = load('train', SETTINGS)
    readouts = [build(model, SETTINGS, part.sets) for model in MODELS]
    first = readouts[0].state_dict()
    for readout in readouts:
        for key, value in readout.state_dict().items():
            assert key.endswith('.mean') or torch.equal(value, first[key])
        # The network adds about one standard deviation.
        start = predict(readout, part.sets)
        assert start.mean() == pytest.approx(part.pic50.mean(), abs=1.0)


def test_fit_repeats_and_leaves_the_generator_alone():
    rng = torch.get_rng_state()
    errors = []
    first, again = (
        fit(MODELS[-1], SETTINGS, lambda *pair: errors.append(pair))
        for _ in range(2)
    )
    assert torch.equal(rng, torch.get_rng_state())
    assert first.train_curve == again.train_curve
    curves = zip(first.train_curve, first.valid_curve, strict=True)
    assert errors[:2] == list(curves)
    for split, predicted in first.predictions.items():
        assert np.array_equal(predicted, again.predictions[split])
    # The last weights are kept.
    measured = load('valid', SETTINGS).pic50
    error = np.abs(first.predictions['valid'] - measured).mean()
    assert error == pytest.approx(first.valid_curve[-1])


def test_poses_of_test_compounds():
    test = load('test', SETTINGS)
    single, mean, maximum, free = (
        fit(model, SETTINGS, lambda *_: None) for model in MODELS
    )
    assert all(len(p) == 1 for p in single.pose_predictions)
    for k, pose_set in enumerate(test.sets):
        for result in (mean, maximum, free):
            assert len(result.pose_weights[k]) == pose_set.num_poses
            assert result.pose_weights[k].sum() == pytest.approx(1, abs=1e-5)
        poses, combined = mean.pose_predictions, mean.predictions
        assert poses[k].mean() == pytest.approx(combined['test'][k], abs=1e-4)
        # The smooth minimum of energies is the best pIC50.
        poses, combined = maximum.pose_predictions, maximum.predictions
        assert poses[k].max() == pytest.approx(combined['test'][k], abs=2e-3)
        poses = free.pose_predictions[k].astype(float)
        total = np.log10(np.sum(10**poses))
        assert total == pytest.approx(free.predictions['test'][k], abs=1e-4)
