"""Receptors that are taken again: which, and how long they stay."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch_geometric.data import Data

from pyg_multipose.gradient.receptors.cache import MOST, ReceptorCache

CPU = torch.device('cpu')


class Model(nn.Module):
    """It counts nothing by itself: that would be a change."""

    def __init__(self, what=lambda model, receptor: receptor.pos):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))
        self.register_buffer('buffer', torch.zeros(()))
        self.what = what

    def encode_receptor(self, receptor):
        return [self.weight * self.what(self, receptor), {'size': 3}]


def receptor(number):
    return Data(pos=torch.full((3, 3), float(number)), z=torch.arange(3))


def encode(cache, model, *numbers):
    """How often the model was called."""
    receptors = [receptor(number) for number in numbers]
    states, count = cache.encode(model, receptors, CPU)
    for (out, rest), graph in zip(states, receptors, strict=True):
        assert torch.equal(out, model.weight * graph.pos)
        assert rest == {'size': 3}
    return count


@pytest.fixture
def no_grad():
    with torch.no_grad():
        yield


def test_those_of_the_last_call(no_grad):
    cache, model = ReceptorCache(), Model()
    assert encode(cache, model, 1) == 1
    assert encode(cache, model, 1) == 0
    assert encode(cache, model, 2, 1) == 1
    assert encode(cache, model, 1, 2) == 0
    assert encode(cache, model, 2) == 0
    assert encode(cache, model, 1) == 1


def test_few(no_grad):
    cache, model = ReceptorCache(), Model()
    assert encode(cache, model, *range(9)) == 9
    assert encode(cache, model, *range(9)) == 9 - MOST
    assert encode(cache, model, *range(4)) == 0


def test_with_gradient_nothing_is_kept():
    cache, model = ReceptorCache(), Model()
    with torch.no_grad():
        encode(cache, model, 1)
    states, count = cache.encode(model, [receptor(1)], CPU)
    assert count == 1 and states[0][0].requires_grad
    with torch.no_grad():
        assert encode(cache, model, 1) == 1


class Buffered(nn.Module):
    """It writes to the same tensor in every call, and to what it returned."""

    def __init__(self, overwrites):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))
        self.overwrites, self.returned = overwrites, []
        self.buffer = torch.zeros(3, 3)

    def encode_receptor(self, receptor):
        out = self.weight + receptor.pos
        if self.overwrites and self.returned:
            self.returned[-1][0].detach().zero_()
        self.buffer.copy_(receptor.pos)
        self.returned.append([out, out[1:], self.buffer])
        return self.returned[-1]


def test_with_gradient_fresh_tensors_are_no_copies():
    """They may be large; views and tensors of the model are copied."""
    model = Buffered(overwrites=False)
    states, count = ReceptorCache().encode(
        model, [receptor(1), receptor(2)], CPU
    )
    assert count == 2 == len(model.returned)
    for number, (out, view, buffer) in enumerate(states):
        assert out is model.returned[number][0]
        assert view is not model.returned[number][1]
        assert torch.equal(out, 2.0 + receptor(number + 1).pos)
        assert torch.equal(view, out[1:])
        assert torch.equal(buffer, receptor(number + 1).pos)


def test_with_gradient_what_was_overwritten_is_made_again():
    model = Buffered(overwrites=True)
    states, _ = ReceptorCache().encode(model, [receptor(1), receptor(2)], CPU)
    for number, (out, view, buffer) in enumerate(states, 1):
        assert torch.equal(out, 2.0 + receptor(number).pos)
        assert torch.equal(view, out[1:])
        assert torch.equal(buffer, receptor(number).pos)


def changed_buffer(model, receptor):
    model.buffer += 1
    return receptor.pos


def changed_attribute(model, receptor):
    model.calls = getattr(model, 'calls', 0) + 1
    return receptor.pos


def random(model, receptor):
    torch.rand(1)
    return receptor.pos


@pytest.mark.parametrize('what', [changed_buffer, changed_attribute, random])
def test_models_that_must_run_again(no_grad, what):
    cache, model = ReceptorCache(), Model(what)
    assert [encode(cache, model, 1) for _ in range(3)] == [1, 1, 1]


def test_a_change_that_is_taken_back(no_grad):
    cache, model = ReceptorCache(), Model(changed_buffer)
    for _ in range(2):
        assert encode(cache, model, 1) == 1
        assert model.buffer == 1
        model.buffer.zero_()


def changed_input(model, receptor):
    out = receptor.pos.clone()
    receptor.pos.zero_()
    return out


def test_models_that_change_what_they_get(no_grad):
    cache, model = ReceptorCache(), Model(changed_input)
    graph = receptor(1)
    for count in (1, 0):
        states, got = cache.encode(model, [graph], CPU)
        assert got == count and graph.pos.any()
        assert torch.equal(states[0][0], 2 * graph.pos)


class AsItIs(Model):
    """The state is the input."""

    def encode_receptor(self, receptor):
        return receptor.pos


def test_inputs_that_change_later(no_grad):
    """Behind autograd's back, and then as they were in another batch."""
    cache, model, graph = ReceptorCache(), AsItIs(), receptor(1)
    cache.encode(model, [graph], CPU)
    graph.pos.data.add_(1)
    (state,), _ = cache.encode(model, [receptor(1)], CPU)
    assert torch.equal(state, receptor(1).pos)


