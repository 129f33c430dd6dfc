"""What changed since a seal was closed has a name."""

import copy

import pytest
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.utils import scatter

from pyg_multipose.data import PoseSet
from pyg_multipose.gradient import Evaluation
from pyg_multipose.gradient.replay.seal import Seal


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Sequential(nn.Linear(3, 4), nn.Dropout())
        self.out = nn.Linear(4, 1, bias=False)
        self.register_buffer('scale', torch.ones(2))
        self.register_buffer('last', torch.zeros(1))
        self.factor, self.calls = 1.0, 0

    def forward(self, batch):
        self.calls += 1
        self.last += 1
        h = self.lin(batch.pos * self.scale[0] * self.factor) + batch.x
        return scatter(self.out(h), batch.batch, 0, batch.num_graphs)


def swap(model, poses):
    poses.pos.data[[0, 1]] = poses.pos.data[[1, 0]].clone()


def exchange(model, poses):
    model.lin[0] = copy.deepcopy(model.lin[0])


CHANGES = {
    "the parameter 'out.weight'": lambda m, p: m.out.weight.data.neg_(),
    "the parameter 'lin.0.bias'": lambda m, p: m.lin[0].bias.data.neg_(),
    "the input 'pos'": swap,
    "the input 'x'": lambda m, p: p.x.data.neg_(),
    "the buffer 'scale' of Net": lambda m, p: m.scale.data.neg_(),
    "attribute 'factor' of the model (Net)": (
        lambda m, p: setattr(m, 'factor', 2.0)
    ),
    "hooks of 'out' (Linear)": (
        lambda m, p: m.out.register_forward_hook(print)
    ),
    "'lin.0' (Linear) is another module": exchange,
    'modules were added or removed': (
        lambda m, p: m.add_module('more', nn.Tanh())
    ),
    # By the model itself, or put back by a second pass.
    '': lambda m, p: m.eval(),
}


@pytest.mark.parametrize('name', CHANGES)
def test_change(name):
    model = Net()
    poses = PoseSet.from_poses(
        [Data(pos=torch.randn(2, 3), x=torch.randn(2, 4)) for _ in range(3)]
    )
    evaluation = Evaluation(model, poses)
    seal = Seal(evaluation)
    with evaluation.replay.first_pass(again=True):
        evaluation.first(0)
    seal.close()
    tensors = evaluation.tensors
    assert seal.change(tensors) == ''
    CHANGES[name](model, poses)
    model.calls += 1
    model.last.data.add_(1)
    assert seal.change(tensors) == name
