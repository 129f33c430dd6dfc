import pytest
import torch
from torch import nn

from pyg_multipose.gradient.replay.foreign_leaf import foreign_leaf
from pyg_multipose.gradient.replay.parameters import Parameters, aliases


class Twice(nn.Module):
    """A submodule under two names, a shared weight, a frozen one, an RNN."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.again = self.first
        self.tied = nn.Linear(3, 3, bias=False)
        self.tied.weight = self.first.weight
        self.rnn = nn.GRU(3, 2)
        self.rnn.bias_hh_l0.requires_grad_(False)

    def forward(self, x):
        return self.rnn(self.tied(self.again(self.first(x))))[0].sum()


def test_every_parameter_once():
    model = Twice()
    slots = Parameters(model.modules())
    assert len(slots.tensors) == 6
    assert {id(t) for t in slots.tensors} == {
        id(p) for p in model.parameters()
    }


def test_runs_on_other_parameters_and_puts_them_back():
    torch.manual_seed(0)
    model, other = Twice(), Twice()
    slots = Parameters(model.modules())
    before = dict(model.named_parameters())
    x = torch.randn(4, 1, 3)
    leaves = aliases(
        Parameters(other.modules()).tensors,
        [p.requires_grad for p in slots.tensors],
    )
    with slots.filled(leaves):
        out = model(x)
        out.backward()
    assert torch.equal(out, other(x))
    other(x).backward()
    for leaf, parameter in zip(leaves, other.parameters(), strict=True):
        assert (leaf.grad is None) == (parameter.grad is None)
        if leaf.grad is not None:
            assert torch.equal(leaf.grad, parameter.grad)
    assert all(p.grad is None for p in model.parameters())
    assert all(p is before[name] for name, p in model.named_parameters())
    assert model.rnn._flat_weights[0] is model.rnn.weight_ih_l0


def test_puts_them_back_after_an_error():
    model = Twice()
    slots = Parameters(model.modules())
    before = dict(model.named_parameters())
    with pytest.raises(RuntimeError):
        with slots.filled([torch.zeros(1)] * 6):
            model(torch.zeros(4, 1, 3))
    assert all(p is before[n] for n, p in model.named_parameters())


def test_finds_a_leaf_that_is_none_of_those_known():
    known = torch.ones(2, requires_grad=True)
    secret = torch.ones(2, requires_grad=True)
    assert foreign_leaf((known * 2).sum(), [known]) is None
    assert foreign_leaf((known * secret).sum(), [known]) is secret
    assert foreign_leaf((known * secret.exp()).sum(), [known]) is secret
    assert foreign_leaf(torch.ones(1), []) is None


def test_a_leaf_that_nobody_holds_is_no_loss():
    known = torch.ones(2, requires_grad=True)
    held = known.detach().requires_grad_()  # a second leaf in its place

    def forgotten(requires_grad=True):
        return known * torch.ones(2, requires_grad=requires_grad)

    assert foreign_leaf(forgotten().sum(), [known]) is None
    assert foreign_leaf(held * 2, [known]) is held
    out = (known.detach().requires_grad_() * 2).sum()
    assert foreign_leaf(out, [known]) is not None
