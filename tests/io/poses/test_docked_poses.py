import copy
import gzip
import pickle

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.data import PoseSet  # noqa: E402
from pyg_multipose.datasets import MproMoonshot  # noqa: E402
from pyg_multipose.io import DockedPoses, read_poses  # noqa: E402
from pyg_multipose.transforms import RadiusGraph  # noqa: E402


@pytest.fixture
def text(make):
    return ''.join(
        make.sdf(
            make.embedded(smiles, seed),
            name,
            [('CNNscore', 0.1 * seed), ('docking_score', -seed)],
        )
        for name, smiles, count in (('A', 'CCO', 3), ('B', 'CC(N)=O', 2))
        for seed in range(1, count + 1)
    )


def receptor(**more):
    return Data(
        z=torch.tensor([6, 7, 8]),
        pos=torch.randn(3, 3, generator=torch.Generator().manual_seed(0)) + 5,
        residue=torch.tensor([1, 1, 2]),
        **more,
    )


def test_is_a_dataset(read, text):
    poses = read(text)
    assert isinstance(poses, DockedPoses) and len(poses) == 2
    assert isinstance(poses[0], PoseSet)
    assert poses.names == ['A', 'B'] and poses.num_poses.tolist() == [3, 2]
    part = poses[1:]
    assert part.names == ['B'] and part.smiles == ['CC(N)=O']
    assert [record for _, record in part.records[0]] == [4, 5]
    assert part[0].name == 'B'
    assert 'CNNscore' in repr(poses)
    assert [s.name for s in poses] == poses.names

    batch = next(iter(DataLoader(poses, batch_size=2)))
    assert batch.num_poses == 5 and batch.name == ['A', 'B']
    torch.testing.assert_close(
        batch.docking_score, torch.tensor([-1.0, -2, -3, -1, -2])
    )
    assert batch.CNNscore.dtype == batch.pos.dtype == torch.float32


def test_items_are_new_every_time(read, text):
    poses = read(text)
    before = copy.copy(poses[0])
    poses[0].pos.zero_()
    poses[0].docking_score.zero_()
    assert poses[0].pos.equal(before.pos) and before.pos.abs().min() > 0
    assert poses[0].docking_score.tolist() == [-1, -2, -3]


def test_workers_and_pickles(read, text):
    poses = read(text, receptor=receptor())
    again = pickle.loads(pickle.dumps(poses))
    loader = DataLoader(poses, batch_size=1, num_workers=2)
    for one, other, batch in zip(poses, again, loader, strict=True):
        for key in one.keys():
            if torch.is_tensor(one[key]):
                torch.testing.assert_close(one[key], other[key])
                torch.testing.assert_close(one[key], batch[0][key])
    assert again.names == poses.names
    assert str(again.report) == str(poses.report)


def test_transform(read, text):
    poses = read(text, transform=RadiusGraph(3.0))
    assert poses[0].edge_index.numel()


def test_default_dtype_does_not_matter(read, text):
    torch.set_default_dtype(torch.float64)
    try:
        poses = read(text)
        assert poses[0].docking_score.dtype == torch.float32
        assert poses[0].pos.dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


def test_receptor(read, text):
    given = receptor(name_id=torch.tensor([7, 8, 9]))
    before = given.clone()
    poses = read(text, receptor=given, receptor_name='R')
    pose_set = poses[0]
    assert pose_set.receptor_name == 'R'
    assert pose_set.receptor.pos.equal(given.pos)
    pose = pose_set.pose(0)
    assert pose.is_ligand.tolist() == [False] * 3 + [True] * 3
    # What one side does not know is 0.
    assert pose.residue.tolist() == [1, 1, 2, 0, 0, 0]
    assert pose.name_id.tolist() == [7, 8, 9, 0, 0, 0]
    assert pose.num_hydrogens.tolist() == [0, 0, 0, 3, 2, 1]
    assert pose.bond_index.min() == 3
    assert given.keys() == before.keys()
    batch = next(iter(DataLoader(poses, batch_size=2)))
    assert batch.receptor_groups().tolist() == [0, 0]


def test_receptor_with_features_and_bonds(read, text):
    given = receptor(
        hybridization=torch.tensor([3, 2, 2]),
        bond_index=torch.tensor([[0, 1], [1, 0]]),
        bond_type=torch.tensor([1, 1]),
    )
    pose = read(text, receptor=given)[0].pose(1)
    assert pose.hybridization[:3].tolist() == [3, 2, 2]
    assert pose.bond_index[:, :2].tolist() == [[0, 1], [1, 0]]


def test_the_bundled_dataset_from_files(tmp_path):
    """The tensors of the bundled sets are what reading them gives."""
    bundled = MproMoonshot('test')
    path = tmp_path / 'poses.sdf.gz'
    with gzip.open(path, 'wt') as file:
        for pose_set, smiles in zip(bundled, bundled.smiles, strict=True):
            for number, pose in enumerate(pose_set.to_poses()):
                mol = Chem.MolFromSmiles(smiles)
                xyz = pose.pos[pose.is_ligand].double()
                conformer = Chem.Conformer(mol.GetNumAtoms())
                conformer.SetPositions(xyz.numpy())
                mol.AddConformer(conformer)
                block = Chem.MolToMolBlock(mol).split('\n', 1)[1]
                score = f'{pose_set.vina_score[number].item():.3f}'
                file.write(
                    f'pose {number}\n{block}> <compound_id>\n{pose_set.name}\n'
                    f'> <vina_score>\n{score}\n$$$$\n'
                )
    poses = read_poses(
        path,
        group_by='compound_id',
        receptor=bundled.receptor,
        receptor_name='mpro_pocket',
        features=(),
        template=dict(zip(bundled.names, bundled.smiles, strict=True)),
    )
    assert poses.names == bundled.names and not poses.report.rows
    for got, expected in zip(poses, bundled, strict=True):
        del expected['y']
        assert set(got.keys()) == set(expected.keys())
        for key in got.keys():
            if torch.is_tensor(got[key]):
                assert got[key].equal(expected[key]), key
            elif key != 'levels':
                assert got[key] == expected[key]


def test_nothing_to_read(tmp_path):
    with pytest.warns(UserWarning, match='No poses'):
        poses = read_poses(tmp_path, receptor=receptor(), scores=['CNNscore'])
    assert len(poses) == 0 and list(poses.scores) == ['CNNscore']
    assert poses.num_poses.tolist() == []
    assert repr(poses).startswith('DockedPoses(0 sets')
