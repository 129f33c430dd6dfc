import json

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.report import scene


def places(molecule):
    return np.array(molecule['xyz']).reshape(-1, 3) / 100


def test_poses_are_where_they_are_in_the_pocket():
    pose_set = MproMoonshot('test')[0]
    found = json.loads(json.dumps(scene(pose_set, np.full(8, 1 / 8))))
    ligands = pose_set.ligands()
    assert [one['pose'] for one in found['poses']] == list(range(8))
    middle = torch.cat([one.pos for one in ligands]).mean(dim=0).numpy()
    for drawn, ligand in zip(found['poses'], ligands, strict=True):
        assert drawn['z'] == ligand.z.tolist()
        expected = ligand.pos.numpy() - middle
        assert np.abs(places(drawn) - expected).max() < 0.006
        assert len(drawn['bonds']) == ligand.bond_index.numel() // 2
    pocket = found['pocket']
    nearest = torch.cdist(
        torch.tensor(places(pocket)),
        torch.tensor(np.concatenate([places(p) for p in found['poses']])),
    ).min(dim=1)[0]
    # Whole residues: some of their atoms are farther away.
    assert nearest.min() < 5 and 5 < nearest.max() < 15
    assert len(pocket['z']) < pose_set.receptor.num_nodes


def test_bonds_are_found_by_distance():
    z = torch.tensor([6, 6, 8, 30])
    pos = torch.tensor(
        [[0.0, 0, 0], [1.5, 0, 0], [2.7, 0, 0], [9.0, 0, 0]]
    )  # fmt: skip
    pose_set = PoseSet.from_poses([Data(z=z, pos=pos)])
    (pose,) = scene(pose_set, [1.0])['poses']
    assert pose['bonds'] == [0, 1, 1, 2]


def test_one_atom_has_no_bonds():
    pose = Data(z=torch.tensor([6]), pos=torch.zeros(1, 3))
    found = scene(PoseSet.from_poses([pose]), [1.0])
    assert found == {
        'pocket': None,
        'poses': [{'pose': 0, 'z': [6], 'xyz': [0, 0, 0], 'bonds': []}],
    }


def test_a_set_without_atoms_has_no_scene():
    pose_set = PoseSet.from_poses([Data(x=torch.zeros(2, 3))])
    assert scene(pose_set, [1.0]) is None


@pytest.mark.parametrize('count', [41, 60])
def test_only_the_heaviest_of_many_poses_are_drawn(count):
    poses = [
        Data(z=torch.tensor([6]), pos=torch.full((1, 3), float(k)))
        for k in range(count)
    ]
    weights = torch.linspace(0, 1, count)
    found = scene(PoseSet.from_poses(poses), weights)
    assert [p['pose'] for p in found['poses']] == list(
        range(count - 40, count)
    )


def test_a_large_receptor_is_cut():
    rng = torch.Generator().manual_seed(0)
    receptor = Data(
        z=torch.full((4000,), 6), pos=5 * torch.rand(4000, 3, generator=rng)
    )
    ligand = Data(z=torch.tensor([6]), pos=torch.zeros(1, 3))
    found = scene(PoseSet.from_complex(receptor, [ligand]), [1.0])
    assert len(found['pocket']['z']) == 1500
