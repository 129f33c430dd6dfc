"""Noise on coordinates."""

import pytest
import torch
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet
from pyg_multipose.transforms import CoordinateNoise, RadiusGraph


def test_the_ligand_moves_and_the_receptor_stays(make):
    pose_set = make.docked([make.positions()] * 200)
    before = pose_set.pos.clone()
    moved = CoordinateNoise(0.3)(pose_set)
    assert torch.equal(pose_set.pos, before)
    step = moved.pos - before
    assert not step[~pose_set.is_ligand].any()
    step = step[pose_set.is_ligand]
    assert step.dtype == torch.float64
    # 5400 numbers: four standard errors of mean and standard deviation.
    assert abs(step.mean()) < 4 * 0.3 / 5400**0.5
    assert abs(step.std() - 0.3) < 4 * 0.3 / (2 * 5400) ** 0.5
    assert len(step.unique()) == step.numel()


def test_with_the_receptor(make):
    pose_set = make.docked([make.positions()] * 3, receptor_name='box')
    transform = CoordinateNoise(0.3, receptor=True)
    moved = transform(pose_set)
    assert (moved.pos != pose_set.pos).all()
    assert int(moved.receptor_size) == 60
    # Another receptor each time, by its name too; else a batch is refused.
    names = {pose_set.receptor_name, moved.receptor_name}
    assert len(names | {transform(pose_set).receptor_name}) == 3
    assert CoordinateNoise(0.3)(pose_set).receptor_name == 'box'


def test_whole_graphs_and_dtype():
    poses = [Data(z=torch.tensor([6, 6]), pos=torch.zeros(2, 3))] * 2
    moved = CoordinateNoise(0.1)(PoseSet.from_poses(poses))
    assert moved.pos.dtype == torch.float32 and (moved.pos != 0).all()


def test_new_at_every_access_and_by_seed(make):
    pose_set = make.docked([make.positions()])

    def draws(seed):
        noise = CoordinateNoise(0.1, seed=seed)
        return torch.stack([noise(pose_set).pos for _ in range(2)])

    first = draws(0)
    assert not torch.equal(first[0], first[1])
    assert torch.equal(draws(0), first)
    assert not torch.equal(draws(1), first)


def test_edges_come_after(make):
    pose_set = make.docked([make.positions()])
    with pytest.raises(ValueError, match='put it before RadiusGraph'):
        CoordinateNoise(0.1)(RadiusGraph(4.0)(pose_set))
    del pose_set.pos
    with pytest.raises(ValueError, match="'pos' has to be coordinates"):
        CoordinateNoise(0.1)(pose_set)


@pytest.mark.parametrize('std', [0.0, -0.1, float('nan'), True])
def test_std_is_a_length(std):
    with pytest.raises(ValueError, match="'std' has to be a positive"):
        CoordinateNoise(std)
