"""Strategies where atoms of a receptor have moved."""

import pytest
import torch
from torch import nn

from pyg_multipose.nn import (
    ComplexOnlyStrategy,
    ConcatStrategy,
    DeltaStrategy,
    MultiPoseReadout,
)
from pyg_multipose.nn import models as ours
from tests.moved_sets import CUTOFF, batch_of, graphs_of, leaves_of, make_sets
from tests.trusting import trusting


def head(width=1):
    return nn.Sequential(nn.Linear(width, 4), nn.SiLU(), nn.Linear(4, 1))


def schnet():
    return ours.SchNet(6, 6, 3, 5, CUTOFF)


STRATEGIES = {
    'complex': lambda: ComplexOnlyStrategy(schnet(), head()),
    'delta': lambda: DeltaStrategy(schnet()),
    'delta, separate': lambda: DeltaStrategy(
        schnet(), schnet(), schnet(), head()
    ),
    'concat': lambda: ConcatStrategy(schnet(), head(3)),
}


def strategy_of(name):
    torch.manual_seed(0)
    return STRATEGIES[name]().double()


def everything(strategy, sets, y):
    """Values, and gradients of all that they depend on."""
    loss = (y * torch.arange(1.0, 1 + y.numel()).to(y)).sin().sum()
    wanted = [*leaves_of(sets), *strategy.parameters()]
    return [y.detach(), *torch.autograd.grad(loss, wanted, allow_unused=True)]


def plainly(strategy, sets):
    """As above, of means over plain complexes."""
    leaves_of(sets)
    graphs, number = graphs_of(sets)
    poses = strategy(graphs).squeeze(1)
    y = torch.stack([poses[number == n].mean() for n in range(len(sets))])
    return everything(strategy, sets, y)


def same(got, expected):
    for one, two in zip(got, expected, strict=True):
        one = torch.zeros_like(two) if one is None and two is not None else one
        if two is not None:
            error = (one - two).abs().max()
            assert error <= 1e-10 * (two.abs().max() + 1e-2)


def test_complexes_share():
    strategy, sets = strategy_of('complex'), make_sets()
    expected = plainly(strategy, sets)
    readout = MultiPoseReadout(strategy, 'mean', share_receptor=True)
    out = trusting(readout)(batch_of(sets))
    assert readout.last_plan.receptor.endswith('once for all of its poses')
    same(everything(strategy, sets, out), expected)


@pytest.mark.parametrize('name', ['delta', 'delta, separate', 'concat'])
def test_the_receptor_alone_is_another_one(name):
    """In each pose: none is shared, and it is said why."""
    strategy, sets = strategy_of(name), make_sets()
    expected = plainly(strategy, sets)
    readout = MultiPoseReadout(strategy, 'mean')
    out = readout(batch_of(sets))
    message = 'atoms of the receptor have moved in 6 poses'
    assert message in readout.last_plan.receptor
    same(everything(strategy, sets, out), expected)
    asked = MultiPoseReadout(strategy, 'mean', share_receptor=True)
    with pytest.raises(ValueError, match=message):
        asked(batch_of(sets))
    # In this one nothing has moved, though something might.
    rigid = sets[3:]
    expected = plainly(strategy, rigid)
    out = trusting(asked)(batch_of(rigid))
    assert asked.last_plan.counts.encoded == 1
    same(everything(strategy, rigid, out), expected)