@pytest.mark.parametrize('inference', [False, True])
def test_states_that_are_written_to(inference):
    cache, model = ReceptorCache(), Model()
    with torch.inference_mode(inference), torch.no_grad():
        (state,), _ = cache.encode(model, [receptor(1)], CPU)
        assert encode(cache, model, 1) == 0
        state[0].add_(1)
        assert encode(cache, model, 1) == 1


def test_inference_mode_and_no_grad():
    cache, model = ReceptorCache(), Model()
    with torch.inference_mode():
        assert encode(cache, model, 1) == 1
    with torch.no_grad():
        assert encode(cache, model, 1) == 0
        (state,), _ = cache.encode(model, [receptor(1)], CPU)
    x = torch.ones(3, 3, requires_grad=True)
    (x * state[0]).sum().backward()  # not so with a tensor of inference mode
    assert torch.equal(x.grad, state[0])


class Unknown:
    """Nothing that a state is expected to hold."""


class UnknownState(Model):
    def encode_receptor(self, receptor):
        return [self.weight * receptor.pos, {'size': 3}, Unknown()]


def test_states_of_unknown_parts(no_grad):
    cache, model = ReceptorCache(), UnknownState()
    for _ in range(2):
        assert cache.encode(model, [receptor(1)], CPU)[1] == 1


def test_settings_of_torch(no_grad):
    cache, model = ReceptorCache(), Model()
    encode(cache, model, 1)
    default = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        assert encode(cache, model, 1) == 1
    finally:
        torch.set_default_dtype(default)
    assert encode(cache, model, 1) == 1
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast('cpu', dtype):
            assert encode(cache, model, 1) == 1
            assert encode(cache, model, 1) == 0
    precision = torch.get_float32_matmul_precision()
    encode(cache, model, 1)
    try:
        torch.set_float32_matmul_precision('medium')
        assert encode(cache, model, 1) == 1
    finally:
        torch.set_float32_matmul_precision(precision)


def test_an_error_leaves_nothing_wrong(no_grad):
    def failing(model, receptor):
        if receptor.pos[0, 0] == 2:
            raise RuntimeError('broken')
        return receptor.pos

    cache, model = ReceptorCache(), Model(failing)
    encode(cache, model, 1)
    with pytest.raises(RuntimeError, match='broken'):
        encode(cache, model, 1, 3, 2)
    assert encode(cache, model, 1, 3) <= 1


def test_copies_are_empty(no_grad):
    cache, model = ReceptorCache(), Model()
    encode(cache, model, 1)
    for made in (copy.deepcopy(cache), pickle.loads(pickle.dumps(cache))):
        assert encode(made, model, 1) == 1
    assert encode(cache, model, 1) == 0
