"""Analytic derivatives; test_contract.py has gradcheck."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from pyg_multipose.nn.combination import (
    BoltzmannMeanCombination,
    BoltzmannMeanCombinationFunction,
    HardMaxCombinationFunction,
    MaxCombination,
    MaxCombinationFunction,
    MeanCombinationFunction,
    functional,
)


def _scores(combination, *shape):
    # Spread over 1 / t, so that several poses of a group count.
    scale = getattr(combination, 'scale', 1.0)
    x = torch.randn(*shape, dtype=torch.float64) / scale
    return x.requires_grad_()


def test_functions_directly():
    index = torch.tensor([1, 0, 1, 1])
    x = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    for function, args in [
        (MeanCombinationFunction, (None, 2)),
        (MaxCombinationFunction, (None, 2, 10.0, True, False)),
        (BoltzmannMeanCombinationFunction, (2, 10.0, True)),
        (HardMaxCombinationFunction, (2, True)),
    ]:

        def call(x, function=function, args=args):
            return function.apply(x, index, *args)

        assert gradcheck(call, x)
        assert gradgradcheck(call, x)


@pytest.mark.parametrize('scale', [1.0, 10.0, 1000.0])
@pytest.mark.parametrize('negate', [True, False])
@pytest.mark.parametrize('normalize', [True, False])
def test_analytic_is_autograd_of_the_reference(scale, negate, normalize):
    index = torch.tensor([2, 0, 1, 0, 2, 0])
    x = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 2, dtype=torch.float64)
    grads = []
    for out in (
        MaxCombination(scale, negate, normalize)(x, index, dim_size=3),
        functional.log_sum_exp(x, index, 3, scale, negate, normalize),
    ):
        (first,) = torch.autograd.grad(
            (weight * out).sum(), x, create_graph=True
        )
        (second,) = torch.autograd.grad((first**2).sum(), x)
        grads.append((first, second))
    torch.testing.assert_close(grads[0], grads[1])


def test_each_group_gets_the_gradient_once(combination, grouping):
    x = _scores(combination, 6, 2)
    combination(x, **grouping).sum().backward()
    if not isinstance(combination, BoltzmannMeanCombination):
        assert (x.grad >= 0).all()
    torch.testing.assert_close(x.grad.sum(), torch.tensor(6.0).double())


def test_retained_graph_and_modified_input(combination):
    leaf = torch.randn(4, 1, requires_grad=True)
    x = leaf * 1
    out = combination(x).sum()
    out.backward(retain_graph=True)
    once = leaf.grad.clone()
    out.backward(retain_graph=True)
    torch.testing.assert_close(leaf.grad, 2 * once)
    if isinstance(combination, MaxCombination):
        with torch.no_grad():
            x.add_(1.0)
        with pytest.raises(RuntimeError, match='modified by an inplace'):
            out.backward()


def test_input_without_gradient(combination):
    x = torch.randn(4, 1)
    assert not combination(x).requires_grad
    with torch.inference_mode():
        combination(x)
    x.requires_grad_()
    with torch.no_grad():
        assert not combination(x).requires_grad
