"""How far parameters and buffers have to move to be looked at again."""

import pytest
import torch
from torch import nn

from pyg_multipose.gradient.model.twin import GATE
from pyg_multipose.gradient.receptors.drift import Drift


class Net(nn.Module):
    def __init__(self, value=0.0, size=1):
        super().__init__()
        self.gate = nn.Parameter(torch.full((size,), value))
        self.large = nn.Parameter(torch.ones(GATE + 1))
        self.none = nn.Parameter(torch.ones(0))
        self.register_buffer('switch', torch.ones(2))


def moved(value, by, size=1):
    model = Net(value, size)
    drift = Drift([model])
    assert not drift.moved([model])
    with torch.no_grad():
        model.gate += by
    return drift.moved([model])


@pytest.mark.parametrize(
    ('value', 'by', 'expected'),
    [
        (0.0, 0.09, False),
        (0.0, 0.11, True),
        (0.0, -0.11, True),
        (2.0, 0.9, False),
        (2.0, 1.1, True),
        (2.0, -1.1, True),
        (-2.0, 4.0, True),
    ],
)
@pytest.mark.parametrize('size', [1, 16])
def test_share(value, by, expected, size):
    assert moved(value, by, size) is expected


def test_one_element_of_many():
    model = Net(1.0, 4)
    drift = Drift([model])
    model.gate.data[0] = 1.9
    assert not drift.moved([model])
    model.gate.data[0] = 2.1
    assert drift.moved([model])


def test_large_ones_are_no_gates():
    model = Net()
    drift = Drift([model])
    model.large.data.neg_()
    assert not drift.moved([model])


def test_others():
    model = Net()
    drift = Drift([model])
    model.gate = nn.Parameter(torch.zeros(2))
    assert drift.moved([model])
    model.gate = nn.Parameter(torch.zeros(1, device='meta'))
    assert drift.moved([model])
    del model.gate
    assert drift.moved([model])
    assert not Drift([model]).moved([model])


def test_buffers():
    model = Net()
    drift = Drift([model])
    assert drift.switched([model]) == []
    model.switch[0] = 2.0
    assert drift.switched([model]) == [model.switch]
    assert drift.switched([model]) == []
    before = model.switch
    model.switch = torch.ones(2)
    model.switch.add_(0)  # of the same version
    assert model.switch._version == before._version
    (found,) = drift.switched([model])
    assert found is model.switch
    assert drift.switched([model]) == []
    model.register_buffer('new', torch.ones(1))
    assert len(drift.switched([model])) == 2
