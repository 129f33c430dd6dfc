"""Small sets, and a model that reads positions and features."""

from types import SimpleNamespace

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet


class Model(torch.nn.Module):
    """Depends on distances, elements and a feature; a number per pose."""

    def __init__(self, num_features=1):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = torch.nn.Parameter(
            torch.randn(3, num_features, generator=generator).double()
        )
        self.calls = 0

    def forward(self, batch):
        self.calls += 1
        size = batch.ptr.diff().double()
        center = torch.zeros(batch.num_graphs, 3, dtype=batch.pos.dtype)
        center = center.index_add(0, batch.batch, batch.pos) / size[:, None]
        off = batch.pos - center[batch.batch]
        distance = off.square().sum(dim=1).add(1e-6).sqrt()
        atoms = torch.stack([distance, distance * batch.z, batch.charge], 1)
        out = torch.zeros(batch.num_graphs, 3, dtype=atoms.dtype)
        out = out.index_add(0, batch.batch, atoms.tanh())
        return out.tanh() @ self.weight


def atoms(count, seed, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return Data(
        z=torch.randint(6, 10, (count,), generator=generator),
        pos=torch.randn(count, 3, generator=generator).double() + shift,
        charge=torch.randn(count, generator=generator).double(),
    )


def make_set(num_poses, name, seed=0, receptor=True):
    ligands = [atoms(4, 100 * seed + k) for k in range(num_poses)]
    if not receptor:
        return PoseSet.from_poses(ligands, name=name)
    return PoseSet.from_complex(atoms(5, 99, 3.0), ligands, name=name)


def make_batch(sizes=(3, 1, 5), **kwargs):
    return Batch.from_data_list(
        [make_set(n, f'set-{k}', k + 1, **kwargs) for k, n in enumerate(sizes)]
    )


@pytest.fixture
def make():
    return SimpleNamespace(
        Model=Model, atoms=atoms, set=make_set, batch=make_batch
    )
