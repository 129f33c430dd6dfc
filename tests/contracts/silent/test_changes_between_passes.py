"""Kinds 11 and 15: what the second pass must reproduce is compared.

What changes between a call and backward is either without effect on the
gradient of the call, or an error that says what changed.
"""

import copy
import functools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules import module as of_all
from torch.nn.utils import parametrizations, parametrize, prune

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import SchNet
from tests.contracts.silent.models import TwoParts

WORDS = r'chang|differ|reproduce|modified|parameter|another'
FLAG = 1.0
TABLE = {'factor': 1.0}


class Reads(TwoParts):
    """Reads all sorts of things."""

    of_class = 1.0
    dict_of_class = {'factor': 1.0}
    tensor_of_class = torch.ones(1, dtype=torch.float64)

    def __init__(self):
        super().__init__()
        self.number, self.list, self.dict = 1.0, [1.0], {'a': {'b': 1.0}}
        self.array, self.loose = np.ones(2), torch.ones(2)
        self.register_buffer('table', torch.arange(12).reshape(4, 3))
        self.register_buffer('scale', torch.tensor([1.0, -1.0]))
        self.act, self.middle = torch.tanh, nn.Linear(8, 8, bias=False)
        self.drop = nn.Dropout(0.0)
        cell = [1.0]
        self.cell, self.closure = cell, lambda: cell[0]
        self.function = functools.partial(torch.mul, 1.0)

    def of_receptor(self):
        return (
            self.number
            * self.list[0]
            * self.dict['a']['b']
            * self.array[0]
            * self.loose[0]
            * self.table[1, 2]
            * self.scale[0]
            * self.closure()
            * self.of_class
            * self.dict_of_class['factor']
            * self.tensor_of_class[0]
            * FLAG
            * TABLE['factor']
        )

    def of_ligand(self):
        return self.function(self.of_receptor()) / 5

    def atoms(self, x, pos):
        size = pos.square().sum(1, keepdim=True)
        h = self.act(self.middle(self.drop(self.lin(x))))
        return self.out(h / (1 + size)).squeeze(1)


def by_numpy(tensor, function):
    array = tensor.detach().numpy()
    array[:] = function(array)


def negate_two(m, p):
    m.middle.weight.data.neg_()
    m.out.weight.data.neg_()


def swap_two(m, p):
    """Hidden channels change places: predictions stay the same."""
    order = torch.tensor([1, 0, *range(2, 8)])
    m.middle.weight.data = m.middle.weight.data[order]
    m.out.weight.data = m.out.weight.data[:, order]


def swap_in_place(m, p):
    order = torch.tensor([1, 0, *range(2, 8)])
    m.middle.weight.data.copy_(m.middle.weight.data[order].clone())
    m.out.weight.data.copy_(m.out.weight.data[:, order].clone())


def scale_two(m, p):
    m.middle.weight.data.neg_()
    m.lin.weight.data.neg_()
    m.lin.bias.data.neg_()


def mirror(m, p):
    p.pos.data.neg_()


def mirror_one_axis(m, p):
    p.pos.data[:, 0].neg_()


def swap_axes(m, p):
    p.pos.data.copy_(p.pos.data[:, [1, 0, 2]].clone())


def swap_poses(m, p):
    """The first atoms of a ligand change places."""
    for value in (p.pos, p.x, p.z):
        value.data[[30, 31]] = value.data[[31, 30]].clone()


def last_bit(m, p):
    by_numpy(m.out.weight, lambda a: np.nextafter(a, 10.0))


