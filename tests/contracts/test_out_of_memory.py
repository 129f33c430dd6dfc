"""What happens when memory runs out: start again with less, or say why not."""

from __future__ import annotations

import copy
import pickle
import re
import warnings

import pytest
import torch
from torch import nn

MODES = ['full', 'store', 'stream', 'recompute', 'auto']
RESTART = 'Out of memory; the forward pass starts again'


def reference(kit, model, batch, combination='mean'):
    combination = kit.MultiPoseReadout(model, combination).combination
    combined = kit.combine(combination, kit.plain(model.model, batch), batch)
    tensors = list(model.parameters())
    return [combined, *kit.gradients(combined.pow(2).sum(), tensors)]


def results(kit, readout, batch):
    out = readout(batch)
    grads = torch.autograd.grad(
        out.pow(2).sum(), list(readout.model.parameters())
    )
    return [out.detach(), *grads]


@pytest.mark.parametrize('mode', MODES)
def test_first_pass_starts_again(kit, mode):
    """Exact, with a warning; the next call knows, and copies do too."""
    model, batch = kit.takes(30), kit.make_batch()
    expected = reference(kit, model, batch)
    readout = kit.MultiPoseReadout(model, 'mean', gradient=mode)
    if mode == 'store':  # one pose at a time unless asked: nothing to cut
        got = results(kit, readout, batch)
        assert kit.relative_error(got, expected, mode) <= 1e-10
        return
    with pytest.warns(UserWarning, match=RESTART) as caught:
        got = results(kit, readout, batch)
    assert kit.relative_error(got, expected, mode) <= 1e-10
    message = str(caught[0].message)
    new, old = map(
        int, re.search(r'(\d+) atoms \(.*: (\d+)', message).groups()
    )
    first = 52 if mode == 'stream' else 90  # of a set, of the batch
    assert (new, old) == (first // 2, first)
    assert readout.last_plan.max_nodes <= 30
    assert readout.last_plan.counts.forward <= 2 * 7  # of the last attempt
    for again in (
        readout,
        copy.deepcopy(readout),
        pickle.loads(pickle.dumps(readout._planner)),
    ):
        if again is not readout and not hasattr(again, 'model'):
            readout._planner, again = again, readout
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            got = results(kit, again, batch)
        assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('mode', MODES)
def test_without_gradient(kit, mode):
    model, batch = kit.takes(30), kit.make_batch()
    expected = reference(kit, model, batch)[:1]
    readout = kit.MultiPoseReadout(model, 'mean', gradient=mode)
    with torch.no_grad(), pytest.warns(UserWarning, match=RESTART):
        got = readout(batch)
    assert kit.relative_error([got], expected) <= 1e-10


@pytest.mark.parametrize('mode', ['full', 'store', 'stream', 'recompute'])
def test_chunks_that_were_asked_for_stay(kit, mode):
    batch = kit.make_batch()
    readout = kit.MultiPoseReadout(
        kit.takes(30), 'mean', gradient=mode, max_nodes_per_chunk=60
    )
    with pytest.raises(
        torch.OutOfMemoryError, match='their size was asked for'
    ) as error:
        readout(batch)
    assert '30 wanted' in str(error.value.__cause__) or error.value.__cause__
    advice = re.search(r'max_nodes_per_chunk=(\d+)', str(error.value))
    readout.max_nodes_per_chunk = int(advice.group(1))
    assert readout(batch).isfinite().all()


def test_auto_goes_below_what_was_asked_for(kit):
    """It is the most of a chunk, and `auto` may take less."""
    model, batch = kit.takes(30), kit.make_batch()
    expected = reference(kit, model, batch)
    readout = kit.MultiPoseReadout(model, 'mean', max_nodes_per_chunk=60)
    with pytest.warns(UserWarning, match=RESTART):
        got = results(kit, readout, batch)
    assert kit.relative_error(got, expected) <= 1e-10
    readout.max_nodes_per_chunk = 14
    readout(batch)
    assert readout.last_plan.max_nodes <= 15  # one pose


@pytest.mark.parametrize('gradient', [True, False])
@pytest.mark.parametrize('mode', MODES)
def test_one_pose_does_not_fit(kit, mode, gradient):
    """Named with its set, number and atoms; the cause stays."""
    batch = kit.make_batch(sizes=((3, 4), (3, 20, 3)))
    readout = kit.MultiPoseReadout(kit.takes(20), 'mean', gradient=mode)
    with torch.set_grad_enabled(gradient), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with pytest.raises(
            torch.OutOfMemoryError,
            match="one pose, set 'cpd-1', pose 1 of 29 atoms",
        ) as error:
            readout(batch)
    assert str(error.value.__cause__) == '0 held, 29 wanted'
    if gradient and mode in ('full', 'store'):
        assert "use gradient='auto'" in str(error.value)
    else:
        assert 'smaller cut of the receptor' in str(error.value)


class Shifts(nn.Module):
    """Reads and changes a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer('steps', torch.zeros(()))

    def forward(self, h):
        self.steps += 1
        return h * self.steps


COUPLED = {
    'dropout': {'dropout': 0.5},
    'batch norm': {'norm': nn.BatchNorm1d(8)},
    'buffer': {'norm': Shifts()},
}


@pytest.mark.filterwarnings('ignore:BatchNorm1d takes its statistics')
@pytest.mark.filterwarnings(f'ignore:{RESTART}')
@pytest.mark.parametrize('name', COUPLED)
@pytest.mark.parametrize('mode', ['full', 'stream', 'recompute', 'auto'])
@pytest.mark.parametrize('gradient', [True, False])
def test_boundaries_stay_where_they_matter(kit, mode, name, gradient):
    """Memory runs out before the model has shown that it draws or couples."""
    model = kit.takes(30, **copy.deepcopy(COUPLED[name]))
    batch = kit.make_batch()
    readout = kit.MultiPoseReadout(model, 'mean', gradient=mode)
    for _ in range(2):  # and again
        before = copy.deepcopy(model.state_dict())
        random = torch.get_rng_state()
        with torch.set_grad_enabled(gradient):
            with pytest.raises(
                torch.OutOfMemoryError, match='would give another result'
            ) as error:
                readout(batch)
        assert torch.equal(random, torch.get_rng_state())
        for key, value in model.state_dict().items():
            assert torch.equal(value, before[key]), key
        assert all(p.grad is None for p in model.parameters())
        assert 'one pose at a time, here of up to 15 atoms' in str(error.value)
        assert isinstance(error.value.__cause__, torch.OutOfMemoryError)
    message = str(error.value)
    for _ in range(3):  # until the advice does
        advice = re.search(r'max_nodes_per_chunk=(\d+)', message)
        other = kit.MultiPoseReadout(
            model, 'mean', gradient=mode,
            max_nodes_per_chunk=int(advice.group(1)),
        )  # fmt: skip
        try:
            assert other(batch).isfinite().all()
            break
        except torch.OutOfMemoryError as another:
            # Only where nothing smaller has been tried yet.
            assert name == 'batch norm' or mode == 'auto'
            message = str(another)
    else:
        pytest.fail('the advice does not help')


@pytest.mark.filterwarnings('ignore:BatchNorm1d takes its statistics')
@pytest.mark.parametrize('name', COUPLED)
def test_the_budget_that_is_advised_does(kit, name):
    norm = copy.deepcopy(COUPLED[name])
    model, batch = kit.takes(30, **norm), kit.make_batch()
    readout = kit.MultiPoseReadout(model, 'mean', memory_budget=10**9)
    with pytest.raises(torch.OutOfMemoryError) as error:
        readout(batch)
    advice = re.search(r'memory_budget=(\d+)', str(error.value))
    other = kit.MultiPoseReadout(
        model, 'mean', memory_budget=int(advice.group(1))
    )
    assert other(batch).isfinite().all()
    assert other.last_plan.max_nodes <= 30


def test_restart_draws_nothing_twice(kit):
    """Where a model draws in some chunks only, the others decide nothing."""

    class Late(nn.Module):
        def forward(self, h):
            return h + torch.rand(()) if len(h) < 13 else h

    model = kit.takes(30, norm=Late())
    batch = kit.make_batch(sizes=((5, 5, 5, 5, 1),))
    readout = kit.MultiPoseReadout(model, 'mean', gradient='recompute')
    random = torch.get_rng_state()
    # It was seen before that poses alone get other predictions.
    with pytest.raises(torch.OutOfMemoryError, match='another result'):
        readout(batch)
    assert torch.equal(random, torch.get_rng_state())


@pytest.mark.parametrize('mode', ['recompute', 'auto'])
def test_drawn_poses_stay_the_same(kit, mode):
    """A pass that failed has drawn nothing from the readout's generator."""
    batch, got = kit.make_batch(sizes=((4,) * 8,)), []
    for limit in (10**6, 60):
        model = kit.takes(limit)
        readout = kit.MultiPoseReadout(
            *(model, 'mean', mode),
            backward_poses=2,
            share_receptor=False,
        )
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            got.append(results(kit, readout, batch))
    assert kit.relative_error(*got, mode) <= 1e-10
    state = readout.generator.get_state()
    model.memory[0].limit = 10
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with pytest.raises(torch.OutOfMemoryError):
            readout(batch)
    assert torch.equal(state, readout.generator.get_state())
