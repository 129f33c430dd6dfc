"""What noise does to combinations, as docs/combinations.md has it."""

import math

import pytest
import torch

from pyg_multipose.nn.combination import (
    BoltzmannMeanCombination,
    FreeEnergyCombination,
    HardMaxCombination,
    LogMeanExpCombination,
    MaxCombination,
    MeanCombination,
)

NOISE = 0.8


def _shift(combination, count, sets):
    """The mean combined prediction, and how well it is known."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(sets, count, generator=generator, dtype=torch.float64)
    index = torch.arange(sets).repeat_interleave(count)
    y = combination(NOISE * x.flatten(), index, dim_size=sets, dim=0)
    return y.mean().item(), 4 * y.std().item() / math.sqrt(sets)


@pytest.mark.parametrize('n', [-1, 1])
def test_many_poses(n):
    negate, count = n < 0, 20_000
    expected = {
        MeanCombination(): 0.0,
        LogMeanExpCombination(2.0, negate): n * NOISE**2,
        BoltzmannMeanCombination(1.5, negate): n * 1.5 * NOISE**2,
        MaxCombination(1.0, negate): n * (math.log(count) + NOISE**2 / 2),
    }
    if negate:
        shift = -math.log(count) - NOISE**2 / 2
        expected[FreeEnergyCombination()] = shift
    for combination, shift in expected.items():
        got, error = _shift(combination, count, 20)
        assert abs(got - shift) <= error + 0.01, combination


@pytest.mark.parametrize('count', [2, 9])
def test_few_poses_and_a_small_scale(count):
    t, sets = 0.2, 20_000
    share = 1 - 1 / count
    for combination, limit in (
        (LogMeanExpCombination(t), -t * NOISE**2 / 2),
        (BoltzmannMeanCombination(t), -t * NOISE**2),
    ):
        # The mean of the noise, which is known, tells nothing.
        got, _ = _shift(combination, count, sets)
        got -= _shift(MeanCombination(), count, sets)[0]
        assert got == pytest.approx(limit * share, rel=0.06)


@pytest.mark.parametrize(('count', 'most'), [(2, 0.5642), (9, 1.4850)])
def test_best_of_few(count, most):
    got, error = _shift(HardMaxCombination(), count, 20_000)
    assert abs(got + NOISE * most) <= error
    assert most <= math.sqrt(2 * math.log(count))
    # Nothing is shifted by more.
    for combination in (LogMeanExpCombination(3.0), MeanCombination()):
        assert _shift(combination, count, 20_000)[0] >= got