OF_TENSORS = {
    **{
        function.__name__: function
        for function in (
            *(negate_two, swap_two, swap_in_place, scale_two, mirror),
            *(mirror_one_axis, swap_axes, swap_poses, last_bit),
        )
    },
    'weight by numpy': lambda m, p: by_numpy(m.middle.weight, np.negative),
    'rows of a weight': lambda m, p: by_numpy(
        m.middle.weight, lambda a: a[::-1].copy()
    ),
    'in place': lambda m, p: m.out.bias.data.add_(1.0),
    'seen by autograd': lambda m, p: torch.no_grad()(m.out.bias.add_)(1.0),
    'features': lambda m, p: p.x.data.mul_(2.0),
    'features by numpy': lambda m, p: by_numpy(p.x, lambda a: a[:, ::-1]),
    'integers': lambda m, p: p.z.data.copy_(p.z.flip(0)),
    'mask': lambda m, p: p.is_ligand.data[:2].fill_(True),
    'buffer of integers': lambda m, p: m.table.data.add_(1),
    'buffer of integers by numpy': lambda m, p: by_numpy(
        m.table, lambda a: a.T.reshape(a.shape)
    ),
    'buffer': lambda m, p: m.scale.data.copy_(m.scale.flip(0)),
    'buffer, other object': lambda m, p: setattr(m, 'scale', m.scale * 2),
    'loose tensor': lambda m, p: m.loose.data.mul_(2.0),
    'loose tensor, other object': lambda m, p: setattr(
        m, 'loose', m.loose * 2
    ),
    'loose tensor, other data': lambda m, p: m.loose.set_(m.loose * 2),
    'data of a weight': lambda m, p: setattr(
        m.out.weight, 'data', m.out.weight.data * 2
    ),
    'other positions': lambda m, p: setattr(p, 'pos', p.pos.detach() * 2),
}
OF_VALUES = {
    'number': lambda m, p: setattr(m, 'number', 2.0),
    'list': lambda m, p: m.list.__setitem__(0, 2.0),
    'dict, deep': lambda m, p: m.dict['a'].update(b=2.0),
    'array': lambda m, p: m.array.__imul__(2.0),
    'array, swapped': lambda m, p: m.array.__setitem__(0, -1.0),
    'closure': lambda m, p: m.cell.__setitem__(0, 2.0),
    'function': lambda m, p: setattr(m, 'act', torch.sin),
    'function that is odd too': lambda m, p: setattr(m, 'act', torch.tanh_),
    'partial': lambda m, p: setattr(
        m, 'function', functools.partial(torch.mul, 2.0)
    ),
    'class': lambda m, p: setattr(Reads, 'of_class', 2.0),
    'dict of the class': lambda m, p: Reads.dict_of_class.update(factor=2.0),
    'tensor of the class': lambda m, p: Reads.tensor_of_class.data.mul_(2.0),
    'global': lambda m, p: globals().__setitem__('FLAG', 2.0),
    'global dict': lambda m, p: TABLE.update(factor=2.0),
    'method': lambda m, p: setattr(m, 'of_receptor', lambda: 2.0),
    'method of the class': lambda m, p: setattr(
        Reads, 'of_receptor', lambda self: 2.0
    ),
    'method of a base': lambda m, p: setattr(
        TwoParts, 'of_ligand', lambda self: 2.0
    ),
    'forward': lambda m, p: setattr(
        m, 'forward', lambda b: TwoParts.forward(m, b) * 2
    ),
    'forward of a layer': lambda m, p: setattr(
        m.middle, 'forward', lambda x: -x
    ),
    'forward of the class': lambda m, p: setattr(
        Reads, 'forward', lambda self, b: 2 * TwoParts.forward(self, b)
    ),
    'class of the object': lambda m, p: setattr(m, '__class__', TwoParts),
}


def hooked(name, place, hook):
    def change(m, p):
        getattr(m.get_submodule(place), f'register_{name}')(hook)

    return change


def halve(*args):
    return args[-1] * 0.5


OF_HOOKS = {
    'forward hook': hooked('forward_hook', '', halve),
    'forward hook of a layer': hooked('forward_hook', 'middle', halve),
    'forward hook of a small effect': hooked(
        'forward_hook', 'middle', lambda m, a, o: o * (1 + 1e-12)
    ),
    'forward pre-hook of a layer': hooked(
        'forward_pre_hook', 'out', lambda m, a: (a[0] * 2,)
    ),
    'backward hook of a layer': hooked(
        'full_backward_hook', 'middle', lambda m, a, b: (a[0] * 2,)
    ),
    'backward pre-hook of a layer': hooked(
        'full_backward_pre_hook', 'middle', lambda m, a: (a[0] * 2,)
    ),
    'hook of all modules': lambda m, p: HANDLES.append(
        of_all.register_module_forward_hook(
            lambda m, a, o: o * 2 if isinstance(m, nn.Linear) else None
        )
    ),
    'backward hook of all modules': lambda m, p: HANDLES.append(
        of_all.register_module_full_backward_hook(
            lambda m, a, b: (a[0] * 2,) if a[0] is not None else None
        )
    ),
}
HANDLES = []


def layer_of(make):
    def change(m, p):
        m.middle = make(m.middle)

    return change


def frozen_copy(layer):
    return copy.deepcopy(layer).requires_grad_(False)


class Negative(nn.Linear):
    def forward(self, x):
        return super().forward(x) * 1.0


def other_class(layer):
    new = Negative(8, 8, bias=False)
    new.weight = layer.weight
    return new


def same_weight(layer):
    new = nn.Linear(8, 8, bias=False)
    new.weight = layer.weight
    return new


def swapped(m, p):
    m.lin, m.other = nn.Linear(4, 8), m.lin
    m.lin.load_state_dict(m.other.state_dict())


def other_parameter(m, p):
    m.out.weight = nn.Parameter(m.out.weight.detach().clone())


def frozen_parameter(m, p):
    weight = m.out.weight.detach().clone()
    m.out.weight = nn.Parameter(weight, requires_grad=False)


