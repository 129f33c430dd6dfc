import math

import pytest
import torch

from pyg_multipose.nn.combination import (
    BoltzmannMeanCombination,
    FreeEnergyCombination,
)


def _grad(combination, x):
    x = x.clone().requires_grad_()
    y = combination(x)
    return y.detach(), torch.autograd.grad(y.sum(), x)[0]


@pytest.mark.parametrize('scale', [0.5, 10.0])
@pytest.mark.parametrize('negate', [True, False])
def test_derivative_as_documented(scale, negate):
    x = torch.randn(6, 3, dtype=torch.float64)
    n = -1 if negate else 1
    y, grad = _grad(BoltzmannMeanCombination(scale, negate), x)
    w = torch.softmax(n * scale * x, 0)
    torch.testing.assert_close(y, (w * x).sum(0, keepdim=True))
    torch.testing.assert_close(grad, w * (1 + n * scale * (x - y)))
    torch.testing.assert_close(grad.sum(0), torch.ones(3).double())


def test_bad_poses_have_a_negative_derivative():
    x = torch.tensor([[-9.0], [-7.5]], dtype=torch.float64)
    _, grad = _grad(BoltzmannMeanCombination(), x)
    assert grad[0].item() > 1.0
    assert grad[1].item() < 0.0


def test_free_energy_is_mean_less_entropy():
    x = torch.randn(6, 1, dtype=torch.float64)
    w = torch.softmax(-x, 0)
    entropy = -(w * w.log()).sum()
    mean = BoltzmannMeanCombination()(x)
    torch.testing.assert_close(mean - entropy, FreeEnergyCombination()(x))


def test_limits():
    x = torch.randn(6, 1, dtype=torch.float64)
    flat = BoltzmannMeanCombination(1e-9)(x)
    torch.testing.assert_close(flat[0], x.mean(0))
    sharp = BoltzmannMeanCombination(1e6)(x)
    assert sharp.item() == pytest.approx(x.min().item(), abs=1e-9)


def test_large_energies():
    x = torch.tensor([[-300.0], [-300.001], [-299.9]])
    for scale in (1.0, 1000.0):
        combination = BoltzmannMeanCombination(scale)
        exact, slope = _grad(combination, x.double())
        y, grad = _grad(combination, x)
        assert y.item() == pytest.approx(exact.item(), rel=1e-7)
        torch.testing.assert_close(grad.double(), slope, rtol=0, atol=1e-6)


@pytest.mark.parametrize('negate', [True, False])
def test_clash_counts_nothing(negate):
    combination = BoltzmannMeanCombination(10.0, negate)
    bad = math.inf if negate else -math.inf
    x = torch.tensor([[bad], [1.0], [1.1]], requires_grad=True)
    y = combination(x)
    torch.testing.assert_close(y, combination(x[1:]))
    (grad,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    assert grad[0].item() == 0.0 and grad.isfinite().all()
    (second,) = torch.autograd.grad(grad.square().sum(), x)
    assert second.isfinite().all()
    assert combination(torch.full((2, 1), bad)).isnan().all()


def test_no_running_form():
    combination = BoltzmannMeanCombination()
    assert not combination.has_running_form
    with pytest.raises(NotImplementedError, match='two sums of gradients'):
        combination.running()
