"""A signature that is found need not be taken apart."""

import inspect

import pytest
import torch

from pyg_multipose.nn.messages.function import ApartFunction, apply
from pyg_multipose.nn.messages.message_sum import message_sum


class Scaled(ApartFunction):
    @staticmethod
    def forward(x, factor, shift=1.0):
        return x * factor + shift

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.factor, ctx.shift = inputs

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.factor, None, None


@pytest.fixture
def taken_apart(monkeypatch):
    found, original = [], inspect._signature_from_function

    def counted(*args, **kwargs):
        found.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(inspect, '_signature_from_function', counted)
    return found


def test_signatures_are_taken_apart_once(taken_apart):
    x = torch.ones(3, requires_grad=True)
    edges, filters = torch.tensor([[0, 1], [1, 2]]), torch.ones(2, 1)
    for number in range(5):
        message_sum(x.unsqueeze(1), edges, filters, 3).sum().backward()
        assert torch.equal(Scaled.apply(x, 2.0), 2 * x + 1)
        if not number:  # numba has compiled
            taken_apart.clear()
    assert taken_apart == []


def test_defaults_are_bound():
    x = torch.ones(3, requires_grad=True)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            assert torch.equal(apply(Scaled, x, 2.0), 2 * x + 1)
            assert torch.equal(apply(Scaled, x, 2.0, 3.0), 2 * x + 3)
    (found,) = torch.autograd.grad(Scaled.apply(x, 2.0, shift=5.0).sum(), x)
    assert torch.equal(found, torch.full((3,), 2.0))


def test_by_transforms():
    x = torch.arange(3.0)
    gradient = torch.func.grad(lambda x: Scaled.apply(x, 2.0).sum())
    assert torch.equal(gradient(x), torch.full((3,), 2.0))
