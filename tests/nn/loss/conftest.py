"""A small model and a batch of sets."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.utils import scatter

from pyg_multipose.data import PoseSet


class Model(nn.Module):
    """A number for each pose, or several."""

    def __init__(self, width=1):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, width)
        ).double()

    def forward(self, batch):
        return scatter(
            self.mlp(batch.pos), batch.batch, 0, batch.num_graphs, 'mean'
        )


def make_batch(sizes=(4, 1, 3)):
    generator = torch.Generator().manual_seed(1)
    sets = []
    for size in sizes:
        pos = torch.randn(size, 2, 3, generator=generator).double()
        sets.append(PoseSet.from_poses([Data(pos=one) for one in pos]))
    return Batch.from_data_list(sets)


@pytest.fixture
def kit():
    """The above, for test modules."""
    return SimpleNamespace(Model=Model, make_batch=make_batch)
