"""Pose sets with every kind of key."""

from types import SimpleNamespace

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet


def atoms(size, generator):
    """Atoms with keys of several dtypes and shapes, one of width 0."""
    return Data(
        z=torch.randint(1, 10, (size,), generator=generator),
        pos=torch.randn(size, 3, generator=generator),
        ring=torch.rand(size, generator=generator) < 0.5,
        frame=torch.randn(size, 2, 3, generator=generator).double(),
        half=torch.randn(size, 1, generator=generator).bfloat16(),
        empty=torch.empty(size, 0),
        bond_index=torch.randint(size, (2, size - 1), generator=generator),
        bond_type=torch.ones(size - 1, dtype=torch.uint8),
    )


def complexes(name, seed=0, receptor=0, poses=(3, 1, 4), **kwargs):
    """A set with a receptor."""
    generator = torch.Generator().manual_seed(seed)
    ligands = []
    for number, size in enumerate(poses):
        ligand = atoms(size, generator)
        ligand.score = torch.randn(1, generator=generator)
        ligand.smiles = 'C' * number + 'é'
        ligands.append(ligand)
    pocket = atoms(7, torch.Generator().manual_seed(1000 + receptor))
    pocket.edge_index = torch.tensor([[0, 1, 6], [1, 0, 2]])
    kwargs.setdefault('y', float(seed))
    return PoseSet.from_complex(
        pocket, ligands, name=name, pose_attrs=['score', 'smiles'], **kwargs
    )


def small(name, seed=0, count=2):
    """A set of two atoms in each pose, quickly made."""
    pos = torch.full((2, 3), float(seed))
    poses = [
        Data(z=torch.tensor([6, 8]), pos=pos + number)
        for number in range(count)
    ]
    return PoseSet.from_poses(poses, y=float(seed), name=name)


def same(one, two):
    """Asserts that two sets or batches are equal in every detail."""
    assert type(one) is type(two)
    assert set(one.keys()) == set(two.keys())
    for key in one.keys():
        if isinstance(one[key], torch.Tensor):
            assert one[key].dtype == two[key].dtype, key
            assert one[key].shape == two[key].shape, key
            assert torch.equal(one[key], two[key]), key
        else:
            assert one[key] == two[key], key
    assert one.num_nodes == two.num_nodes
    if isinstance(one, Batch):
        for index in range(one.num_graphs):
            same(one[index], two[index])


@pytest.fixture(scope='session')
def make():
    return SimpleNamespace(complexes=complexes, same=same, small=small)
