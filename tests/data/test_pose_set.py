import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet

# Both forms ##################################################################


@settings(max_examples=25, deadline=None)
@given(
    receptor=st.integers(0, 6),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    seed=st.integers(0, 10**6),
)
def test_both_forms_hold_the_same_poses(make, receptor, sizes, seed):
    pose_set, _, complexes = make.complex(receptor, sizes, seed)
    whole = PoseSet.from_poses(complexes, pose_attrs=make.attrs)
    assert pose_set.num_poses == whole.num_poses == len(sizes)
    for index, expected in enumerate(complexes):
        make.same(pose_set.pose(index), expected)
        make.same(whole.pose(index), expected)
    for one, two in zip(pose_set.to_poses(), complexes, strict=True):
        make.same(one, two)


def test_a_set_stores_its_receptor_once(make):
    pose_set, receptor, _ = make.complex(7, (2, 3, 4))
    assert pose_set.num_nodes == len(pose_set.pos) == 7 + 2 + 3 + 4
    assert pose_set.pose_size.tolist() == [2, 3, 4]
    assert pose_set.receptor_size.tolist() == [7]
    assert pose_set.set_size.tolist() == [3]
    assert pose_set.num_edges == receptor.num_edges + 3 * 6


def test_poses_count_from_the_end(make):
    pose_set, _, complexes = make.complex(3, (2, 3))
    make.same(pose_set.pose(-1), complexes[1])
    for outside in (2, -3):
        with pytest.raises(IndexError, match=r'there are 2 \(0 to 1\)'):
            pose_set.pose(outside)


def test_poses_are_copies(make):
    pose_set = PoseSet.from_poses(make.poses([4]), pose_attrs=make.attrs)
    before = pose_set.pos.clone()
    pose_set.pose(0).pos.add_(1.0)
    assert torch.equal(pose_set.pos, before)


def test_whole_complexes_become_a_set_again(make):
    pose_set, _, complexes = make.complex(4, (2, 3))
    again = PoseSet.from_poses(pose_set.to_poses(), pose_attrs=make.attrs)
    assert again.receptor is None
    for index, expected in enumerate(complexes):
        make.same(again.pose(index), expected)


def test_numbers_of_a_pose_are_tensors_as_in_a_batch_of_pyg(make):
    poses = make.poses([3, 2])
    for number, pose in enumerate(poses):
        pose.score, pose.rank = -7.5 + number, number
        pose.fingerprint = torch.tensor(number)
    pose_set = PoseSet.from_poses(poses, pose_attrs=[*make.attrs, 'rank'])
    batch = Batch.from_data_list(poses)
    for key in ('score', 'rank', 'fingerprint'):
        assert pose_set[key].dtype == batch[key].dtype
        assert torch.equal(pose_set[key], batch[key])
    assert pose_set.pose(1).score.tolist() == [-6.5]


def test_one_pose_attribute_may_be_a_string(make):
    poses = [Data(pos=torch.zeros(2, 3), score=1.0) for _ in range(2)]
    assert PoseSet.from_poses(poses, pose_attrs='score').score.shape == (2,)


@pytest.mark.parametrize('dtype', [torch.float16, torch.float64, torch.int32])
def test_dtypes_of_atoms_are_kept(dtype):
    poses = [Data(pos=torch.ones(n, 3, dtype=dtype)) for n in (2, 1)]
    pose_set = PoseSet.from_poses(poses)
    assert pose_set.pos.dtype == pose_set.pose(0).pos.dtype == dtype


def test_graphs_without_features(make):
    edge_index = torch.tensor([[0, 1], [1, 0]])
    poses = [Data(num_nodes=n, edge_index=edge_index) for n in (4, 2)]
    pose_set = PoseSet.from_poses(poses)
    assert pose_set.num_nodes == 6
    for index, pose in enumerate(poses):
        make.same(pose_set.pose(index), pose)
    smaller = pose_set.select([1])
    assert smaller.num_nodes == 2
    batch = Batch.from_data_list([pose_set, smaller])
    assert batch.batch.tolist() == [0] * 6 + [1] * 2
    make.same(batch[1], smaller)
    make.same(batch[0].pose(0), poses[0])


