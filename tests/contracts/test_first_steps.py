"""After one step, `auto` costs about what the best fixed mode costs."""

from __future__ import annotations

import copy

import pytest
import torch

from pyg_multipose.nn import MaxCombination, MeanCombination, MultiPoseReadout
from tests.contracts.test_plans import SIZES, Net, batch_of

#: What a second step may cost, in passes of the best fixed mode.
NEAR = 1.15
FIXED = ('full', 'stream', 'recompute')


def readout_of(model, gradient, combination=None):
    return MultiPoseReadout(
        model,
        combination or MaxCombination(scale=1000.0),
        gradient,
        max_nodes_per_chunk=24,
    )


def step(readout, batch, return_poses=False):
    """Forward passes of poses, a backward pass being two; and the mode."""
    out = readout(batch, return_poses)
    (out[0] if return_poses else out).sum().backward()
    counts = readout.last_plan.counts
    return counts.forward + 2 * counts.backward, readout.last_plan.mode


def scaled(model, factor):
    """The weights of the head decide how many poses matter."""
    with torch.no_grad():
        model.mlp[-1].weight.mul_(factor)


def best(model, batch, return_poses=False):
    modes = [m for m in FIXED if m != 'stream' or not return_poses]
    return min(
        step(readout_of(copy.deepcopy(model), mode), batch, return_poses)[0]
        for mode in modes
    )


SHARP, SMOOTH = 1e3, 1e-7


@pytest.mark.parametrize('return_poses', [False, True])
@pytest.mark.parametrize('sizes', [SIZES, ((10,) * 16,), ((4,) * 9,)])
@pytest.mark.parametrize('ways', [(SHARP,), (SMOOTH, SHARP), (SHARP, SMOOTH)])
@pytest.mark.parametrize('before', [1, 7])
def test_the_second_step(ways, sizes, before, return_poses):
    batch, model = batch_of(sizes), Net()
    readout = readout_of(model, 'auto')
    for number, factor in enumerate(ways):
        scaled(model, factor if number == 0 else factor / ways[number - 1])
        if number < len(ways) - 1:
            for _ in range(before):
                step(readout, batch, return_poses)
    step(readout, batch, return_poses)  # the first one
    costs, modes = zip(
        *(step(readout, batch, return_poses) for _ in range(6)), strict=True
    )
    assert max(costs) <= NEAR * best(model, batch, return_poses)
    assert len(set(modes)) == 1


def test_sharp_and_smooth_batches_in_turn():
    """It keeps to one plan rather than to be wrong each time."""
    sharp, smooth = Net(), Net()
    scaled(sharp, SHARP), scaled(smooth, SMOOTH)
    batch, readout = batch_of(SIZES), readout_of(sharp, 'auto')
    modes = []
    for _ in range(8):
        for model in (sharp, smooth):
            readout.model.load_state_dict(model.state_dict())
            modes.append(step(readout, batch)[1])
    assert len(set(modes[4:])) == 1


def test_among_equals_what_holds_least():
    """A mean takes all poses backward, whatever holds their graphs."""
    batch = batch_of(SIZES)
    for gradient in ('auto', 'stream', 'full'):
        readout = readout_of(Net(), gradient, MeanCombination())
        cost, mode = step(readout, batch)
        assert cost == 3 * 16
        assert mode == ('stream' if gradient == 'auto' else gradient)
