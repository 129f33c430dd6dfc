"""What the code of a model reaches past it is found, and put back."""

import copy
import functools
from collections import deque
from types import ModuleType

import pytest
import torch
from torch import nn

from pyg_multipose.gradient.replay.surroundings import (
    Surroundings,
    is_large,
)

NUMBER = 1
NESTED = {'a': {'b': [1.0]}}
QUEUE, SET, BYTES = deque([1]), {1}, bytearray(b'1')
OF_FUNCTION, OF_PROPERTY, OF_SETTER, OF_HOOK, OF_PARTIAL = 1, 1, 1, 1, 1
OF_LAMBDA, OF_CLASS = 1, 1
TOOLS = ModuleType('tools')
TOOLS.level = 1


class Thing:
    counts = [0]

    def __init__(self):
        self.value = 1

    def call(self):
        return OF_CLASS


THING = Thing()


def function(x):
    return x * OF_FUNCTION


def of_partial(x, y):
    return x * OF_PARTIAL


def of_hook(module, args):
    return OF_HOOK


def closed():
    cell, inner = [1.0], nn.Linear(1, 1)
    return (lambda x: x * cell[0]), (lambda x: inner(x))


class Net(nn.Module):
    of_class = [1.0]

    def __init__(self):
        super().__init__()
        self.act = nn.Tanh()
        self.closed = closed()[0]

    @property
    def level(self):
        return OF_PROPERTY

    @level.setter
    def level(self, value):
        self.value = OF_SETTER

    def forward(self, x, seen=[]):  # noqa: B006
        many = [(lambda y: y * OF_LAMBDA)(x) for _ in range(2)]
        x = function(x) * NUMBER * NESTED['a']['b'][0] * TOOLS.level
        return x + len(QUEUE) + len(SET) + len(BYTES) + THING.value + many[0]

    def make(self):
        return Thing()


def test_it_finds():
    model = Net()
    model.partial = functools.partial(of_partial, 2)
    model.act.register_forward_pre_hook(of_hook)
    found = Surroundings(model.modules()).values()
    names = ['NUMBER', 'NESTED', 'QUEUE', 'SET', 'BYTES', 'THING']
    names += ['OF_FUNCTION', 'OF_PROPERTY', 'OF_SETTER', 'OF_HOOK']
    names += ['OF_PARTIAL', 'OF_LAMBDA', 'OF_CLASS']
    for name in names:
        key = f"the global variable '{__name__}.{name}'"
        assert found[key] is globals()[name], name
    assert found["the global variable 'tools.level'"] == 1
    assert found["'of_class' of class Net"] is Net.of_class
    assert found["'counts' of class Thing"] is Thing.counts
    assert found["'cell', captured by closed.<locals>.<lambda>"] == [1.0]
    assert found['default 0 of Net.forward'] == []


def spoil():
    globals()['NUMBER'] = 2
    TOOLS.level = 2
    THING.value = 2
    THING.new = 1
    Thing.counts[0] += 1
    Net.of_class = [2.0]
    NESTED['a']['b'].append(2.0)
    NESTED['c'] = 1
    QUEUE.append(2)
    SET.add(2)
    BYTES.extend(b'2')


def spoil_in_place():
    """Nothing becomes longer."""
    NESTED['a']['b'][0] = 2.0
    QUEUE[0] = 2
    SET.clear()
    SET.add(2)
    BYTES[0] = 50
    NESTED['a'] = {'b': [1.0]}
    THING.value = 2


def state():
    values = NUMBER, NESTED, QUEUE, SET, BYTES, vars(THING), Thing.counts
    return copy.deepcopy((*values, TOOLS.level, Net.of_class))


@pytest.mark.parametrize('change', [spoil, spoil_in_place])
def test_all_is_put_back(change):
    model, before = Net(), state()
    objects = Net.of_class, NESTED['a'], NESTED['a']['b']
    seen = Net.forward.__defaults__[0]
    cell = model.closed.__closure__[0]
    content = cell.cell_contents
    with pytest.raises(MemoryError):
        with Surroundings(model.modules()).restored():
            change()
            seen.append(1)
            content[0] = 2.0
            cell.cell_contents = [3.0]
            assert state() != before
            raise MemoryError
    assert state() == before
    now = Net.of_class, NESTED['a'], NESTED['a']['b']
    assert all(map(lambda one, two: one is two, objects, now))
    assert seen == [] and content == [1.0]
    assert cell.cell_contents is content


def test_captured_modules():
    model = Net()
    assert not Surroundings(model.modules()).captured
    model.closed = closed()[1]
    found = Surroundings(model.modules()).captured
    assert found.startswith("'inner', captured by closed")
    assert found.endswith('holds a module (Linear)')


def test_what_is_large():
    assert is_large(list(range(5000)))
    assert is_large([torch.empty(2**22), torch.ones(1)])
    assert not is_large([torch.ones(2**10)] * 10)
    assert not is_large(list(range(1000)))


def test_functions_of_one_factory_have_places_of_their_own():
    def factory(held):
        return lambda *args: held[0]

    model, held = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1)), ([1], [2])
    for layer, one in zip(model, held, strict=True):
        layer.register_forward_hook(factory(one))
    values = list(Surroundings(model.modules()).values().values())
    assert all(any(value is one for value in values) for one in held)
