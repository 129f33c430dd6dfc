"""Functions found between those of a table, beside the sums in words."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_multipose.nn.messages.interpolation import (
    Places,
    interpolate,
    knots,
    places,
)
from pyg_multipose.nn.messages.interpolation_kernel import (
    POINTS,
    spread_back,
)

NUMBER = 12


def make(size=30, width=5, dtype=torch.float64, seed=3):
    generator = torch.Generator().manual_seed(seed)
    x = NUMBER * torch.rand(size, generator=generator, dtype=torch.float64)
    at = places(x, NUMBER, dtype)
    table = torch.randn(len(knots(NUMBER)), width, generator=generator)
    return table.to(dtype).requires_grad_(), at


def in_words(table, at):
    rows = at.first.unsqueeze(1) + torch.arange(POINTS)
    return (table[rows] * at.weights.unsqueeze(2)).sum(1)


def all_orders(function, table, at):
    """The result, its gradient, and that one's."""
    out = function(table, at)
    (first,) = torch.autograd.grad(out.sin().sum(), table, create_graph=True)
    (plain,) = torch.autograd.grad(function(table, at).sin().sum(), table)
    (second,) = torch.autograd.grad(first.square().sum(), table)
    return out, first, plain, second


def between(table, at):
    return interpolate(table, *at)


def close(found, expected, dtype=torch.float64):
    atol = 50 * torch.finfo(dtype).eps
    for one, two in zip(found, expected, strict=True):
        assert one.dtype == dtype
        scale = max(float(two.detach().abs().max()), 1.0)
        torch.testing.assert_close(one, two, rtol=0.0, atol=atol * scale)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('width', [1, 5, 8, 21])
def test_is_a_sum_of_six_rows(width, dtype):
    table, at = make(width=width, dtype=dtype)
    close(
        all_orders(between, table, at),
        all_orders(in_words, table, at),
        dtype,
    )


@pytest.mark.parametrize('width', [1, 8, 21])
def test_kernel(width, fused, unfused):
    table, at = make(width=width)
    expected = unfused(all_orders, between, table, at)
    assert not fused
    found = all_orders(between, table, at)
    assert fused
    close(found, expected)


def test_knots_and_the_polynomials_between():
    """Those of degree five are found without error, of degree six not."""
    at_knots = knots(NUMBER).double()
    assert at_knots.tolist() == list(range(-2, NUMBER + 3))
    x = torch.linspace(0, NUMBER - 1e-9, 201, dtype=torch.float64)
    at = places(x, NUMBER, torch.float64)
    for degree in range(7):
        table = (at_knots / NUMBER).pow(degree).unsqueeze(1)
        expected = (x / NUMBER).pow(degree).unsqueeze(1)
        error = float((interpolate(table, *at) - expected).abs().max())
        assert (error < 1e-13) == (degree < 6)
    table = torch.randn(len(at_knots), 3, dtype=torch.float64)
    same = places(at_knots[2:-3], NUMBER, torch.float64)
    torch.testing.assert_close(interpolate(table, *same), table[2:-3])


def test_error_falls_with_the_sixth_power():
    errors = []
    x = torch.rand(1000, dtype=torch.float64)
    for number in (20, 40, 80):
        table = (3.0 * knots(number).double() / number).sin().unsqueeze(1)
        found = interpolate(table, *places(x * number, number, x.dtype))
        errors.append(float((found.squeeze(1) - (3 * x).sin()).abs().max()))
    for coarse, fine in zip(errors, errors[1:], strict=False):
        assert 40 < coarse / fine < 90  # 64


@settings(deadline=None, max_examples=60)
@given(
    x=st.lists(st.floats(0, 3 * NUMBER), min_size=1, max_size=5),
    number=st.integers(1, NUMBER),
)
def test_places(x, number):
    x = torch.tensor(x, dtype=torch.float64)
    at = places(x, number, torch.float64)
    beyond = x >= number
    assert int(at.first.min()) >= 0
    assert int(at.first.max()) + POINTS <= len(knots(number))
    total = (~beyond).double()
    torch.testing.assert_close(at.weights.sum(1), total)
    # The third row and the fourth are the nearest:
    gap = x - (at.first + knots(number)[2])
    assert bool(((gap >= 0) & (gap < 1))[~beyond].all())
    assert not at.weights[beyond].any()


def test_what_is_not_a_number_has_no_place():
    at = places(torch.tensor([0.5, torch.nan]), NUMBER, torch.float32)
    assert at.weights.isnan().all(1).tolist() == [False, True]
    assert at.first[1] == 0


def test_of_nothing():
    table, at = make(0)
    out = interpolate(table, *at)
    assert out.shape == (0, 5)
    (grad,) = torch.autograd.grad(out.sum(), table)
    assert not grad.any()


def test_many_gradients_at_once(fused):
    table, at = make()
    out = interpolate(table, *at)
    some = torch.randn(3, *out.shape, dtype=out.dtype)
    (found,) = torch.autograd.grad(
        out, table, some, retain_graph=True, is_grads_batched=True
    )
    for grad, one in zip(some, found, strict=True):
        (expected,) = torch.autograd.grad(out, table, grad, retain_graph=True)
        torch.testing.assert_close(one, expected)


def test_gradcheck():
    table, at = make(6, 2)
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(lambda table: between(table, at), table)


@pytest.mark.parametrize('first', [-1, NUMBER])
def test_kernel_leaves_bad_rows_to_torch(first, fused):
    table, at = make(2)
    at = Places(torch.tensor([0, first]), at.weights)
    grad = torch.zeros(2, 5, dtype=torch.float64)
    assert spread_back(grad, *at, len(table)) is None
    assert not fused
    with pytest.raises((IndexError, RuntimeError)):
        interpolate(table, *at)
