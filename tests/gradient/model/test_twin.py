"""A copy of a model does as the model does, and leaves no trace."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules import module as of_all
from torch.nn.utils import parametrizations, parametrize, weight_norm

from pyg_multipose.gradient.model.twin import (
    GATE,
    NoTwinError,
    aside,
    default_dtype,
    doubled,
    looking,
    perturb,
    random_states,
    same_parameters,
    seed,
    twin,
)

CPU = torch.device('cpu')
SEEN = []


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(2, 2)
        self.again = self.lin
        self.none = None
        self.gate = nn.Parameter(torch.zeros(1))
        self.large = nn.Parameter(torch.ones(GATE + 1))
        self.register_buffer('zeros', torch.zeros(2))
        self.register_buffer('constant', torch.tensor([1.0, 0.0]))
        self.register_buffer('number', torch.zeros(1, dtype=torch.long))
        self.kept = [self.lin.weight]

    def forward(self, x):
        SEEN.append(1)
        return self.again(self.lin(x))


def test_it_shares_nothing():
    model = Net()
    copied = twin(model)
    own = {t.data_ptr() for t in (*model.parameters(), *model.buffers())}
    its = {t.data_ptr() for t in (*copied.parameters(), *copied.buffers())}
    assert not own & its
    assert copied.again is copied.lin is not model.lin
    assert copied.kept[0] is copied.lin.weight
    x = torch.randn(3, 2)
    assert torch.equal(copied(x), model(x))


def test_second_copies_have_the_same_parameters():
    copied = twin(Net())
    second = same_parameters(copied)
    assert second is not copied and second.zeros is not copied.zeros
    pairs = zip(copied.parameters(), second.parameters(), strict=True)
    assert all(one is two for one, two in pairs)


def test_hooks_of_the_user_are_left_out():
    model, seen = Net(), []
    model.register_forward_hook(lambda *args: seen.append(1))
    model.lin.register_forward_pre_hook(lambda *args: seen.append(1))
    twin(model)(torch.randn(3, 2))
    assert not seen


@pytest.mark.filterwarnings('ignore:.*weight_norm')
@pytest.mark.parametrize(
    'wrap', [weight_norm, parametrizations.weight_norm, nn.Sequential]
)
def test_weights_that_are_computed(wrap):
    model = wrap(nn.Linear(2, 2))
    x = torch.randn(3, 2)
    model(x)
    copied = twin(model)
    assert torch.equal(copied(x), model(x))
    with torch.no_grad():
        for p in copied.parameters():
            p.mul_(2).add_(1)
    assert not torch.allclose(copied(x), model(x))
    copied(x).sum().backward()
    assert all(p.grad is not None for p in copied.parameters())


def test_what_is_compiled_runs_as_it_was_written():
    model = Net()
    whole = torch.compile(model, backend='eager')
    assert type(twin(whole)) is Net
    model.lin.compile(backend='eager')
    assert twin(model).lin._compiled_call_impl is None


def test_models_that_cannot_be_copied():
    inner = nn.Linear(2, 2)

    class Captures(Net):
        def forward(self, x):
            return inner(x)

    with pytest.raises(NoTwinError, match='inner'):
        twin(Captures())

    def fails(*args):
        raise KeyError('no')

    model = Net()
    model.part = type('Part', (), {'__deepcopy__': fails})()
    with pytest.raises(NoTwinError, match='no'):
        twin(model)


@pytest.mark.parametrize('where', ['near', 'turned', 'open'])
def test_perturbed(where):
    model = Net()
    with torch.no_grad():
        model.lin.weight.fill_(1.0)
    perturb(model, torch.Generator().manual_seed(0), where)
    assert 0 < model.zeros.abs().max()
    assert model.constant.tolist() == [1.0, 0.0]
    assert model.number.tolist() == [0]
    assert model.gate.item() != 0
    sign = -1 if where == 'turned' else 1
    large = sign * model.large
    assert large.min() > 0.4 and large.max() < 1.6 and large.std() > 0.05
    if where == 'open':
        assert model.gate > 2 and model.lin.weight.min() > 2
    else:
        assert model.gate.abs() < 1
        assert (sign * model.lin.weight - 1).abs().max() < 0.5


def test_a_gate_that_rounding_has_moved_is_perturbed_as_a_closed_one():
    model = Net()
    model.gate.data.fill_(-2e-16)
    perturb(model, torch.Generator().manual_seed(0))
    assert model.gate.abs() > 1e-3


@pytest.mark.parametrize('around', [aside, looking])
def test_no_trace(around, monkeypatch):
    monkeypatch.setitem(globals(), 'SEEN', [])
    model, seen = Net(), []
    hook = lambda *args: seen.append(1)  # noqa: E731
    handle = of_all.register_module_forward_hook(hook)
    before = random_states(CPU)
    try:
        with parametrize.cached():
            parametrize._cache['key'] = 1
            with pytest.raises(MemoryError), around(CPU, model):
                assert not parametrize._cache_enabled
                assert not parametrize._cache
                assert not of_all._global_forward_hooks
                seed(CPU, 1)
                random.random()
                np.random.rand()
                model(torch.randn(3, 2))
                SEEN.append(2)
                assert not torch.is_inference_mode_enabled()
                raise MemoryError
            assert parametrize._cache_enabled == 1
            assert parametrize._cache == {'key': 1}
        assert of_all._global_forward_hooks
        assert random_states(CPU) == before
        assert not seen and not SEEN
    finally:
        handle.remove()


@pytest.mark.parametrize(
    'draw', [random.random, np.random.rand, lambda: torch.rand(1)]
)
def test_every_generator_counts(draw):
    before = random_states(CPU)
    assert random_states(CPU) == before
    draw()
    assert random_states(CPU) != before


def test_without_autocast_and_inference_mode():
    with torch.autocast('cpu', torch.bfloat16), torch.inference_mode():
        with looking(CPU, Net()):
            assert not torch.is_autocast_enabled('cpu')
            assert not torch.is_inference_mode_enabled()
        assert torch.is_autocast_enabled('cpu')


def test_default_dtype_and_doubled():
    with pytest.raises(MemoryError), default_dtype(torch.float64):
        assert torch.ones(1).dtype == torch.float64
        raise MemoryError
    assert torch.ones(1).dtype == torch.float32
    values = {'a': torch.ones(1, requires_grad=True), 'b': torch.arange(2)}
    out = doubled({**values, 'c': 'text'})
    assert out['a'].dtype == torch.float64 and not out['a'].requires_grad
    assert out['b'].dtype == torch.int64 and out['c'] == 'text'
    out['b'] += 1
    assert values['b'].tolist() == [0, 1]
