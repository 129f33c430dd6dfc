"""What PyG's aggregations do with energies, and that it is said."""

import warnings
from inspect import signature

import pytest
import torch
from torch_geometric.nn import aggr

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.combination import (
    BoltzmannMeanCombination,
    combination_resolver,
)

#: Whether the bounds of PyG's power mean are a choice: since PyG 2.8.
CHOICE = 'clamp_min' in signature(aggr.PowerMeanAggregation).parameters
UNBOUND = (
    [aggr.PowerMeanAggregation(p=2.0, clamp_min=None, clamp_max=None)]
    if CHOICE
    else []
)


def test_spread():
    x = torch.tensor([[10000.0], [10000.1], [10000.2]])
    assert aggr.VarAggregation()(x).item() == -16.0
    small = torch.tensor([[-1.0], [-1.001], [-1.002]], requires_grad=True)
    out = aggr.StdAggregation()(small)
    assert out.item() == 0.0
    assert not torch.autograd.grad(out.sum(), small)[0].any()
    assert small.std(correction=0).item() == pytest.approx(8.165e-4, rel=1e-3)


def test_power_mean():
    x = torch.tensor([[-9.0], [-7.0]], requires_grad=True)
    low = 1e-4 if CHOICE else 0.0
    out = aggr.PowerMeanAggregation(p=2.0)(x)
    assert out.item() == pytest.approx(low**0.5)
    assert not torch.autograd.grad(out.sum(), x)[0].any()
    out = aggr.PowerMeanAggregation(p=1.0, learn=True)(x)
    assert out.item() == pytest.approx(low)


def test_softmax():
    x = torch.tensor([[-9.0], [-7.0]])
    out = aggr.SoftmaxAggregation()(x).item()
    assert out == pytest.approx(-7.2384, abs=1e-4)
    up = BoltzmannMeanCombination(negate=False)
    assert up(x).item() == pytest.approx(out)
    down = aggr.SoftmaxAggregation(t=-1.0)(x).item()
    assert BoltzmannMeanCombination()(x).item() == pytest.approx(down)


def test_median():
    x = torch.tensor([[-9.0], [-8.0], [-7.0], [-1.0]], requires_grad=True)
    out = aggr.MedianAggregation()(x)
    assert out.item() == -8.0
    slope = torch.autograd.grad(out.sum(), x)[0]
    assert slope.flatten().tolist() == [0.0, 1.0, 0.0, 0.0]
    assert aggr.QuantileAggregation(0.5)(x).item() == -7.5


SAID = [
    ('std', r"'StdAggregation' .*return_poses=True"),
    ('var', r"'VarAggregation' .*return_poses=True"),
    ('softmax', "'SoftmaxAggregation' .*BoltzmannMeanCombination"),
    ('median', "'MedianAggregation' .*TopKMeanCombination"),
    (
        aggr.PowerMeanAggregation(p=2.0),
        r"'PowerMeanAggregation' clamps .* \[0(.0001)?, 100(.0)?\]"
        '.*LogMeanExpCombination',
    ),
    (aggr.SoftmaxAggregation(learn=True), 'the HIGHEST wins'),
    (aggr.MultiAggregation(['mean', 'std']), "'StdAggregation'"),
]


@pytest.mark.parametrize(('query', 'message'), SAID)
def test_said_once(query, message):
    for build in (
        combination_resolver,
        lambda query: MultiPoseReadout(torch.nn.Linear(1, 1), query),
    ):
        with pytest.warns(UserWarning, match=message) as said:
            build(query)
        assert len(said) == 1


@pytest.mark.parametrize(
    'query',
    [
        'mean',
        'boltzmann_mean',
        'min',
        'MeanAggregation',
        aggr.SoftmaxAggregation(t=-1.0),
        aggr.PowerMeanAggregation(p=1.0),
        *UNBOUND,
        aggr.QuantileAggregation(0.5),
        aggr.SetTransformerAggregation(4),
    ],
    ids=str,
)
def test_nothing_to_say(query):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        combination_resolver(query)
