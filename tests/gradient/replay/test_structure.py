"""What a model is made of, and what is called a change of it."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.modules import module as of_all

from pyg_multipose.gradient.replay.structure import Structure

LARGE = torch.zeros(2**22 + 1, dtype=torch.uint8)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin, self.act = nn.Linear(2, 2), nn.Tanh()
        self.number, self.list, self.pair = 1, [1.0], (1, [2.0])
        self.dict, self.act_of = {'a': 1.0, 'b': [2.0]}, torch.tanh
        self.tensor, self.set = torch.ones(2), {1, 2}

    def forward(self, x):
        return self.lin(x) * LARGE[0]

    def method(self):
        return 1


class Other(Net):
    pass


def exchange(m):
    m.lin = copy.deepcopy(m.lin)


CHANGES = {
    "'lin' (Linear) is another module": [exchange],
    'modules were added or removed': [lambda m: m.append(nn.Tanh())],
    "attribute 'number' of the model (Net)": [
        lambda m: setattr(m, 'number', 2),
        lambda m: setattr(m, 'number', True),
        lambda m: setattr(m, 'number', 1.0),
        lambda m: delattr(m, 'number'),
    ],
    "attribute 'new' of the model (Net)": [lambda m: setattr(m, 'new', None)],
    "attribute 'list' of the model (Net)": [
        lambda m: m.list.append(2.0),
        lambda m: setattr(m, 'list', (1.0,)),
    ],
    "attribute 'pair' of the model (Net)": [lambda m: m.pair[1].append(3.0)],
    "attribute 'dict' of the model (Net)": [
        lambda m: m.dict.update(a=2.0),
        lambda m: m.dict['b'].append(2.0),
        lambda m: m.dict.update(c=2.0),
    ],
    "attribute 'set' of the model (Net)": [lambda m: m.set.add(3)],
    "attribute 'tensor' of the model (Net)": [
        lambda m: m.tensor.data.neg_(),
        lambda m: setattr(m, 'tensor', torch.ones(2, 1)),
    ],
    "attribute 'act_of' of the model (Net)": [
        lambda m: setattr(m, 'act_of', torch.relu)
    ],
    "attribute '_buffers' of 'act' (Tanh)": [
        lambda m: m.act.register_buffer('new', None)
    ],
    "attribute '__class__' of the model (Other)": [
        lambda m: setattr(m, '__class__', Other)
    ],
    "hooks of 'lin' (Linear)": [
        lambda m: m.lin.register_forward_hook(print),
        lambda m: m.lin.register_forward_pre_hook(print),
        lambda m: m.lin.register_full_backward_hook(print),
    ],
    "training flags or parameters of 'act' (Tanh)": [lambda m: m.act.eval()],
    "training flags or parameters of 'lin' (Linear)": [
        lambda m: m.lin.bias.requires_grad_(False)
    ],
    '': [
        lambda m: None,
        lambda m: setattr(m, 'list', [1.0]),
        lambda m: setattr(m, 'tensor', torch.ones(2)),
        lambda m: setattr(m, 'dict', {'a': 1.0, 'b': [2.0]}),
        lambda m: m.lin.weight.data.neg_(),
    ],
}


def structure(model, before=None):
    return Structure(list(model.modules()), before)


def change_by(act, **kwargs):
    model = Net()
    before = structure(model, structure(model))
    if act in CHANGES['modules were added or removed']:
        model.append = lambda child: model.lin.add_module('more', child)
        before = structure(model)
    act(model)
    return before.change(structure(model, before), **kwargs)


@pytest.mark.parametrize(
    ('name', 'act'), [(name, act) for name in CHANGES for act in CHANGES[name]]
)
def test_change(name, act):
    assert change_by(act) == name
    flags = 'flags' in name
    assert change_by(act, flags=False) == ('' if flags else name)


def test_code(monkeypatch):
    model = Net()
    before = structure(model)
    monkeypatch.setattr(Net, 'method', lambda self: 2)
    assert before.change(structure(model)) == 'the code of Net'


def test_code_of_a_layer(monkeypatch):
    model = Other()
    before = structure(model)
    monkeypatch.setattr(Net, 'method', lambda self: 2)
    assert before.change(structure(model)) == 'the code of Other'


def test_what_is_large_is_the_same_object(monkeypatch):
    model = Net()
    before = structure(model)
    assert not before.change(structure(model))
    monkeypatch.setitem(globals(), 'LARGE', LARGE.clone())
    assert before.change(structure(model)).endswith("LARGE'")


def test_what_the_model_changes_itself():
    model = Net()
    before = structure(model)
    model.number = 2
    later = before.without(structure(model), set())
    model.number = 3
    assert not later.change(structure(model))
    model.list.append(1)
    assert "'list'" in later.change(structure(model))


def test_hooks_that_come_meanwhile_count():
    model = Net()
    before = structure(model)
    handle = model.register_forward_hook(print)
    later = before.without(structure(model), set())
    handle.remove()
    assert 'hooks' in later.change(structure(model))


def test_hooked():
    model = Net()
    assert not structure(model).hooked
    model._register_load_state_dict_pre_hook(print)
    model.register_state_dict_pre_hook(print)
    assert not structure(model).hooked
    model.lin.register_forward_pre_hook(print)
    assert structure(model).hooked == "'lin' (Linear) has hooks"
    model = Net()
    model.lin.forward = torch.tanh
    assert (
        structure(model).hooked == "'forward' of 'lin' (Linear) was replaced"
    )


def test_hooks_of_all_modules():
    model = Net()
    before = structure(model)
    handle = of_all.register_module_forward_hook(lambda *args: None)
    try:
        after = structure(model)
        assert after.hooked == 'hooks are registered for all modules'
        assert 'of torch' in before.change(after)
    finally:
        handle.remove()
    assert not before.change(structure(model))
