"""Parameters that are computed, tied, swapped or reached through a module."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

MODES = ['full', 'store', 'stream', 'recompute', 'auto']
TWO_PASSES = ['store', 'stream', 'recompute']


class Symmetric(nn.Module):
    """A parametrization of the user's own."""

    def __init__(self, size):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(size))

    def forward(self, weight):
        return (weight.triu() + weight.triu(1).mT) * self.scale


def old_weight_norm(layer):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # torch deprecates it
        nn.utils.weight_norm(layer)


KINDS = {
    'weight_norm': parametrizations.weight_norm,
    'old weight_norm': old_weight_norm,
    'orthogonal': parametrizations.orthogonal,
    'of the user': lambda layer: parametrize.register_parametrization(
        layer, 'weight', Symmetric(8)
    ),
}


def grads_of(kit, model, mode, batch, **kwargs):
    readout = kit.MultiPoseReadout(
        model, 'free_energy', gradient=mode, max_nodes_per_chunk=25, **kwargs
    )
    model.zero_grad()
    out = readout(batch)
    out.pow(2).sum().backward()
    return [out.detach(), *(p.grad for p in model.parameters())]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('mode', MODES)
def test_parametrized_layer(kit, mode, kind):
    torch.manual_seed(0)
    model = kit.TinyGNN().double()
    KINDS[kind](model.conv.nn[2].double())
    model.double()
    batch = kit.make_batch()
    combination = kit.MultiPoseReadout(model, 'free_energy').combination
    combined = kit.combine(combination, kit.plain(model, batch), batch)
    combined.pow(2).sum().backward()
    expected = [combined.detach(), *(p.grad for p in model.parameters())]
    got = grads_of(kit, model, mode, batch)
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('mode', MODES)
def test_tied_parametrized_weights(kit, mode):
    """One original under two modules, each with a parametrization."""
    torch.manual_seed(0)
    model = kit.TinyGNN().double()
    first, second = nn.Linear(8, 8), nn.Linear(8, 8)
    second.weight = first.weight
    for layer in (first, second):
        parametrize.register_parametrization(layer, 'weight', Symmetric(8))
    model.norm = nn.Sequential(first, nn.Tanh(), second).double()
    originals = [
        layer.parametrizations.weight.original for layer in (first, second)
    ]
    assert originals[0] is originals[1]
    batch = kit.make_batch()
    expected = grads_of(kit, model, 'full', batch)
    assert (
        kit.relative_error(grads_of(kit, model, mode, batch), expected, mode)
        <= 1e-10
    )


@pytest.mark.parametrize('mode', MODES)
def test_within_a_cache_of_parametrizations(kit, mode):
    """torch keeps the computed weight: the same gradient, or an error."""
    torch.manual_seed(0)
    model = kit.TinyGNN().double()
    parametrizations.weight_norm(model.conv.nn[2])
    batch = kit.make_batch()
    expected = grads_of(kit, copy.deepcopy(model), 'full', batch)
    readout = kit.MultiPoseReadout(
        model, 'free_energy', gradient=mode, max_nodes_per_chunk=25
    )
    try:
        with parametrize.cached():
            out = readout(batch)
            out.pow(2).sum().backward()
    except (RuntimeError, ValueError) as error:
        assert 'second time' in str(error) or 'cache' in str(error)
        assert all(p.grad is None for p in model.parameters())
        assert mode != 'full'
        return
    got = [out.detach(), *(p.grad for p in model.parameters())]
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('mode', MODES)
def test_functional_call_of_a_parametrized_model(kit, mode):
    torch.manual_seed(0)
    model = kit.TinyGNN().double()
    parametrizations.weight_norm(model.conv.nn[2])
    batch = kit.make_batch()
    readout = kit.MultiPoseReadout(
        model, 'free_energy', gradient=mode, max_nodes_per_chunk=25
    )
    values = {
        name: (p.detach() * 1.1).requires_grad_()
        for name, p in readout.named_parameters()
    }
    out = torch.func.functional_call(readout, values, (batch,))
    got = kit.gradients(out.sum(), list(values.values()))
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.1)
    combined = kit.combine(readout.combination, kit.plain(other, batch), batch)
    expected = kit.gradients(combined.sum(), list(other.parameters()))
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('mode', MODES)
def test_functional_call_of_buffers(kit, mode):
    """Other buffers for one call; a second pass uses them too."""
    torch.manual_seed(0)
    model = kit.TinyGNN(norm=nn.BatchNorm1d(8)).double().eval()
    batch = kit.make_batch()
    readout = kit.MultiPoseReadout(
        model, 'mean', gradient=mode, max_nodes_per_chunk=25
    )
    values = {'model.norm.running_mean': torch.ones(8).double()}
    out = torch.func.functional_call(readout, values, (batch,))
    tensors = list(model.parameters())
    got = kit.gradients(out.sum(), tensors)
    with torch.no_grad():
        model.norm.running_mean.fill_(1)
    expected = kit.gradients(readout(batch).sum(), tensors)
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('reentrant', [True, False])
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('dropout', [0.0, 0.5])
def test_checkpointing_inside_the_model(kit, mode, reentrant, dropout):
    """Its own replay of random numbers goes with ours."""
    from torch.utils.checkpoint import checkpoint

    class Checkpointed(kit.TinyGNN):
        def forward(self, batch):
            self.dropout.p = dropout
            inner = self.conv.nn.forward

            def run(h):
                return self.dropout(inner(h))

            self.conv.nn.forward = lambda h: checkpoint(
                run, h.requires_grad_(), use_reentrant=reentrant
            )
            try:
                return super().forward(batch)
            finally:
                del self.conv.nn.forward

    model = Checkpointed().double()
    batch = kit.make_batch(sizes=((4, 3, 5, 4),))  # the same chunks for all

    def grads(mode):
        torch.manual_seed(3)
        return grads_of(kit, model, mode, batch)

    # (Reentrant checkpoints work under .backward() only, in plain torch too.)
    expected, got = grads('full'), grads(mode)
    assert kit.relative_error(got, expected, mode) <= 1e-10
