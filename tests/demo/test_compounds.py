import numpy as np
import pytest
import torch

from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.demo.compounds import load, pocket_residues
from pyg_multipose.demo.settings import Settings

SETTINGS = Settings(max_sets=3)


def test_the_pocket_is_around_the_crystal_ligand():
    dataset = MproMoonshot()
    small = set(pocket_residues(dataset, 4.0).tolist())
    large = set(pocket_residues(dataset, 5.0).tolist())
    assert small < large
    assert {41, 145} < large  # the catalytic dyad
    receptor = dataset.receptor
    for number in large:
        pos = receptor.pos[receptor.residue == number]
        distance = torch.cdist(pos, dataset.crystal_ligand.pos)
        assert distance.min() <= 5.0


def test_only_the_receptor_is_cut():
    part = load('train', SETTINGS)
    for number, whole in enumerate(MproMoonshot()[:3]):
        small = part.sets[number]
        residues = torch.tensor(part.residues)
        keep = torch.isin(whole.receptor.residue, residues)
        assert torch.equal(small.receptor.pos, whole.receptor.pos[keep])
        assert torch.equal(small.receptor.pos, part.pocket.pos)
        assert torch.equal(small.vina_score, whole.vina_score)
        assert small.y == whole.y
        for old, new in zip(whole.to_poses(), small.to_poses(), strict=True):
            assert torch.equal(old.pos[old.is_ligand], new.pos[new.is_ligand])


@pytest.mark.parametrize('split', ['train', 'valid', 'test'])
def test_columns_belong_to_sets(split):
    part = load(split, SETTINGS)
    assert part is load(split, SETTINGS)
    assert len(part.sets) == 3
    assert [s.name for s in part.sets] == part.names
    assert [s.num_poses for s in part.sets] == part.num_poses.tolist()
    assert np.allclose([float(s.y) for s in part.sets], part.pic50)
    assert np.allclose([s.vina_score.min() for s in part.sets], part.vina_best)
    for pose_set, count in zip(part.sets, part.heavy_atoms, strict=True):
        assert int(pose_set.pose_size[0]) == count
        pose = pose_set.pose(0)
        ends = pose.pos[pose.edge_index]
        distance = (ends[0] - ends[1]).norm(dim=1)
        assert 0 < distance.min() and distance.max() <= SETTINGS.cutoff
