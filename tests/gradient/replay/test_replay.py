import warnings
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from pyg_multipose.gradient.model.traits import Traits
from pyg_multipose.gradient.replay import replay as module
from pyg_multipose.gradient.replay.replay import Replay

CPU = torch.device('cpu')


def test_states_are_kept_only_where_something_is_drawn():
    record = Replay([nn.Linear(1, 1)], CPU)
    with record.first_pass(again=True):
        for chunk in range(3):
            with record.recorded(chunk):
                drawn = torch.rand(3) if chunk == 1 else None
        last = drawn
    assert last is None
    assert record.draws and record.whole_chunks and not record.couples
    assert list(record._draws) == [1]
    single = Replay([nn.Linear(1, 1)], CPU)
    with single.first_pass(), single.recorded(0):
        torch.rand(3)
    assert single.draws and not single._draws  # there is no second pass


def test_second_pass_draws_the_same_and_leaves_no_trace():
    record = Replay([nn.Linear(1, 1)], CPU)
    first = []
    with record.first_pass(again=True):
        for chunk in range(3):
            with record.recorded(chunk):
                first.append(torch.rand(4))
    state = torch.get_rng_state()
    with record.second_pass():
        for chunk in (2, 0):
            record.enter(chunk)
            assert torch.equal(torch.rand(4), first[chunk])
    assert torch.equal(state, torch.get_rng_state())


def test_second_pass_leaves_no_trace_of_a_model_that_did_not_draw():
    record = Replay([nn.Linear(1, 1)], CPU)
    with record.first_pass(again=True), record.recorded(0):
        pass
    state = torch.get_rng_state()
    with pytest.raises(MemoryError), record.second_pass():
        record.enter(None)
        torch.rand(4)
        raise MemoryError
    assert torch.equal(state, torch.get_rng_state())


def test_flags_and_autocast_are_those_of_the_first_pass():
    model = nn.Sequential(nn.Linear(1, 1), nn.Dropout()).train()
    with torch.autocast('cpu', torch.bfloat16):
        record = Replay(list(model.modules()), CPU)
        with record.first_pass(again=True):
            pass
    assert record.autocast_dtype == 'torch.bfloat16'
    assert not record.half_autocast
    model[1].eval()
    with record.second_pass():
        assert model[1].training
        assert torch.is_autocast_enabled('cpu')
        assert torch.get_autocast_dtype('cpu') == torch.bfloat16
    assert not model[1].training
    assert not torch.is_autocast_enabled('cpu')


def test_what_a_chunk_drew_before_it_failed_is_known():
    record = Replay([nn.Linear(1, 1)], CPU)
    state = torch.get_rng_state()
    with pytest.raises(MemoryError), record.first_pass():
        with record.recorded(3):
            torch.rand(1)
            raise MemoryError
    assert record.draws and record.chunk == 3
    assert torch.equal(state, torch.get_rng_state())


def test_random_numbers_of_an_accelerator(monkeypatch):
    """By torch's own utilities, which a generator stands in for here."""
    device = torch.Generator().manual_seed(0)
    monkeypatch.setattr(
        module, 'get_device_states', lambda *_: ([0], [device.get_state()])
    )

    def restore(numbers, states, *, device_type):
        for number, state in zip(numbers, states, strict=True):
            assert number == 0
            device.set_state(state)

    monkeypatch.setattr(module, 'set_device_states', restore)

    def fork(devices):
        assert [d.type for d in devices] == ['meta']
        return nullcontext()

    monkeypatch.setattr(module.torch.random, 'fork_rng', fork)
    record = Replay([nn.Linear(1, 1)], CPU)
    record._somewhere = torch.empty(0, device='meta')
    record._start = record._random_state()
    first = []
    with record.first_pass(again=True):
        for chunk in range(3):
            with record.recorded(chunk):
                first.append(torch.rand(4, generator=device))
    assert record.draws
    assert record._draws[1][0] is None  # the CPU's 5 kB are not kept
    with record.second_pass():
        for chunk in (1, 0, 2):
            record.enter(chunk)
            again = torch.rand(4, generator=device)
            assert torch.equal(again, first[chunk])
    record.rewind()
    assert torch.equal(torch.rand(4, generator=device), first[0])


@pytest.mark.parametrize(
    ('module', 'couples'),
    [
        (nn.BatchNorm1d(2), True),
        (nn.BatchNorm1d(2).eval(), False),
        (nn.BatchNorm1d(2, track_running_stats=False).eval(), True),
        (nn.InstanceNorm1d(2), False),
        (nn.LayerNorm(2), False),
    ],
)
def test_norms_over_chunks(module, couples):
    record = Replay([module], CPU)
    assert record.couples is couples
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        record.warn(1)
        if not couples:
            record.warn(2)
    if couples:
        with pytest.warns(UserWarning, match='BatchNorm1d takes .* 2 chunks'):
            record.warn(2)


def test_what_was_seen_before():
    traits = Traits()
    traits.draws = traits.changes = traits.needs_graph = True
    record = Replay([nn.Linear(1, 1)], CPU)
    record.know(traits)
    assert record.needs_graph and not record.whole_chunks
    record.know(traits, whole=True)
    assert record.draws and record.couples
    traits.mixes = "'norm' (Norm) mixes the poses"
    record = Replay([nn.Linear(1, 1)], CPU)
    record.know(traits)
    assert record.couples
    with pytest.warns(UserWarning, match="'norm' .Norm. mixes"):
        record.warn(2)


def test_casts_of_the_first_pass_are_forgotten(monkeypatch):
    calls = []
    clear = torch.clear_autocast_cache
    monkeypatch.setattr(
        torch, 'clear_autocast_cache', lambda: calls.append(1) or clear()
    )
    with torch.autocast('cpu', torch.bfloat16):
        with Replay([nn.Linear(1, 1)], CPU).first_pass():
            pass
        assert calls == [1]
