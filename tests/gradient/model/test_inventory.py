"""What is kept of a model is what a walk through it finds."""

import pytest
import torch
from torch import nn
from torch.nn import Linear, Parameter, Sequential

from pyg_multipose.gradient.model.inventory import Inventory
from pyg_multipose.gradient.model.traits import Traits


def make():
    return Sequential(Linear(2, 3), nn.ReLU(), Sequential(Linear(3, 1)))


def append(model):
    model[2].append(Linear(1, 1))


def replace(model):
    model[2][0] = Linear(3, 1)


def remove(model):
    del model[1]


def swap(model):
    model[0], model[1] = model[1], model[0]


def new_parameter(model):
    model[0].weight = Parameter(torch.ones(3, 2))


def add_parameter(model):
    model[1].slope = Parameter(torch.ones(1))


def remove_parameter(model):
    model[0].bias = None


def rename_parameter(model):
    model[1].slope = model[0]._parameters.pop('bias')


def rename_in_place(model):
    parameters = model[0]._parameters
    model[0]._parameters = {f'my_{k}': v for k, v in parameters.items()}


def move_between_modules(model):
    model[2][0]._parameters['more'] = model[0]._parameters.pop('bias')


def other_class(model):
    model[1].__class__ = nn.GELU


CHANGES = [
    append,
    replace,
    remove,
    swap,
    new_parameter,
    add_parameter,
    remove_parameter,
    rename_parameter,
    rename_in_place,
    move_between_modules,
    other_class,
]


@pytest.mark.parametrize('change', CHANGES)
def test_a_change_is_seen(change):
    model, traits = make(), Traits()
    first = traits.of(model)
    assert traits.of(model) is first
    change(model)
    now = traits.of(model)
    assert now is not first
    fresh = Inventory(model)
    assert now.modules == fresh.modules == list(model.modules())
    assert now.parameters.names() == fresh.parameters.names()
    assert traits.of(model) is now


def test_what_is_no_change():
    model, traits = make(), Traits()
    first = traits.of(model)
    model.eval()
    model[0].register_buffer('mean', torch.zeros(1))
    model[0].weight.data = torch.zeros(3, 2)
    model.requires_grad_(False)
    assert traits.of(model) is first
    assert traits.of(make()) is not first


def test_a_bad_model_is_refused_each_time():
    model, traits = make(), Traits()
    traits.of(model)
    model.append(nn.LazyLinear(2))
    for _ in range(2):
        with pytest.raises(ValueError, match='not initialised'):
            traits.of(model)


class Telling(Sequential):
    """Whose modules are told by itself."""

    def named_modules(self, *args, **kwargs):
        yield from super().named_modules(*args, **kwargs)
        yield 'hidden', self.hidden[0]


def test_who_tells_other_modules_is_asked_each_time():
    model, traits = Telling(Linear(1, 1)), Traits()
    model.hidden = [Linear(2, 2)]
    assert len(traits.of(model).modules) == 3
    model.hidden[0] = other = Linear(1, 2)
    assert traits.of(model).modules[-1] is other
