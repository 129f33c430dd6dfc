"""Kind 10: a combination is called once, whatever is returned."""

import itertools

import pytest
import torch
from torch import nn
from torch_geometric.nn import aggr

from pyg_multipose.nn import MultiPoseReadout
from tests.contracts.silent.models import TwoParts


class Counting(aggr.Aggregation):
    """A mean that counts its calls, and what it counts matters."""

    def __init__(self):
        super().__init__()
        self.calls = 0
        self.register_buffer('seen', torch.zeros(()))

    def forward(self, x, index=None, ptr=None, dim_size=None, dim=-2):
        self.calls += 1
        self.seen += 1
        return self.reduce(x, index, ptr, dim_size, dim, 'mean') * self.seen


def deep_sets(*layers):
    return aggr.DeepSetsAggregation(
        nn.Sequential(nn.Linear(1, 4), *layers), nn.Linear(4, 1)
    )


def hooked():
    out = deep_sets()
    out.calls = 0

    def count(*args):
        out.calls += 1

    out.register_forward_hook(count)
    return out


COMBINATIONS = {
    'BatchNorm': lambda: deep_sets(nn.BatchNorm1d(4), nn.Tanh()),
    'BatchNorm with momentum': lambda: deep_sets(
        nn.BatchNorm1d(4, 0.1, 0.9), nn.Tanh()
    ),
    'BatchNorm, cumulative': lambda: deep_sets(
        nn.BatchNorm1d(4, momentum=None), nn.Tanh()
    ),
    'two of them': lambda: deep_sets(
        nn.BatchNorm1d(4), nn.Tanh(), nn.BatchNorm1d(4), nn.Tanh()
    ),
    'spectral norm': lambda: aggr.DeepSetsAggregation(
        nn.utils.parametrizations.spectral_norm(nn.Linear(1, 4)),
        nn.Linear(4, 1),
    ),
    'dropout': lambda: deep_sets(nn.Dropout(0.3)),
    'counting': Counting,
    'hooked': hooked,
    'softmax': lambda: aggr.SoftmaxAggregation(learn=True),
    'attention': lambda: aggr.AttentionalAggregation(
        nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))
    ),
    'several': lambda: aggr.MultiAggregation(
        ['mean', deep_sets(nn.BatchNorm1d(4), nn.Tanh())], mode='sum'
    ),
}
#: Mode, whether in training, with gradient, with weights, with predictions.
WAYS = [
    *itertools.product(
        ['full'], [True, False], [True], [True, False], [True, False]
    ),
    *itertools.product(['auto'], [True], [True, False], [True], [True, False]),
    ('recompute', True, True, True, False),
    ('store', True, True, True, True),
]


@pytest.mark.parametrize('name', COMBINATIONS)
def test_combination(silent, name):
    model, poses = TwoParts(), silent.complexes()
    y = model(silent.whole(poses)).detach().requires_grad_()
    for mode, training, grad, weights, each in WAYS:
        torch.manual_seed(3)
        plain = COMBINATIONS[name]().train(training)
        torch.manual_seed(4)
        expected = plain(
            y[:, None], torch.zeros(len(y), dtype=torch.long), dim_size=1
        )
        slope = torch.autograd.grad(expected.sum(), y)[0]
        torch.manual_seed(3)
        own = COMBINATIONS[name]().train(training)
        readout = MultiPoseReadout(
            model, own, gradient=mode, share_receptor=False
        )
        readout.train(training)
        readout.plan(poses)
        torch.manual_seed(4)
        with torch.set_grad_enabled(grad):
            out = readout(poses, each, weights)
        value = out if isinstance(out, torch.Tensor) else out[0]
        where = f'{mode}, {training}, {grad}, {weights}, {each}'
        silent.same(where, value.detach(), expected.detach().reshape(-1))
        if weights:
            silent.same(where, out[-1], slope)
        if grad and value.requires_grad:
            value.sum().backward()
        for one, two in zip(own.buffers(), plain.buffers(), strict=True):
            silent.same(where, one.double(), two.double())
        assert getattr(own, 'calls', 0) == getattr(plain, 'calls', 0), where


def test_numbers_drawn_after_the_combination(silent):
    """What the user draws next is what it would be."""
    model, poses = TwoParts(), silent.complexes()
    drawn = []
    for weights in (False, True):
        torch.manual_seed(0)
        together = COMBINATIONS['dropout']()
        readout = MultiPoseReadout(model, together, gradient='full')
        torch.manual_seed(1)
        readout(poses, return_weights=weights)
        drawn.append(torch.rand(1))
    torch.manual_seed(1)
    torch.rand(4, 4)
    silent.same('a number', drawn[0], drawn[1])
