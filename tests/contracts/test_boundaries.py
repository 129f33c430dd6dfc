"""Where poses see their chunk, the plan does not move chunk boundaries."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from pyg_multipose.gradient.plan import planner


class Noise(nn.Module):
    """One random number for each call."""

    def forward(self, h):
        return h * torch.rand(())


MODELS = {
    'noise': lambda kit: kit.TinyGNN(norm=Noise()),
    'dropout': lambda kit: kit.TinyGNN(dropout=0.5),
    'batch norm': lambda kit: kit.TinyGNN(
        norm=nn.Sequential(nn.BatchNorm1d(8), nn.SiLU())
    ),
    'spectral norm': lambda kit: kit.TinyGNN(
        norm=nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8))
    ),
}

pytestmark = pytest.mark.filterwarnings(
    'ignore:BatchNorm1d takes its statistics'
)


def call(readout, batch, state, **kwargs):
    readout.model.load_state_dict(state)
    torch.manual_seed(0)
    out = readout(batch, **kwargs)
    out = out[0] if isinstance(out, tuple) else out
    return out.detach(), readout.last_plan


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize('combination', ['mean', 'softmax'])
@pytest.mark.parametrize('first', ['share', 'no_grad', 'poses', 'none'])
def test_of_auto(kit, monkeypatch, name, combination, first):
    """The same numbers whatever is planned, and whatever came before."""
    torch.manual_seed(0)
    model = MODELS[name](kit).double()
    state = copy.deepcopy(model.state_dict())
    batch = kit.make_batch(sizes=((4,) * 40, (5,) * 40))  # 1080 atoms
    outs, modes = [], set()

    def note(readout, **kwargs):
        out, plan = call(readout, batch, state, **kwargs)
        outs.append(out)
        modes.add(plan.mode)

    readout = kit.MultiPoseReadout(model, combination)
    if first == 'share':
        readout._planner.lately.share = 0.01
    elif first == 'no_grad':
        with torch.no_grad():
            note(readout)
    elif first == 'poses':
        note(readout, return_poses=True)
    for share in (1.0, 0.01):
        readout._planner.lately.share = share
        note(readout)
        note(readout, return_poses=True)
        with torch.no_grad():
            note(readout)
    for free in (10**4, 10**9):
        monkeypatch.setattr(planner, 'free_bytes', lambda device, b=free: b)
        note(readout)
        note(copy.deepcopy(readout))
    for out in outs:
        assert torch.allclose(out, outs[0], rtol=1e-12, atol=0)
    assert len(modes) >= 3


@pytest.mark.parametrize('name', MODELS)
def test_of_one_chunk(kit, name):
    """What fits into one chunk runs as in plain PyTorch, call after call."""
    torch.manual_seed(0)
    model = MODELS[name](kit).double()
    state = copy.deepcopy(model.state_dict())
    batch = kit.make_batch()
    readout = kit.MultiPoseReadout(model, 'mean')
    full = kit.MultiPoseReadout(model, 'mean', gradient='full')
    expected, _ = call(full, batch, state)
    for _ in range(2):
        got, plan = call(readout, batch, state)
        assert plan.num_chunks == 1
        assert torch.equal(got, expected)
    large = kit.make_batch(sizes=((4,) * 40, (5,) * 40))
    call(readout, large, state)  # by which it knows the model
    assert torch.equal(call(readout, batch, state)[0], expected)


def test_a_model_that_begins_to_draw(kit):
    """Dropout that is switched on later: the call is run again."""
    model = kit.TinyGNN(dropout=0.0).double()
    state = model.state_dict()
    batch = kit.make_batch(sizes=((4,) * 40, (5,) * 40))
    readout = kit.MultiPoseReadout(model, 'mean')
    readout._planner.lately.share = 0.01
    call(readout, batch, state)
    assert readout.last_plan.num_chunks == 1  # cut by bytes
    model.dropout.p = 0.5
    first, plan = call(readout, batch, state)
    assert plan.num_chunks > 1
    assert plan.counts.forward >= 80
    again, _ = call(readout, batch, state)
    assert torch.equal(first, again)
