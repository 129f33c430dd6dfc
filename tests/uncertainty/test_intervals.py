"""Intervals cover what they promise, and errors say why they cannot."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_multipose.uncertainty import (
    GaussianScaling,
    SplitConformal,
    calibration,
    plot_calibration,
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=30),
    st.integers(1, 99),
)
def test_quantile_is_an_order_statistic(scores, percent):
    n = len(scores)
    # Integers only: k is the least with 100 k >= (n + 1) (100 - percent).
    k = -(-(n + 1) * (100 - percent) // 100)
    conformal = SplitConformal(np.zeros(n), np.array(scores, dtype=float))
    got = conformal.quantile(percent / 100)
    assert got == (sorted(scores)[k - 1] if k <= n else math.inf)
    if k > n:
        with pytest.raises(ValueError, match=f'^{n} held-out labels are too'):
            conformal([0.0], percent / 100)


@pytest.mark.parametrize('alpha', [0.1, 0.3])
@pytest.mark.parametrize('tied', [False, True])
def test_coverage_is_what_theory_says(alpha, tied):
    # Skewed errors of unequal width, and a prediction that is off.
    rng = np.random.default_rng(0)
    n, repeats = 24, 4000
    std = rng.uniform(0.5, 2, (repeats, n + 1))
    y = std * rng.gumbel(0.4, size=std.shape)
    y = np.round(y) if tied else y
    covered = {True: 0, False: 0}
    for with_std in covered:
        for s, row in zip(std, y, strict=True):
            old, new = (s[:n], s[n:]) if with_std else (None, None)
            low, high = SplitConformal(np.zeros(n), row[:n], old)(
                np.zeros(1), alpha, new
            )
            covered[with_std] += int(low[0] <= row[n] <= high[0])
    noise = 4 * math.sqrt(alpha * (1 - alpha) / repeats)
    for with_std, count in covered.items():
        assert count / repeats > 1 - alpha - noise
        if not tied or with_std:
            assert count / repeats < 1 - alpha + 1 / (n + 1) + noise


def test_gaussian_scaling():
    rng = np.random.default_rng(1)
    std = rng.uniform(0.1, 1, 4000)
    y = 3 + 2.5 * std * rng.normal(size=4000)
    scaling = GaussianScaling(np.full(2000, 3.0), y[:2000], std[:2000])
    assert scaling.scale == pytest.approx(2.5, rel=0.05)
    low, high = scaling(np.full(2000, 3.0), 0.2, std[2000:])
    assert np.mean((low <= y[2000:]) & (y[2000:] <= high)) == pytest.approx(
        0.8, abs=0.04
    )
    # The most likely scale: no other has a lower negative log-likelihood.
    ratio = (y[:2000] - 3) / std[:2000]

    def loss(c):
        return 2000 * math.log(c) + np.square(ratio / c).sum() / 2

    assert loss(scaling.scale) < min(
        loss(scaling.scale * f) for f in (0.99, 1.01)
    )
    assert scaling.quantile(0.3) < scaling.quantile(0.01) < math.inf


def test_missing_labels_are_counted():
    measured = torch.tensor([1.0, math.nan, 3.0, math.nan])
    conformal = SplitConformal(torch.zeros(4), measured)
    assert conformal.num_labels == 2 and conformal.num_missing == 2
    assert '2 labels, 2 missing' in repr(conformal)
    assert conformal.quantile(0.5) == 3
    curve = calibration(conformal, torch.zeros(4), measured, levels=[0.3, 0.6])
    assert (curve.num_labels, curve.num_missing) == (2, 2)
    assert curve.observed.tolist() == [0.5, 1.0]
    with pytest.raises(ValueError, match='None of the 2 compounds has a'):
        SplitConformal([0, 0], [math.nan, math.nan])


@pytest.mark.parametrize(
    'args, match',
    [
        (([0.0, 1.0], [1.0]), "'measured' has 1 entries and 'predicted' 2"),
        (([[0.0]], [1.0]), r"'predicted' .*one dimension.*\[1, 1\]"),
        (([math.nan, 0], [1.0, 1]), "'predicted' is nan for 1 .*number 0"),
        (([0.0], [math.inf]), "'measured' is inf"),
        (([0.0, 0], [1.0, 1], [1.0]), "'std' has 1 entries"),
        (([0.0, 0], [1.0, 1], [1.0, 0]), "'std' is 0 for compound 1"),
    ],
)
def test_what_does_not_fit(args, match):
    for kind in (SplitConformal, GaussianScaling):
        with pytest.raises(ValueError, match=match):
            kind(*args)


def test_what_cannot_be_asked():
    plain = SplitConformal([0, 0, 0], [1, 2, 3])
    for alpha in (0, 1, -0.1, 1.5, math.nan):
        with pytest.raises(ValueError, match="'alpha' to be between"):
            plain.quantile(alpha)
    with pytest.raises(ValueError, match='infinite. It takes at least 9 '):
        plain([0.0], 0.1)
    assert len(plain([0.0], 0.25)) == 2
    with pytest.raises(ValueError, match="'std' was not given to fit"):
        plain([0.0], 0.25, [1.0])
    wide = SplitConformal([0, 0, 0], [1, 2, 3], [1, 1, 1])
    with pytest.raises(ValueError, match="'std' was given to fit"):
        wide([0.0], 0.25)
    with pytest.raises(ValueError, match="'std' was given to fit"):
        calibration(wide, [0.0], [1.0])
    with pytest.raises(ValueError, match="'levels' to be rising"):
        calibration(plain, [0.0], [1.0], levels=[0.5, 0.5])


def test_calibration_tells_right_from_wrong():
    rng = np.random.default_rng(2)
    errors = rng.normal(size=(2, 3000))
    zeros = np.zeros(3000)
    right = calibration(SplitConformal(zeros, errors[0]), zeros, errors[1])
    wrong = calibration(SplitConformal(zeros, errors[0] / 2), zeros, errors[1])
    assert right.miscalibration < 0.02 < 0.1 < wrong.miscalibration < 0.5
    assert len(wrong.miscovered) == 19 and len(right.miscovered) < 5
    assert (right.low < right.observed).all()
    assert (right.observed < right.high).all()
    assert 'miscalibration=0.0' in repr(right)
    # All inside, though half should be: one gap of a half, a triangle each.
    sure = calibration(
        SplitConformal([0.0], [1.0]), [0.0], [0.5], levels=[0.5]
    )
    assert sure.observed.tolist() == [1.0] and sure.high.tolist() == [1.0]
    assert sure.miscalibration == pytest.approx(0.25)


def test_chance_alone():
    rng = np.random.default_rng(3)
    many = SplitConformal(np.zeros(20_000), rng.normal(size=20_000))
    found = [
        calibration(many, np.zeros(100), rng.normal(size=100)).miscalibration
        for _ in range(15)
    ]
    assert np.mean(found) == pytest.approx(0.3 / math.sqrt(100), rel=0.35)


def test_figure():
    pytest.importorskip('matplotlib')
    conformal = SplitConformal(np.zeros(50), np.arange(50.0))
    curve = calibration(conformal, np.zeros(50), np.arange(50.0))
    ax = plot_calibration(curve, 'conformal')
    assert ax.lines[0].get_ydata().tolist() == curve.observed.tolist()
    assert ax.lines[0].get_label() == 'conformal'
    assert plot_calibration(curve, ax=ax) is ax and len(ax.lines) == 4
    ax.figure.canvas.draw()
