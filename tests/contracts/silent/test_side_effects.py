"""Kind 13: whatever is tried, the user does not see it."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules import module as of_all
from torch_geometric.nn import GATv2Conv

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import SchNet, SharedLayers

SEEN = []


def layers(layer=None, readout=None):
    return SharedLayers(
        nn.Embedding(100, 8),
        [layer or GATv2Conv(8, 8)],
        readout or nn.Linear(8, 1),
    )


class Counter(nn.Module):
    """Counts in one of many ways."""

    total = 0
    sizes = []

    def __init__(self, how):
        super().__init__()
        self.how, self.conv = how, GATv2Conv(8, 8)
        self.calls, self.calls_of, self.kept = 0, {'calls': 0}, []
        self.register_buffer('seen', torch.zeros((), dtype=torch.long))
        cell = [0]
        self.cell, self.count = cell, lambda: cell.__setitem__(0, cell[0] + 1)

    def forward(self, x, edge_index):
        match self.how:
            case 'attribute':
                self.calls += 1
            case 'dict':
                self.calls_of['calls'] += 1
            case 'list':
                self.kept.append(len(x))
            case 'buffer in place':
                self.seen += 1
            case 'buffer':
                self.seen = self.seen + 1
            case 'class':
                type(self).total += 1
            case 'list of the class':
                self.sizes.append(len(x))
            case 'global':
                SEEN.append(len(x))
            case 'closure':
                self.count()
        return self.conv(x, edge_index)

    @property
    def number(self):
        return {
            'attribute': self.calls,
            'dict': self.calls_of['calls'],
            'list': len(self.kept),
            'buffer in place': self.seen.item(),
            'buffer': self.seen.item(),
            'class': type(self).total,
            'list of the class': len(self.sizes),
            'global': len(SEEN),
            'closure': self.cell[0],
        }[self.how]


HOWS = [
    *('attribute', 'dict', 'list', 'buffer in place', 'buffer', 'class'),
    *('list of the class', 'global', 'closure'),
]


@pytest.fixture(autouse=True)
def from_zero():
    Counter.total = 0
    Counter.sizes.clear()
    SEEN.clear()


def check_counts(silent, how, mode, share):
    """One for every pass, and one for a receptor; none to look."""
    model, poses = layers(Counter(how)), silent.complexes()
    (layer,) = model.layers
    readout = MultiPoseReadout(
        model,
        'mean',
        gradient=mode,
        share_receptor=share,
        max_nodes_per_chunk=10**6,
    )
    readout.plan(poses)
    assert layer.number == 0
    readout(poses)
    assert layer.number <= (2 if silent.shared(readout) else 1)


@pytest.mark.parametrize('how', HOWS[:5])
@pytest.mark.parametrize(
    ('mode', 'share'),
    [('full', False), ('auto', False), ('stream', 'auto'), ('auto', 'auto')],
)
def test_calls_that_a_model_counts(silent, how, mode, share):
    check_counts(silent, how, mode, share)


@pytest.mark.parametrize('how', HOWS[5:])
@pytest.mark.parametrize(
    ('mode', 'share'), [('full', False), ('auto', 'auto')]
)
def test_calls_that_are_counted_elsewhere(silent, how, mode, share):
    check_counts(silent, how, mode, share)


@pytest.mark.parametrize('share', [False, 'auto'])
@pytest.mark.parametrize('mode', ['full', 'recompute', 'auto'])
def test_hooks_that_count(silent, share, mode):
    model, poses, calls = layers(), silent.complexes(), []
    model.readout.register_forward_hook(lambda m, a, o: calls.append(len(o)))
    model.readout.register_full_backward_hook(lambda m, a, o: calls.append(0))
    readout = MultiPoseReadout(
        model,
        'mean',
        gradient=mode,
        share_receptor=share,
        max_nodes_per_chunk=10**6,
    )
    readout.plan(poses)
    assert calls == []
    readout(poses).sum()
    assert calls == [len(silent.whole(poses).z)]


@pytest.mark.parametrize('kind', ['forward', 'forward_pre'])
def test_hooks_of_all_modules(silent, kind):
    model, poses, calls = layers(), silent.complexes(), []
    handle = getattr(of_all, f'register_module_{kind}_hook')(
        lambda *args: calls.append(args[0])
    )
    try:
        readout = MultiPoseReadout(model, 'mean')
        readout.plan(poses)
        assert calls == []
        readout(poses)
    finally:
        handle.remove()
    modules = {id(m) for m in readout.modules()}
    assert {id(m) for m in calls} <= modules


class Remembers(nn.Module):
    """Buffers and attributes that a module assigns again."""

    def __init__(self):
        super().__init__()
        self.conv = GATv2Conv(8, 8)
        self.register_buffer('last', torch.zeros(1))
        self.register_buffer('none', None)
        self.register_buffer('loose', torch.zeros(1), persistent=False)
        self.attribute, self.edges = None, None

    def forward(self, x, edge_index):
        self.last = x.detach().clone()
        self.loose = x.detach().sum(0)
        self.none = x.detach()[:1]
        self.attribute, self.edges = x.shape, edge_index
        return self.conv(x, edge_index)


@pytest.mark.parametrize('share', [False, 'auto'])
@pytest.mark.parametrize('mode', ['full', 'recompute', 'auto'])
@pytest.mark.parametrize('grad', [True, False])
def test_buffers_that_are_assigned_again(silent, share, mode, grad):
    model, poses = layers(Remembers()), silent.complexes()
    (layer,) = model.layers
    readout = MultiPoseReadout(
        model,
        'mean',
        gradient=mode,
        share_receptor=share,
        max_nodes_per_chunk=10**6,
    )
    readout.plan(poses)
    assert layer.last.shape == (1,) and not layer.last.any()
    assert layer.none is None and not layer.loose.any()
    assert layer.attribute is None and layer.edges is None
    with torch.set_grad_enabled(grad):
        readout(poses)
    if silent.shared(readout):
        return
    graphs = silent.whole(poses)
    x = model.embed(graphs.z).detach()
    silent.same('last', layer.last, x)
    silent.same('none', layer.none, x[:1])
    assert layer.attribute == x.shape
    assert layer.edges.equal(graphs.edge_index)


@pytest.mark.parametrize('make', [layers, lambda: SchNet(8, 8, 1, 6, 1.5)])
@pytest.mark.parametrize('mode', ['full', 'stream', 'recompute', 'auto'])
def test_nothing_else_is_touched(silent, make, mode):
    """Random numbers, gradients, flags, and the objects themselves."""
    model, poses = make(), silent.complexes()
    for p in model.parameters():
        p.grad = torch.full_like(p, 7.0)
    next(model.children()).eval()
    objects = {n: id(p) for n, p in model.named_parameters()}
    grads = [(p.grad, p.grad._version) for p in model.parameters()]
    keys = {n: set(m.__dict__) for n, m in model.named_modules()}
    versions = [p._version for p in model.parameters()]
    flags = [m.training for m in model.modules()]
    inputs = {k: (id(v), v._version) for k, v in poses.to_dict().items()
              if isinstance(v, torch.Tensor)}  # fmt: skip
    states = (
        torch.get_rng_state(),
        random.getstate(),
        np.random.get_state()[1].copy(),
    )
    settings = torch.get_default_dtype(), torch.is_grad_enabled()
    readout = MultiPoseReadout(model, 'mean', gradient=mode)
    readout.plan(poses)
    for _ in range(4):
        readout(poses)
    assert states[0].equal(torch.get_rng_state())
    assert states[1] == random.getstate()
    assert (states[2] == np.random.get_state()[1]).all()
    assert settings == (torch.get_default_dtype(), torch.is_grad_enabled())
    assert objects == {n: id(p) for n, p in model.named_parameters()}
    assert versions == [p._version for p in model.parameters()]
    assert flags == [m.training for m in model.modules()]
    assert keys == {n: set(m.__dict__) for n, m in model.named_modules()}
    for p, (grad, version) in zip(model.parameters(), grads, strict=True):
        assert p.grad is grad and grad._version == version
    for key, (place, version) in inputs.items():
        assert id(poses[key]) == place and poses[key]._version == version


class Noisy(nn.Module):
    """Draws from generators of its own."""

    def __init__(self):
        super().__init__()
        self.conv = GATv2Conv(8, 8)
        self.random = random.Random(0)
        self.numpy = np.random.default_rng(0)
        self.torch = torch.Generator().manual_seed(0)

    def forward(self, x, edge_index):
        self.random.random()
        self.numpy.random()
        torch.rand(1, generator=self.torch)
        return self.conv(x, edge_index)


@pytest.mark.parametrize('share', [False, 'auto'])
def test_generators_of_ones_own(silent, share):
    model, poses = layers(Noisy()), silent.complexes()
    (layer,) = model.layers
    readout = MultiPoseReadout(
        model,
        'mean',
        gradient='full',
        share_receptor=share,
        max_nodes_per_chunk=10**6,
    )
    readout(poses)
    other, calls = Noisy(), 2 if silent.shared(readout) else 1
    for _ in range(calls):
        other.random.random(), other.numpy.random()
        torch.rand(1, generator=other.torch)
    assert layer.random.getstate() == other.random.getstate()
    assert layer.numpy.bit_generator.state == other.numpy.bit_generator.state
    assert layer.torch.get_state().equal(other.torch.get_state())


def test_optimizer_state_is_that_of_plain_training(silent):
    """A step after the look updates the parameters that it had."""
    model, poses = layers(), silent.complexes()
    readout = MultiPoseReadout(model, 'mean')
    optimizer = torch.optim.SGD(readout.parameters(), 0.1)
    plain = silent.Plain(model, poses, False, False)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    silent.loss_of(readout(poses)).backward()
    optimizer.step()
    for name, p in model.named_parameters():
        expected = before[name] - 0.1 * plain.gradients[name]
        silent.same(name, p.detach(), expected)