def parameter_to_buffer(m, p):
    weight = m.out.weight.detach().clone()
    del m.out.weight
    m.out.register_buffer('weight', weight)


class Same(nn.Module):
    def forward(self, x):
        return x.detach()


OF_MODULES = {
    'frozen copy': layer_of(frozen_copy),
    'copy': layer_of(copy.deepcopy),
    'in a Sequential': layer_of(lambda layer: nn.Sequential(layer)),
    'other class': layer_of(other_class),
    'same weight': layer_of(same_weight),
    'identity': layer_of(lambda layer: nn.Identity()),
    'swapped': swapped,
    'other parameter': other_parameter,
    'frozen parameter': frozen_parameter,
    'parameter to buffer': parameter_to_buffer,
    'added': lambda m, p: m.add_module('more', nn.Linear(2, 2)),
    'another dropout': lambda m, p: setattr(m, 'drop', nn.Dropout(0.5)),
    'probability of dropout': lambda m, p: setattr(m.drop, 'p', 0.5),
    'parametrization': lambda m, p: parametrize.register_parametrization(
        m.middle, 'weight', Same()
    ),
    'weight norm': lambda m, p: parametrizations.weight_norm(m.middle),
    'pruned': lambda m, p: prune.random_unstructured(m.middle, 'weight', 0.5),
    'bias taken away': lambda m, p: setattr(m.out, 'bias', None),
    'bias added': lambda m, p: setattr(
        m.middle, 'bias', nn.Parameter(torch.ones(8))
    ),
}
PUT_BACK = {
    'evaluation': lambda m, p: m.eval(),
    'evaluation of a layer': lambda m, p: m.drop.eval(),
    'gradients': lambda m, p: m.zero_grad(),
    'random numbers': lambda m, p: torch.rand(5),
    'another seed': lambda m, p: torch.default_generator.manual_seed(17),
}


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Puts back what tests change in this file."""
    for kind, name in (
        *((Reads, 'of_class'), (Reads, 'of_receptor'), (Reads, 'forward')),
        (TwoParts, 'of_ligand'),
    ):
        monkeypatch.setattr(kind, name, getattr(kind, name))
    monkeypatch.setattr(Reads, 'dict_of_class', {'factor': 1.0})
    monkeypatch.setattr(Reads, 'tensor_of_class', torch.ones(1))
    monkeypatch.setitem(globals(), 'FLAG', 1.0)
    monkeypatch.setitem(TABLE, 'factor', 1.0)
    yield
    while HANDLES:
        HANDLES.pop().remove()


#: Mode, budget, sharing, whether positions require grad.
WAYS = {
    'recompute': ('recompute', None, False, True),
    'recompute, shared': ('recompute', None, True, True),
    'recompute, shared, parameters': ('recompute', None, True, False),
    'auto, some held': ('auto', 25_000, False, True),
    'auto, some held, shared': ('auto', 15000, 'auto', False),
    'stream': ('stream', None, False, False),
    'stream, shared': ('stream', None, True, False),
    'store': ('store', None, False, False),
}
CHANGES = OF_TENSORS | OF_VALUES | OF_HOOKS | OF_MODULES


def change_during(silent, way, change, words, kind=Reads):
    mode, budget, share, leaf = WAYS[way]
    torch.default_generator.manual_seed(0)
    model, poses = kind(), silent.complexes((3, 4, 3, 5, 4, 3))
    poses.is_ligand = poses.is_ligand.clone()
    poses.pos.requires_grad_(leaf)
    readout = MultiPoseReadout(
        model,
        'mean',
        gradient=mode,
        share_receptor=share,
        memory_budget=budget,
        max_nodes_per_chunk=9 if share else 35,
    )
    error = silent.agrees(
        readout, poses, words, during=lambda: change(model, poses)
    )
    return readout, error


TWO_PASSES = ['recompute', 'recompute, shared', 'auto, some held']


@pytest.mark.parametrize(
    ('name', 'way'),
    [
        *[(name, TWO_PASSES[0]) for name in CHANGES],
        *[(name, TWO_PASSES[1 + i % 2]) for i, name in enumerate(OF_HOOKS)],
        *[(name, TWO_PASSES[2 - i % 2]) for i, name in enumerate(OF_VALUES)],
    ],
)
def test_change(silent, way, name):
    """Right for the model of the call, or an error."""
    change_during(silent, way, CHANGES[name], WORDS)


@pytest.mark.parametrize(
    'name',
    ['negate_two', 'buffer', 'copy'],
)
@pytest.mark.parametrize('way', WAYS)
def test_change_in_every_mode(silent, way, name):
    change_during(silent, way, CHANGES[name], WORDS)


class Cuts(Reads):
    """What it reads changes gradients, and no prediction."""

    def of_ligand(self):
        return 1.0

    def of_receptor(self):
        return 1.0

    def atoms(self, x, pos):
        size = pos.square().sum(1, keepdim=True)
        h = self.act(self.middle(self.drop(self.lin(x))))
        if self.function(Reads.of_receptor(self)) != 5:
            h = h.detach()
        return self.out(h / (1 + size)).squeeze(1)


QUIET = {
    'number': OF_VALUES['number'],
    'list': OF_VALUES['list'],
    'dict, deep': OF_VALUES['dict, deep'],
    'array': OF_VALUES['array'],
    'closure': OF_VALUES['closure'],
    'partial': OF_VALUES['partial'],
    'class': OF_VALUES['class'],
    'dict of the class': OF_VALUES['dict of the class'],
    'tensor of the class': OF_VALUES['tensor of the class'],
    'global': OF_VALUES['global'],
    'global dict': OF_VALUES['global dict'],
    'loose tensor': OF_TENSORS['loose tensor'],
    'buffer': OF_TENSORS['buffer'],
    'buffer of integers': OF_TENSORS['buffer of integers'],
    'forward of a layer': lambda m, p: setattr(
        m.middle,
        'forward',
        lambda x: nn.functional.linear(x, m.middle.weight.detach()),
    ),
    'function': lambda m, p: setattr(m, 'act', lambda x: x.detach().tanh()),
    'method': lambda m, p: setattr(
        m, 'atoms', lambda x, pos: Cuts.atoms(m, x, pos.detach()).detach()
    ),
    'method of the class': lambda m, p: setattr(Reads, 'of_receptor', zero),
    'forward hook': hooked('forward_hook', '', lambda m, a, o: o.detach()),
    'forward hook of a layer': hooked(
        'forward_hook', 'middle', lambda m, a, o: o.detach()
    ),
    'forward pre-hook of a layer': hooked(
        'forward_pre_hook', 'out', lambda m, a: (a[0].detach(),)
    ),
    'hook of all modules': lambda m, p: HANDLES.append(
        of_all.register_module_forward_hook(
            lambda m, a, o: o.detach() if o.size(-1) == 8 else None
        )
    ),
    'hook of a tensor': hooked(
        'forward_hook',
        'middle',
        lambda m, a, o: o.requires_grad and o.register_hook(neg) and None,
    ),
    'class of a layer': lambda m, p: setattr(m.middle, '__class__', Cutting),
    'class of the object': lambda m, p: setattr(m, '__class__', Other),
}


def zero(self):
    return 0.0


def neg(grad):
    return -grad


class Cutting(nn.Linear):
    def forward(self, x):
        return super().forward(x.detach())


class Other(Cuts):
    def atoms(self, x, pos):
        return super().atoms(x.detach(), pos.detach())


@pytest.mark.parametrize('way', TWO_PASSES)
@pytest.mark.parametrize('name', QUIET)
def test_change_of_gradients_alone(silent, way, name):
    """Predictions stay the same, so they cannot tell."""
    change_during(silent, way, QUIET[name], WORDS, Cuts)


@pytest.mark.parametrize('way', ['recompute', 'recompute, shared'])
@pytest.mark.parametrize('name', PUT_BACK)
def test_change_that_is_put_back(silent, way, name):
    change_during(silent, way, PUT_BACK[name], None)


@pytest.mark.parametrize('way', WAYS)
def test_no_change(silent, way):
    readout, error = change_during(silent, way, lambda m, p: None, None)
    plan = readout.last_plan
    assert error is None
    assert ('shared' in way) == silent.shared(readout)
    if 'some held' in way:
        assert 0 < plan.keep < plan.num_chunks, plan


class Odd(SchNet):
    pass


@pytest.mark.parametrize(
    ('mode', 'share'),
    [('recompute', False), ('recompute', True), ('stream', True)],
)
@pytest.mark.parametrize(
    'change',
    [
        lambda m, p: p.pos.data.neg_(),
        lambda m, p: p.pos.data.copy_(p.pos.data.flip(1)),
        lambda m, p: setattr(m, 'lin2', frozen_copy(m.lin2)),
        lambda m, p: setattr(m, 'cutoff', 1.0),
        lambda m, p: setattr(m, 'act', nn.SiLU()),
        lambda m, p: m.distance_expansion.offset.data.add_(0.1),
        lambda m, p: p.edge_index.data.copy_(p.edge_index.flip(0)),
        lambda m, p: m.interactions[0].register_forward_hook(halve),
    ],
)
def test_change_of_schnet(silent, mode, share, change):
    model, poses = Odd(8, 8, 2, 6, cutoff=1.5), silent.complexes()
    poses.pos.requires_grad_(mode != 'stream')
    readout = MultiPoseReadout(
        model,
        'mean',
        gradient=mode,
        share_receptor=share,
        max_nodes_per_chunk=40,
    )
    silent.agrees(readout, poses, WORDS, during=lambda: change(model, poses))
