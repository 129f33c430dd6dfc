"""The activation of SchNet, beside that of torch in double precision."""

import math

import pytest
import torch
from torch.nn.functional import softplus
from torch_geometric.nn.models.schnet import ShiftedSoftplus as Reference

from pyg_multipose.nn.messages.softplus_kernel import (
    shifted_softplus,
    softplus_gradient,
)
from pyg_multipose.nn.models import shifted_softplus as module
from pyg_multipose.nn.models.shifted_softplus import ShiftedSoftplus

#: Of float32.
EPS = torch.finfo(torch.float32).eps
SPECIAL = [
    *(0.0, -0.0, math.inf, -math.inf, math.nan, 1e-38, -1e-45, 3e38, -3e38),
    *(88.0, -88.0, -87.5, 20.0, -20.0, 0.3465736, -0.3465736),
]


def numbers():
    """Of all sizes, and what is special, in a block and a part of one."""
    generator = torch.Generator().manual_seed(3)
    out = torch.randn(700, generator=generator)
    scale = torch.randint(-8, 6, (700,), generator=generator)
    grid = torch.linspace(-30.0, 30.0, 601)
    return torch.cat([out * 2.0**scale, grid, torch.tensor(SPECIAL)])


def exact(x):
    return softplus(x.double()) - math.log(2.0)


def test_as_torch_in_double_precision(fused):
    x = numbers()
    found, expected = shifted_softplus(x), exact(x)
    assert len(fused) == 1
    good = expected.isfinite()
    assert torch.equal(found[~good].nan_to_num(1.0), x[~good].nan_to_num(1.0))
    off = (found - expected).abs()[good]
    assert (off <= 2 * EPS * expected.abs()[good].clamp(min=1.0)).all()


def test_its_gradient(fused):
    x = numbers()
    x = x[x.isfinite()]
    grad = torch.linspace(-2.0, 3.0, len(x))
    found = softplus_gradient(grad, exact(x).float())
    assert len(fused) == 1
    expected = grad * torch.sigmoid(x.double())
    assert ((found - expected).abs() <= 3 * EPS * grad.abs().double()).all()
    assert softplus_gradient(grad[:1], torch.tensor([math.nan])).isnan()


@pytest.mark.parametrize('shape', [(), (0,), (3, 0), (2, 3, 4)])
def test_shapes(shape, fused):
    x = torch.randn(shape)
    assert shifted_softplus(x).shape == x.shape
    turned = torch.randn(5, 7).T
    assert torch.equal(
        shifted_softplus(turned), shifted_softplus(turned.contiguous())
    )


def test_what_torch_has_to_do(fused):
    for x in (torch.zeros(3).double(), torch.zeros(3).half()):
        assert shifted_softplus(x) is None
        assert softplus_gradient(x, x) is None
    assert not fused


def test_module(fused, monkeypatch):
    """Values and derivatives up to the second are those of PyG's."""
    monkeypatch.setattr(module, '_FEWEST', 1)
    generator = torch.Generator().manual_seed(5)
    x = (3 * torch.randn(40, 5, generator=generator)).requires_grad_()
    orders = []
    for layer in (ShiftedSoftplus(), Reference()):
        out = layer(x)
        (first,) = torch.autograd.grad(
            out.square().sum(), x, create_graph=True
        )
        (plain,) = torch.autograd.grad(layer(x).square().sum(), x)
        (second,) = torch.autograd.grad(first.sin().sum(), x)
        orders.append((out, first, plain, second))
    # Forward twice, the plain gradient, and the last step of the second.
    assert len(fused) == 4
    for one, two in zip(*orders, strict=True):
        # Of sines of numbers up to 20, which are right to 2e-6.
        torch.testing.assert_close(one, two, rtol=1e-4, atol=5e-5)


def test_few_and_wide_numbers_are_torchs(fused):
    ShiftedSoftplus()(torch.randn(8))
    ShiftedSoftplus()(torch.randn(2**16).double())
    assert not fused
    ShiftedSoftplus()(torch.randn(2**15))
    assert len(fused) == 1


def test_what_is_kept_is_the_result(fused):
    kept = []
    x = torch.randn(2**15, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda one: kept.append(one) or one, lambda one: one
    ):
        out = ShiftedSoftplus()(x)
    assert [one.data_ptr() for one in kept] == [out.data_ptr()]


def test_a_kernel_that_fails(fake_numba, monkeypatch):
    def broken(signature, **options):
        raise TypeError('no compiler today')

    fake_numba(broken)
    x = torch.randn(2**15, requires_grad=True)
    with pytest.warns(UserWarning, match='no compiler today'):
        out = ShiftedSoftplus()(x)
    out.sum().backward()
    torch.testing.assert_close(out, Reference()(x))
    torch.testing.assert_close(x.grad, torch.sigmoid(x))


def test_many_gradients_at_once(fused):
    x = torch.randn(2**15, requires_grad=True)
    out = ShiftedSoftplus()(x)
    grads = torch.eye(2, 2**15)
    (found,) = torch.autograd.grad(out, x, grads, is_grads_batched=True)
    torch.testing.assert_close(found, grads * torch.sigmoid(x))
    assert len(fused) == 1
