import math

import pytest
import torch

from pyg_multipose.nn.combination import (
    FreeEnergyCombination,
    MaxCombination,
    MeanCombination,
    functional,
)


def _weights(combination, x, **kwargs):
    x = x.detach().clone().requires_grad_()
    combination(x, **kwargs).sum().backward()
    return x.grad


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(combination, grouping, dtype):
    x = (torch.randn(6, 1) - 60.0).to(dtype)
    out = combination(x, **grouping)
    assert out.dtype == torch.float32
    assert torch.equal(out, combination(x.float(), **grouping))
    grad = _weights(combination, x, **grouping)
    assert grad.dtype == dtype
    expected = _weights(combination, x.float(), **grouping)
    torch.testing.assert_close(grad, expected.to(dtype))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_autocast(combination, grouping, dtype):
    x = torch.randn(6, 3)
    expected = combination(x, **grouping), _weights(combination, x, **grouping)
    for features in (x, x.double()):
        with torch.autocast('cpu', dtype=dtype):
            out = combination(features, **grouping)
            grad = _weights(combination, features, **grouping)
        assert out.dtype == grad.dtype == features.dtype
        torch.testing.assert_close(out.float(), expected[0])
        torch.testing.assert_close(
            grad.float(), expected[1], rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize('scale', [1.0, 10.0, 1000.0])
@pytest.mark.parametrize('value', [-3.0, -60.0, -300.0, 300.0])
@pytest.mark.parametrize('negate', [True, False])
def test_weights_sum_to_one(scale, value, negate):
    x = torch.full((4, 1), value)
    x[1] += 2e-3
    x[3] -= 1e-3
    combination = MaxCombination(scale, negate)
    grad = _weights(combination, x)
    assert abs(grad.sum().item() - 1.0) <= 1e-6
    exact = _weights(combination, x.double())
    torch.testing.assert_close(grad.double(), exact, rtol=0, atol=1e-6)
    direct = functional.softmax_weights(
        x, torch.zeros(4, dtype=torch.long), 1, scale, negate
    )
    assert torch.equal(grad, direct)


def test_value_at_large_energies(reference):
    x = torch.tensor([[-300.0], [-300.001], [-299.9]])
    for combination in (MaxCombination(), FreeEnergyCombination()):
        expected = reference(combination, x).item()
        assert combination(x).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize('value', [-300.0, 0.1, 1e-30, 7e30])
def test_one_pose_is_exact(combination, grouping, value):
    x = torch.randn(6, 1)
    alone = 3 if 'ptr' in grouping else 2
    x[alone] = value
    assert combination(x, **grouping)[1].item() == x[alone].item()
    assert _weights(combination, x, **grouping)[alone].item() == 1.0


def test_ties_share(combination, grouping, members):
    x = torch.full((6, 2), -123.456)
    grad = _weights(combination, x, **grouping)
    for rows in members(6, **grouping):
        share = torch.full((len(rows), 2), 1 / len(rows))
        torch.testing.assert_close(grad[rows], share)


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_bad_prediction_stays_in_its_group(
    combination, grouping, members, bad
):
    x = torch.randn(6, 1)
    good = combination(x, **grouping), _weights(combination, x, **grouping)
    rows = members(6, **grouping)[2]
    x[rows[0]] = bad
    out = combination(x, **grouping)
    grad = _weights(combination, x, **grouping)
    assert torch.equal(out[:2], good[0][:2])
    others = [row for row in range(6) if row not in rows]
    assert torch.equal(grad[others], good[1][others])
    if math.isnan(bad):
        assert out[2].isnan().all()
        if isinstance(combination, MaxCombination):
            assert grad[rows].isnan().all()


@pytest.mark.parametrize('negate', [True, False])
@pytest.mark.parametrize('scale', [1.0, 1000.0])
def test_clash_counts_nothing(grouping, members, negate, scale):
    combination = MaxCombination(scale, negate)
    x = torch.randn(6, 1)
    first, *rest = members(6, **grouping)[0]
    x[first] = math.inf if negate else -math.inf
    grad = _weights(combination, x, **grouping)
    assert grad[first].item() == 0.0
    assert torch.isfinite(grad).all()
    alone = x[rest]
    torch.testing.assert_close(
        combination(x, **grouping)[:1], combination(alone)
    )
    torch.testing.assert_close(grad[rest], _weights(combination, alone))
    # Also when differentiated twice.
    x.requires_grad_()
    (grad,) = torch.autograd.grad(
        combination(x, **grouping).sum(), x, create_graph=True
    )
    (second,) = torch.autograd.grad((grad**2).sum(), x)
    assert torch.isfinite(second).all()


def test_nothing_but_clashes():
    x = torch.full((2, 1), math.inf)
    assert MaxCombination()(x).item() == math.inf
    assert _weights(MaxCombination(), x).isnan().all()
    # Infinitely good is no energy.
    assert MaxCombination()(-x).isnan().all()
    assert MeanCombination()(x).item() == math.inf


def test_upstream_gradient_that_is_not_finite(combination):
    x = torch.randn(3, 1, requires_grad=True)
    combination(x).backward(torch.tensor([[math.nan]]))
    assert x.grad.isnan().all()