def test_sizes_are_never_inferred_from_edges(make):
    """Where PyG would count up to the last atom with an edge."""
    poses = [Data(z=torch.ones(n).long()) for n in (5, 3)]
    for pose in poses:
        pose.edge_index = torch.tensor([[0], [1]])
    pose_set = PoseSet.from_poses(poses)
    assert pose_set.pose_size.tolist() == [5, 3]
    batch = Batch.from_data_list([pose_set, pose_set])
    assert batch.num_nodes == 16
    assert batch.pose(3).num_nodes == 3
    assert torch.equal(batch[1].edge_index, pose_set.edge_index)
    around = PoseSet.from_complex(Data(z=torch.ones(4).long()), poses)
    batch = Batch.from_data_list([around.select([1]), around])
    assert batch.ptr.tolist() == [0, 7, 19]
    assert [pose.num_nodes for pose in batch.to_poses()] == [7, 9, 7]
    assert 'num_nodes' not in PoseSet.from_poses([Data(pos=torch.ones(2, 3))])


def test_isolated_atoms_stay(make):
    pose = Data(pos=torch.zeros(4, 3), edge_index=torch.tensor([[0], [1]]))
    batch = Batch.from_data_list([PoseSet.from_poses([pose, pose])] * 2)
    assert [p.num_nodes for p in batch.to_poses()] == [4] * 4
    for of_set in batch.to_data_list():
        make.same(of_set.pose(1), pose)


def test_poses_without_edges():
    pose_set = PoseSet.from_poses([Data(pos=torch.zeros(2, 3))] * 2)
    assert 'edge_index' not in pose_set
    assert set(pose_set.pose(1).keys()) == {'pos'}


def test_poses_with_empty_edges(make):
    empty = torch.empty(2, 0, dtype=torch.long)
    some = torch.tensor([[0], [1]])
    poses = [
        Data(pos=torch.zeros(2, 3), edge_index=edges, edge_attr=attr)
        for edges, attr in (
            (empty, torch.empty(0, 4)),
            (some, torch.ones(1, 4)),
            (empty, torch.empty(0, 4)),
        )
    ]
    pose_set = PoseSet.from_poses(poses)
    for one, two in zip(pose_set.to_poses(), poses, strict=True):
        make.same(one, two)


def test_a_set_of_compounds_without_receptor_has_none(make):
    assert make.set('poses', (2, 3)).receptor is None


def test_receptor_is_the_one_given(make):
    pose_set, receptor, _ = make.complex(5, (2, 3))
    got = pose_set.receptor
    for key in receptor.keys():
        assert torch.equal(got[key], receptor[key]), key
    assert 'is_ligand' not in got
    assert got.bond_index.shape == (2, 0)


def test_receptor_without_atoms(make):
    pose_set, _, complexes = make.complex(0, (2, 3))
    assert pose_set.receptor is None
    assert pose_set.is_ligand.all()
    make.same(pose_set.pose(1), complexes[1])


def test_receptor_with_bonds_and_ligands_without(make):
    generator = torch.Generator().manual_seed(0)
    receptor, *ligands = (make.atoms(n, generator) for n in (4, 2, 3))
    receptor.bond_index = torch.tensor([[0, 1], [1, 0]])
    receptor.bond_type = torch.tensor([1, 2])
    pose_set = PoseSet.from_complex(receptor, ligands)
    assert torch.equal(pose_set.pose(1).bond_index, receptor.bond_index)
    assert torch.equal(pose_set.receptor.bond_type, receptor.bond_type)


def test_the_graphs_given_are_left_alone(make):
    pose_set, receptor, complexes = make.complex(3, (2, 2))
    before = receptor.clone(), [pose.clone() for pose in complexes]
    bare = [pose.clone() for pose in complexes]
    for pose in bare:
        del pose.is_ligand
    for pose in (receptor, *bare):
        for key in ('edge_index', 'edge_attr', 'bond_index', 'bond_type'):
            del pose[key]
            del before[0][key]
    PoseSet.from_complex(receptor, bare, pose_attrs=make.attrs)
    make.same(receptor, before[0])
    PoseSet.from_poses(complexes, pose_attrs=make.attrs)
    for one, two in zip(complexes, before[1], strict=True):
        make.same(one, two)


@pytest.mark.parametrize(
    ('y', 'shape'),
    [
        (1, (1,)),
        (2.5, (1,)),
        (torch.tensor(3.0), (1,)),
        (torch.tensor([3]), (1,)),
        (np.float64(3.0), (1,)),
        (torch.ones(1, 4), (1, 4)),
        (float('nan'), (1,)),
    ],
)
def test_labels(y, shape):
    pose_set = PoseSet.from_poses([Data(pos=torch.zeros(2, 3))], y=y)
    assert pose_set.y.shape == shape
    assert pose_set.y.is_floating_point()
