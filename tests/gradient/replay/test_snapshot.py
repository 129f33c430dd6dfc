"""Whether something is as it was, however it was changed."""

import threading
from collections import OrderedDict

import pytest
import torch
from torch import nn

from pyg_multipose.gradient.replay.snapshot import Snapshot
from pyg_multipose.nn.models import EquivariantGNN, SchNet


class Helper:
    """Not a module, with attributes of its own."""

    factor = 2.0

    def __init__(self):
        self.table = torch.ones(3)
        self.names = ['a', {'b': 1}]

    def scaled(self, x):
        return self.factor * x


def scaled(factor):
    def inner(x, power=1):
        return factor[0] * x**power

    return inner


class Net(nn.Module):
    """A bit of everything."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer('scale', torch.ones(()))
        self.plain = torch.zeros(2)
        self.hidden = [nn.Linear(2, 2)]
        self.helper = Helper()
        self.cutoff = 4.5
        self.factor = [1.0]
        self.function = scaled(self.factor)
        self.method = self.helper.scaled
        self.dtype = torch.float32

    def forward(self, x):
        return self.lin(x)


def other_forward(self, x):
    return x


def assign(model, name, value):
    setattr(model, name, value)


CHANGES = {
    'weight': lambda m: m.lin.weight.detach().add_(1e-6),
    'weight.data': lambda m: m.lin.weight.data[0, 0].mul_(1.0001),
    'weight by another': lambda m: assign(
        m.lin, 'weight', nn.Parameter(m.lin.weight.detach() + 1)
    ),
    'frozen': lambda m: m.lin.weight.requires_grad_(False),
    'double': lambda m: m.double(),
    'buffer': lambda m: m.scale.add_(1),
    'statistics': lambda m: m.norm(torch.randn(4, 3)),
    'eval': lambda m: m.eval(),
    'eval of a part': lambda m: m.norm.eval(),
    'plain tensor': lambda m: m.plain[0].add_(1),
    'hidden module': lambda m: m.hidden[0].bias.data.add_(1),
    'tensor of a helper': lambda m: m.helper.table.add_(1),
    'list of a helper': lambda m: m.helper.names[1].update(b=2),
    'setting': lambda m: assign(m, 'cutoff', 5.0),
    'setting of a part': lambda m: assign(m.norm, 'eps', 1e-3),
    'what a function captured': lambda m: m.factor.__setitem__(0, 2.0),
    'defaults of a function': lambda m: assign(
        m.function, '__defaults__', (2,)
    ),
    'another function': lambda m: assign(m, 'function', scaled([1.0])),
    'code of a function': lambda m: assign(
        m.function, '__code__', scaled([3.0]).__code__.replace(co_name='f')
    ),
    'method of an object': lambda m: assign(
        m, 'forward', other_forward.__get__(m)
    ),
    'dtype': lambda m: assign(m, 'dtype', torch.float64),
    'new attribute': lambda m: assign(m, 'extra', 1),
    'other module': lambda m: assign(m, 'lin', nn.Linear(3, 3, bias=False)),
    'parametrization': lambda m: nn.utils.parametrizations.weight_norm(m.lin),
}


@pytest.mark.parametrize('name', list(CHANGES))
def test_it_finds(name):
    torch.manual_seed(0)
    model = Net()
    kept = Snapshot(model)
    assert Snapshot(model) == kept
    CHANGES[name](model)
    assert Snapshot(model) != kept


@pytest.mark.parametrize('attribute', ['cutoff', 'forward'])
def test_it_finds_what_a_class_has(monkeypatch, attribute):
    model = Net()
    monkeypatch.setattr(Net, 'cutoff', 4.5, raising=False)
    kept = Snapshot(model)
    assert Snapshot(model) == kept
    monkeypatch.setattr(Net, attribute, other_forward)
    assert Snapshot(model) != kept


def test_it_finds_new_code_of_a_method(monkeypatch):
    """As a notebook that reloads modules puts it there."""
    model = Net()
    kept = Snapshot(model)
    monkeypatch.setattr(Helper.scaled, '__code__', other_forward.__code__)
    assert Snapshot(model) != kept


def test_what_does_not_count():
    model = Net()
    kept = Snapshot(model)
    model(torch.ones(1, 3)).sum().backward()  # leaves gradients
    with torch.no_grad():
        model.lin.weight.mul_(2).div_(2)
    model.lin.weight.register_hook(lambda grad: grad)
    assert Snapshot(model) == kept
    model.lin.weight = nn.Parameter(model.lin.weight.detach().clone())
    assert Snapshot(model) == kept
    assert Snapshot(model) == Snapshot(model)


def test_shared_or_equal():
    """One tensor in two places is not two equal ones."""
    one, two = torch.ones(2), torch.ones(2)
    assert Snapshot([one, one]) == Snapshot([two, two])
    assert Snapshot([one, one]) != Snapshot([one, two])


@pytest.mark.parametrize(
    'value',
    [
        threading.Lock(),
        (i for i in range(3)),
        torch.jit.script(nn.Linear(2, 2)),
    ],
)
def test_what_cannot_be_compared(value):
    model = Net()
    model.extra = value
    assert Snapshot.of(model) is None


@pytest.mark.parametrize('pre', [False, True])
def test_hooks(pre):
    model = Net()
    before = Snapshot(model)
    add = (
        model.lin.register_forward_pre_hook
        if pre
        else model.lin.register_forward_hook
    )
    handle = add(lambda *args: None)
    assert Snapshot(model) != before
    handle.remove()
    assert Snapshot(model) == before


def test_no_hooks_and_no_place_for_them():
    """Only where modules keep hooks, no hooks are written as nothing."""
    model = Net()
    before = Snapshot(model)
    model.lin._forward_hooks['of any kind'] = None
    assert Snapshot(model) != before
    model.lin._forward_hooks.clear()
    assert Snapshot(model) == before
    model.lin.mine_hooks = OrderedDict()
    one = Snapshot(model)
    model.lin.mine_hooks = None
    assert Snapshot(model) != one


def test_bits_of_nan_and_of_zeros():
    value = torch.tensor([1.0, torch.nan])
    assert Snapshot(value) == Snapshot(value.clone())
    assert Snapshot(torch.zeros(1)) != Snapshot(-torch.zeros(1))


class Table:
    """What a class holds may be changed in place."""

    factors = {'a': 1.0}
    weights = [torch.ones(2)]
    __slots__ = ('value',)

    def __init__(self):
        self.value = 1.0

    def look(self):
        return self.factors['a'] * LIMITS['upper']


LIMITS = {'upper': 1.0}


@pytest.mark.parametrize(
    'change',
    [
        lambda table: Table.factors.update(a=2.0),
        lambda table: Table.weights[0].add_(1),
        lambda table: LIMITS.update(upper=2.0),
        lambda table: setattr(table, 'value', 2.0),
    ],
    ids=['dictionary', 'tensor', 'global', 'slot'],
)
def test_it_finds_what_code_reaches(change, monkeypatch):
    monkeypatch.setattr(Table, 'factors', {'a': 1.0})
    monkeypatch.setattr(Table, 'weights', [torch.ones(2)])
    monkeypatch.setitem(LIMITS, 'upper', 1.0)
    model = Net()
    model.table = Table()
    before = Snapshot(model)
    assert Snapshot(model) == before
    change(model.table)
    assert Snapshot(model) != before


@pytest.mark.parametrize(
    'model',
    [
        SchNet(8, 8, 2, 6, 4.5),
        EquivariantGNN('4x0e+2x1o', num_layers=2, cutoff=4.5, lmax=1),
    ],
    ids=['schnet', 'e3nn'],
)
def test_models_of_the_package(model):
    kept = Snapshot(model)
    assert Snapshot(model) == kept
    tensors = [*model.named_parameters(), *model.named_buffers()]
    for name, tensor in tensors:
        if tensor.numel() and tensor.is_floating_point():
            before = tensor.detach().clone()
            tensor.data.view(-1)[-1] += 1
            assert Snapshot(model) != kept, name
            tensor.data.copy_(before)
    assert Snapshot(model) == kept
    for part in model.modules():
        for name, value in vars(part).items():
            if name[0] != '_' and type(value) in (int, float, bool, str):
                setattr(part, name, type(value)(not value))
                assert Snapshot(model) != kept, name
                setattr(part, name, value)
    assert Snapshot(model) == kept


def test_shapes_and_dtypes():
    zeros = torch.zeros(2, 3)
    for other in (
        torch.zeros(3, 2),
        torch.zeros(6),
        torch.zeros(2, 3, dtype=torch.int32),
        torch.zeros(2, 3, requires_grad=True),
        torch.zeros(2, 3).to_sparse(),
    ):
        assert Snapshot(zeros) != Snapshot(other)
    assert Snapshot(zeros) == Snapshot(torch.zeros(2, 3))


@pytest.mark.parametrize('name', ['forward', 'aggregate'])
def test_it_finds_new_code_of_the_package(monkeypatch, name):
    model = SchNet(8, 8, 1, 6, 1.5)
    kept = Snapshot(model)
    kind = SchNet if name == 'forward' else type(model.layers[0])
    monkeypatch.setattr(kind, name, other_forward, raising=False)
    assert Snapshot(model) != kept
