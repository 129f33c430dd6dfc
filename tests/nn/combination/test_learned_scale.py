"""A sharpness that is learned, or follows a schedule."""

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from pyg_multipose.nn.combination import (
    BoltzmannMeanCombination,
    BoltzmannMeanCombinationFunction,
    FreeEnergyCombination,
    LogMeanExpCombination,
    MaxCombination,
    MaxCombinationFunction,
    functional,
)

LEARNED = [
    MaxCombination,
    FreeEnergyCombination,
    LogMeanExpCombination,
    BoltzmannMeanCombination,
]
INDEX = torch.tensor([2, 0, 1, 0, 2, 0])


def _functions(negate, prior):
    for normalize in (False, True):
        yield (
            lambda x, t, p=None, normalize=normalize: (
                MaxCombinationFunction.apply(
                    x, INDEX, None, 3, t, negate, normalize, p
                )
            )
        )
    yield lambda x, t, p=None: BoltzmannMeanCombinationFunction.apply(
        x, INDEX, 3, t, negate, p
    )


@pytest.mark.parametrize('negate', [True, False])
@pytest.mark.parametrize('prior', [True, False])
def test_all_derivatives(negate, prior):
    x = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    t = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
    p = torch.randn(6, dtype=torch.float64, requires_grad=True)
    inputs = (x, t, p) if prior else (x, t)
    for function in _functions(negate, prior):
        assert gradcheck(function, inputs)
        assert gradgradcheck(function, inputs)


@pytest.mark.parametrize('negate', [True, False])
def test_analytic_is_autograd_of_the_reference(negate):
    x = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    t = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    p = torch.randn(6, dtype=torch.float64, requires_grad=True)
    pairs = [
        (
            MaxCombinationFunction.apply(
                x, INDEX, None, 3, t, negate, normalize, p
            ),
            functional.log_sum_exp(
                x, INDEX, 3, t, negate, normalize, log_prior=p
            ),
        )
        for normalize in (False, True)
    ]
    pairs.append(
        (
            BoltzmannMeanCombinationFunction.apply(x, INDEX, 3, t, negate, p),
            functional.boltzmann_mean(x, INDEX, 3, t, negate, p)[0],
        )
    )
    for pair in pairs:
        grads = [
            torch.autograd.grad(out.square().sum(), (x, t, p)) for out in pair
        ]
        torch.testing.assert_close(pair[0], pair[1])
        torch.testing.assert_close(*grads)


@pytest.mark.parametrize('cls', LEARNED)
def test_learns(cls):
    combination = cls(scale=2.0, learn=True)
    assert combination.scale == pytest.approx(2.0, rel=1e-6)
    (parameter,) = combination.parameters()
    x = torch.randn(5, 1, dtype=torch.float64)
    fixed = cls(scale=2.0)
    torch.testing.assert_close(combination(x), fixed(x), rtol=1e-5, atol=1e-6)
    # By the logarithm of the scale, as a difference of two scales.
    (slope,) = torch.autograd.grad(combination(x).sum(), parameter)
    up, down = (cls(scale=2.0 * math.exp(e))(x) for e in (1e-4, -1e-4))
    expected = (up - down).item() / 2e-4
    assert slope.item() == pytest.approx(expected, rel=1e-4)
    # It stays positive, whatever a step does.
    with torch.no_grad():
        parameter.sub_(50.0)
    assert combination.scale > 0.0
    combination.reset_parameters()
    assert combination.scale == pytest.approx(2.0, rel=1e-6)
    assert 'learn=True' in repr(combination)


@pytest.mark.parametrize('cls', LEARNED)
@pytest.mark.parametrize('learn', [True, False])
def test_schedule(cls, learn):
    combination = cls(learn=learn)
    x = torch.randn(5, 1)
    combination.scale = 3
    assert combination.scale == pytest.approx(3.0, rel=1e-6)
    torch.testing.assert_close(
        combination(x), cls(scale=3.0)(x), rtol=1e-5, atol=1e-6
    )
    parameter = torch.nn.Parameter(torch.tensor(2.0))
    for bad in (0.0, -1.0, math.inf, math.nan, '1', None, parameter):
        with pytest.raises(ValueError, match="Expected 'scale'"):
            combination.scale = bad
    assert combination.scale == pytest.approx(3.0, rel=1e-6)
    assert len(list(combination.parameters())) == learn


def test_a_graph_keeps_its_scale():
    x = torch.randn(5, 1, dtype=torch.float64, requires_grad=True)
    for combination in (
        MaxCombination(scale=2.0),
        MaxCombination(scale=2.0, learn=True).double(),
    ):
        out = combination(x).sum()
        combination.scale = 30.0
        (grad,) = torch.autograd.grad(out, x)
        torch.testing.assert_close(grad, (-2.0 * x.detach()).softmax(0))


@pytest.mark.parametrize('cls', LEARNED)
def test_state(cls):
    combination = cls(scale=2.0, learn=True)
    other = cls(scale=5.0, learn=True)
    other.load_state_dict(combination.state_dict())
    assert other.scale == combination.scale
    assert list(combination.state_dict()) == ['log_scale']
    assert cls(scale=2.0).state_dict() == {}


@pytest.mark.parametrize('cls', LEARNED)
def test_no_running_form(cls):
    combination = cls(learn=True)
    assert not combination.has_running_form
    with pytest.raises(NotImplementedError, match='has no running form'):
        combination.running()
    if cls is not BoltzmannMeanCombination:
        assert 'scale is learned' in combination.running_obstacle
        assert cls().has_running_form


@pytest.mark.parametrize('cls', LEARNED)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(cls, dtype):
    combination = cls(learn=True)
    x = torch.randn(5, 1).to(dtype)
    out = combination(x)
    assert out.dtype == torch.float32
    assert torch.equal(out, combination(x.float()))
    assert combination.to(dtype)(x).dtype == torch.float32


@pytest.mark.parametrize('cls', LEARNED)
def test_clash(cls):
    combination = cls(scale=2.0, learn=True)
    (parameter,) = combination.parameters()
    x = torch.tensor([[math.inf], [1.0], [1.5]], requires_grad=True)
    size = 1 if cls is not LogMeanExpCombination else None
    out = combination(x)
    leaves = (x, parameter)
    first = torch.autograd.grad(out.sum(), leaves, create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in first), leaves)
    for grad in (*first, *second):
        assert grad.isfinite().all()
    if size:  # with N in it, the clash is counted as a pose
        alone = combination(x[1:])
        torch.testing.assert_close(out, alone)
        (slope,) = torch.autograd.grad(alone.sum(), parameter)
        torch.testing.assert_close(first[1], slope)
