"""Poses as graphs, with ligand, pocket, lengths and bonds."""

from types import SimpleNamespace

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet
from pyg_multipose.transforms import RadiusGraph


def pose_set(sizes=(3, 2, 4), seed=0, z=(1, 6, 7)):
    """A receptor of eight atoms, and poses of so many."""
    generator = torch.Generator().manual_seed(seed)

    def atoms(count, spread):
        pos = torch.randn(count, 3, generator=generator, dtype=torch.float64)
        kind = torch.randint(len(z), (count,), generator=generator)
        return Data(z=torch.tensor(z)[kind], pos=spread * pos)

    made = PoseSet.from_complex(
        atoms(8, 1.5), [atoms(size, 1.0) for size in sizes], y=0.5
    )
    return RadiusGraph(2.0)(made)


@pytest.fixture
def kit():
    """The function above, and poses as one batch."""
    return SimpleNamespace(
        pose_set=pose_set,
        poses=lambda **kwargs: Batch.from_data_list(
            pose_set(**kwargs).to_poses()
        ),
    )
