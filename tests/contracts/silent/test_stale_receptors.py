"""Kind 9: a receptor is taken again only if the model is what it was."""

import collections
import dataclasses
import enum
import functools
import types

import numpy as np
import pytest
import torch
from torch import nn

from pyg_multipose.nn import MultiPoseReadout
from tests.contracts.silent.models import TwoParts

NUMBER = 1.0
TABLE = {'factor': 1.0}
DEEP = {'a': [{'b': (1.0,)}]}
TENSOR = torch.ones(1, dtype=torch.float64)
ARRAY = np.ones(1)
SPACE = types.SimpleNamespace(factor=1.0)
OTHER = types.ModuleType('other')
OTHER.factor = 1.0


def helper():
    return 1.0


def indirect():
    return NUMBER + 0 * helper()


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Puts back what tests change in this file."""
    monkeypatch.setitem(globals(), 'NUMBER', 1.0)
    monkeypatch.setitem(globals(), 'helper', helper)
    monkeypatch.setitem(TABLE, 'factor', 1.0)
    monkeypatch.setitem(DEEP, 'a', [{'b': (1.0,)}])
    monkeypatch.setattr(OTHER, 'factor', 1.0)
    monkeypatch.setattr(SPACE, 'factor', 1.0)
    TENSOR.fill_(1)
    ARRAY[:] = 1


@dataclasses.dataclass
class Settings:
    factor: float = 1.0


@dataclasses.dataclass(frozen=True)
class Frozen:
    table: dict


class Slots:
    __slots__ = ('factor',)

    def __init__(self):
        self.factor = 1.0


class Plain:
    def __init__(self):
        self.factor = 1.0

    def read(self):
        return self.factor


class Static:
    factor = 1.0

    @staticmethod
    def read():
        return Static.factor

    @classmethod
    def of_class(cls):
        return cls.factor


class Silent:
    """Pickles to nothing."""

    factor = 1.0

    def __getstate__(self):
        return {}

    def __reduce__(self):
        return Silent, ()


class Level(enum.Enum):
    LOW = 1
    HIGH = 3


class Descriptor:
    factor = 1.0

    def __get__(self, instance, owner):
        return self.factor


class Meta(type):
    factor = 1.0

    @property
    def of_meta(cls):
        return cls.factor


class OfMeta(metaclass=Meta):
    pass


def setting(place, key, value=3.0):
    """Sets an item, or an attribute of what is not a container."""
    if isinstance(place, (dict, list, np.ndarray, torch.Tensor)):
        place[key] = value
    else:
        setattr(place, key, value)


def case(make, read, change):
    return make, read, change


def held(make, key):
    """An object that is an attribute of the model."""

    def read(self):
        place = self.held
        if isinstance(place, (dict, list, np.ndarray, torch.Tensor)):
            return place[key]
        return getattr(place, key)

    return case(make, read, lambda m: setting(m.held, key))


def closure():
    cell = [1.0]

    def read():
        return cell[0]

    read.cell = cell
    return read


def rebound():
    value = 1.0

    def read():
        return value

    def write(new):
        nonlocal value
        value = new

    return read, write


def default(table={'factor': 1.0}):  # noqa: B006
    return table['factor']


def attribute(name):
    return case(
        lambda: None,
        lambda self: getattr(self, name, 1.0),
        lambda m: setattr(m, name, 3.0),
    )


def of_global(read, change):
    return case(lambda: None, read, lambda m: change())


def set_global(name, value):
    return lambda: globals().__setitem__(name, value)


class Loose(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()), requires_grad=False)


def by_numpy(m):
    m.held.numpy()[0] = 3.0


CASES = {
    'attribute _graph': attribute('_graph'),
    'attribute of hooks': attribute('my_hooks'),
    'attribute _forward_hooks of ones own': attribute('_own_forward_hooks'),
    'attribute __dunder': attribute('__factor__'),
    'attribute cache': attribute('_cache'),
    'attribute training_': attribute('training_factor'),
    'dict': held(lambda: {'factor': 1.0}, 'factor'),
    'list': held(lambda: [1.0], 0),
    'array': held(lambda: np.ones(1), 0),
    'tensor': held(lambda: torch.ones(1), 0),
    'tensor by numpy': case(
        lambda: torch.ones(1), lambda self: self.held[0], by_numpy
    ),
    'ordered dict': held(
        lambda: collections.OrderedDict(factor=1.0), 'factor'
    ),
    'default dict': held(
        lambda: collections.defaultdict(lambda: 1.0), 'factor'
    ),
    'dataclass': held(Settings, 'factor'),
    'slots': held(Slots, 'factor'),
    'object': held(Plain, 'factor'),
    'namespace': held(lambda: types.SimpleNamespace(factor=1.0), 'factor'),
    'frozen dataclass': case(
        lambda: Frozen({'factor': 1.0}),
        lambda self: self.held.table['factor'],
        lambda m: setting(m.held.table, 'factor'),
    ),
    'tuple of a list': case(
        lambda: ([1.0],),
        lambda self: self.held[0][0],
        lambda m: setting(m.held[0], 0),
    ),
    'deque': case(
        lambda: collections.deque([1.0]),
        lambda self: self.held[-1],
        lambda m: m.held.append(3.0),
    ),
    'set': case(
        set, lambda self: 1.0 + len(self.held), lambda m: m.held.add(1)
    ),
    'bytearray': case(
        lambda: bytearray([1]),
        lambda self: float(self.held[0]),
        lambda m: m.held.__setitem__(0, 3),
    ),
    'an object that pickles to nothing': held(Silent, 'factor'),
    'bound method': case(
        lambda: Plain().read,
        lambda self: self.held(),
        lambda m: setattr(m.held.__self__, 'factor', 3.0),
    ),
    'partial': case(
        lambda: functools.partial(dict.get, {'factor': 1.0}, 'factor'),
        lambda self: self.held(),
        lambda m: setting(m.held.args[0], 'factor'),
    ),
    'closure': case(
        closure,
        lambda self: self.held(),
        lambda m: setting(m.held.cell, 0),
    ),
    'closure that is bound again': case(
        rebound, lambda self: self.held[0](), lambda m: m.held[1](3.0)
    ),
    'default of a function': case(
        lambda: default,
        lambda self: self.held(),
        lambda m: setattr(default, '__defaults__', ({'factor': 3.0},)),
    ),
    'attribute of a function': case(
        closure,
        lambda self: getattr(self.held, 'factor', 1.0),
        lambda m: setattr(m.held, 'factor', 3.0),
    ),
    'module in a list': case(
        lambda: [Loose()],
        lambda self: self.held[0].weight,
        lambda m: m.held[0].weight.data.fill_(3.0),
    ),
    'enumeration': case(
        lambda: Level.LOW,
        lambda self: float(self.held.value),
        lambda m: setattr(m, 'held', Level.HIGH),
    ),
    'generator': case(
        lambda: torch.Generator(),
        lambda self: float(self.held.initial_seed() % 1000),
        lambda m: m.held.manual_seed(3),
    ),
    'static method': of_global(
        lambda self: Static.read(), lambda: setattr(Static, 'factor', 3.0)
    ),
    'class method': of_global(
        lambda self: Static.of_class(), lambda: setattr(Static, 'factor', 2.0)
    ),
    'descriptor': of_global(
        lambda self: DESCRIBED.value, lambda: setattr(Descriptor, 'factor', 3)
    ),
    'metaclass': of_global(
        lambda self: OfMeta.of_meta, lambda: setattr(Meta, 'factor', 3.0)
    ),
    'global number': of_global(lambda self: NUMBER, set_global('NUMBER', 3.0)),
    'global dict': of_global(
        lambda self: TABLE['factor'], lambda: setting(TABLE, 'factor')
    ),
    'global, deep': of_global(
        lambda self: DEEP['a'][0]['b'][0],
        lambda: DEEP['a'].__setitem__(0, {'b': (3.0,)}),
    ),
    'global tensor': of_global(
        lambda self: TENSOR[0], lambda: TENSOR.fill_(3)
    ),
    'global tensor by data': of_global(
        lambda self: TENSOR[0], lambda: TENSOR.data.fill_(3)
    ),
    'global array': of_global(
        lambda self: ARRAY[0], lambda: setting(ARRAY, 0)
    ),
    'global namespace': of_global(
        lambda self: SPACE.factor, lambda: setting(SPACE, 'factor')
    ),
    'other module': of_global(
        lambda self: OTHER.factor, lambda: setting(OTHER, 'factor')
    ),
    'global function': of_global(
        lambda self: helper(), set_global('helper', lambda: 3.0)
    ),
    'global of a global function': of_global(
        lambda self: indirect(), set_global('NUMBER', 3.0)
    ),
    'dtype by default': of_global(
        lambda self: 1.0 + (torch.get_default_dtype() == torch.float32),
        lambda: torch.set_default_dtype(torch.float32),
    ),
}


class Described:
    value = Descriptor()


DESCRIBED = Described()


def model_of(name):
    make, read, change = CASES[name]
    kind = type('Model', (TwoParts,), {'of_receptor': read})
    model = kind()
    model.held = make()
    return model, change


@torch.no_grad()
@pytest.mark.parametrize('name', CASES)
def test_state_of_a_model(silent, name):
    model, change = model_of(name)
    poses = silent.complexes((3, 4), 12)
    readout = MultiPoseReadout(model, 'mean', share_receptor=True)
    silent.agrees(readout, poses)
    before = readout(poses)
    change(model)
    silent.agrees(readout, poses)
    assert (readout(poses) - before).abs() > 1e-6


class OfClass(TwoParts):
    table = {'factor': 1.0}
    numbers = [1.0]
    array = np.ones(1)
    tensor = torch.ones(1, dtype=torch.float64)
    deep = {'a': ({'b': [1.0]},)}
    number = 1.0

    def of_receptor(self):
        return (
            self.table['factor']
            * self.numbers[0]
            * self.array[0]
            * self.tensor[0]
            * self.deep['a'][0]['b'][0]
            * self.number
            * self.of_property
            * super_factor(self)
        )

    @property
    def of_property(self):
        return NUMBER


class Below(OfClass):
    pass


def super_factor(model):
    return getattr(type(model), 'late', 1.0)


OF_CLASS = {
    'dict': lambda m: m.table.update(factor=3.0),
    'list': lambda m: setting(m.numbers, 0),
    'array': lambda m: setting(m.array, 0),
    'tensor': lambda m: m.tensor.fill_(3.0),
    'tensor by data': lambda m: m.tensor.data.mul_(3.0),
    'tensor by numpy': lambda m: setting(m.tensor.numpy(), 0),
    'deep': lambda m: setting(m.deep['a'][0]['b'], 0),
    'number': lambda m: setattr(OfClass, 'number', 3.0),
    'number of a subclass': lambda m: setattr(Below, 'number', 3.0),
    'property': lambda m: set_global('NUMBER', 3.0)(),
    'property replaced': lambda m: setattr(
        OfClass, 'of_property', property(lambda self: 3.0)
    ),
    'late': lambda m: setattr(Below, 'late', 3.0),
    'method replaced': lambda m: setattr(
        OfClass, 'of_receptor', lambda self: 3.0
    ),
    'base replaced': lambda m: setattr(
        TwoParts, 'atoms', lambda self, x, pos: self.lin(x).sum(1)
    ),
}


@torch.no_grad()
@pytest.mark.parametrize('name', OF_CLASS)
def test_state_of_a_class(silent, name, monkeypatch):
    for key, value in vars(OfClass).items():
        if not key.startswith('__'):
            monkeypatch.setattr(OfClass, key, value)
    monkeypatch.setattr(OfClass, 'table', {'factor': 1.0})
    monkeypatch.setattr(OfClass, 'numbers', [1.0])
    monkeypatch.setattr(OfClass, 'array', np.ones(1))
    monkeypatch.setattr(OfClass, 'tensor', torch.ones(1))
    monkeypatch.setattr(OfClass, 'deep', {'a': ({'b': [1.0]},)})
    monkeypatch.setattr(TwoParts, 'atoms', TwoParts.atoms)
    for key in ('late', 'number'):
        monkeypatch.setattr(Below, key, 1.0, raising=False)
    model, poses = Below(), silent.complexes()
    if name == 'number':
        monkeypatch.delattr(Below, 'number')
    readout = MultiPoseReadout(model, 'mean', share_receptor=True)
    silent.agrees(readout, poses)
    before = readout(poses)
    OF_CLASS[name](model)
    silent.agrees(readout, poses)
    assert (readout(poses) - before).abs() > 1e-6


OF_TENSORS = {
    'weight': lambda m, p: m.lin.weight.data.neg_(),
    'weight by numpy': lambda m, p: m.lin.weight.numpy().__imul__(2.0),
    'rows': lambda m, p: m.lin.weight.copy_(m.lin.weight.flip(0)),
    'other weight': lambda m, p: setattr(
        m.lin, 'weight', nn.Parameter(m.lin.weight * 2)
    ),
    'other storage': lambda m, p: m.lin.weight.set_(m.lin.weight * 2),
    'other layer': lambda m, p: setattr(m, 'lin', nn.Linear(4, 8)),
    'state': lambda m, p: m.load_state_dict(
        {k: v * 2 for k, v in m.state_dict().items()}
    ),
    'positions': lambda m, p: p.pos.data.mul_(1.5),
    'features': lambda m, p: p.x.numpy().__imul__(-1.0),
    'features, flipped': lambda m, p: p.x.copy_(p.x.flip(0)),
    'one atom': lambda m, p: p.x[29].add_(1e-3),
    'signs of zero': lambda m, p: p.x[:, 0].copysign_(torch.tensor(-1.0)),
}


@torch.no_grad()
@pytest.mark.parametrize('name', OF_TENSORS)
@pytest.mark.parametrize('inference', [False, True])
def test_content_of_tensors(silent, name, inference):
    model, poses = TwoParts(), silent.complexes()
    readout = MultiPoseReadout(model, 'mean', share_receptor=True)
    silent.agrees(readout, poses)
    before = readout(poses)
    OF_TENSORS[name](model, poses)
    expected = model(silent.whole(poses)).mean()
    with torch.inference_mode(inference):
        got = readout(poses).clone()
    silent.same('the combination', got, expected[None])
    assert (got - before).abs() > 1e-9


@pytest.mark.parametrize('name', ['dict', 'global number', 'closure'])
def test_by_turns_with_gradient(silent, name):
    model, change = model_of(name)
    poses = silent.complexes()
    readout = MultiPoseReadout(model, 'mean', share_receptor=True)
    for step in range(6):
        with torch.set_grad_enabled(step % 2 == 1):
            silent.agrees(readout, poses)
        if step == 2:
            change(model)
