import copy
import pickle

import numpy as np
import pytest
import torch
import torch_geometric.transforms as T
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from pyg_multipose.data import Layout, PoseSet

FORMS = ('complex', 'poses')


# Both forms ##################################################################


@settings(max_examples=40, deadline=None)
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


# select ######################################################################


@pytest.mark.parametrize(
    ('index', 'poses'),
    [
        ([2, 0], [2, 0]),
        ((1,), [1]),
        (3, [3]),
        (slice(None), [0, 1, 2, 3]),
        (slice(1, None, 2), [1, 3]),
        (slice(None, None, -1), [3, 2, 1, 0]),
        ([True, False, False, True], [0, 3]),
        (torch.tensor([False, True, True, False]), [1, 2]),
        (np.array([3, 3]), [3, 3]),
        ([-1, 0, -1], [3, 0, 3]),
        (torch.tensor([1, -2]), [1, 2]),
        (torch.tensor(2), [2]),
        (range(2), [0, 1]),
    ],
)
@pytest.mark.parametrize('form', FORMS)
def test_select(make, form, index, poses):
    pose_set = make.set(form, (2, 3, 1, 4), seed=3, name='cpd')
    chosen = pose_set.select(index)
    assert type(chosen) is PoseSet
    assert chosen.num_poses == len(poses)
    assert chosen.name == 'cpd' and torch.equal(chosen.y, pose_set.y)
    for new, old in enumerate(poses):
        make.same(chosen.pose(new), pose_set.pose(old))
    if form == 'complex':
        make.same(chosen.receptor, pose_set.receptor)
    make.same(Batch.from_data_list([chosen, pose_set])[0], chosen)


def test_select_nothing_is_an_error(make):
    pose_set = make.set('poses', (2, 3), name='cpd')
    for nothing in ([], slice(2, 2), [False, False], torch.empty(0).long()):
        with pytest.raises(ValueError, match="set 'cpd' selected.*for 2"):
            pose_set.select(nothing)


@pytest.mark.parametrize('index', [[2], [-3], torch.tensor([0, 5])])
def test_select_out_of_range(make, index):
    with pytest.raises(IndexError, match='there are 2'):
        make.set('poses', (2, 3)).select(index)


@pytest.mark.parametrize('index', [[0.5], ['0'], [[0], [1]], None, {'a': 1}])
def test_select_by_something_else(make, index):
    with pytest.raises(IndexError, match='list of integers, a slice or a'):
        make.set('poses', (2, 3)).select(index)


def test_select_by_a_mask_of_another_length(make):
    with pytest.raises(IndexError, match=r'\[3\] does not fit 2 poses'):
        make.set('poses', (2, 3)).select([True, False, True])


def test_select_keeps_gradients(make):
    pose_set = make.set('complex', (2, 3))
    pose_set.pos.requires_grad_()
    pose_set.select([1, 1]).pos.sum().backward()
    assert pose_set.pos.grad[:, 0].tolist() == [1] * 5 + [0] * 2 + [2] * 3


@pytest.mark.parametrize('what', ['receptor', 'select', 'put'])
def test_a_batch_is_no_set(make, what):
    batch = Batch.from_data_list([make.set('complex', (2,))] * 2)
    with pytest.raises(ValueError, match=r'batch of 2; take batch\[i\]'):
        match what:
            case 'receptor':
                _ = batch.receptor
            case 'select':
                batch.select([0])
            case 'put':
                batch.put('a', torch.zeros(2), 'pose')


# put and del #################################################################


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('level', ['node', 'edge', 'bond', 'pose', 'set'])
def test_put_on_every_level(make, form, level):
    pose_set = make.set(form, (2, 3))
    sizes = {
        'node': pose_set.num_nodes,
        'edge': pose_set.num_edges,
        'bond': pose_set.bond_index.size(1),
        'pose': 2,
        'set': 1,
    }
    value = torch.arange(sizes[level]) * 1.5
    assert pose_set.put('extra', value, level) is pose_set
    batch = Batch.from_data_list([pose_set.select([1]), pose_set])
    make.same(batch[1], pose_set)
    graphs = Batch.from_data_list(batch.to_poses())
    if level == 'set':
        assert 'extra' not in graphs
    else:
        layout = Layout(batch)
        rows = layout.rows('extra', range(3))
        assert torch.equal(graphs.extra, batch.extra[rows])


def test_put_numbers_and_strings(make):
    pose_set = make.set('complex', (2, 3))
    pose_set.put('weight', 0.5, 'set').put('source', 'gnina', 'set')
    pose_set.put('file', ['a.sdf', 'b.sdf'], 'pose')
    batch = Batch.from_data_list([pose_set, pose_set])
    assert batch.weight.tolist() == [0.5, 0.5]
    assert batch.source == ['gnina', 'gnina']
    assert batch.pose(3).file == 'b.sdf'
    assert batch[1].file == ['a.sdf', 'b.sdf']
    assert pose_set.select([1]).file == ['b.sdf']


def test_put_replaces_and_may_change_the_level():
    pose_set = PoseSet.from_poses([Data(pos=torch.zeros(1, 3))] * 2)
    pose_set.put('extra', torch.zeros(2), 'node')
    pose_set.put('extra', torch.ones(2, 5), 'pose')
    assert pose_set.pose(0).extra.shape == (1, 5)
    assert not pose_set.is_node_attr('extra')


@pytest.mark.parametrize(
    ('key', 'value', 'level', 'message'),
    [
        (
            'a',
            torch.zeros(3),
            'pose',
            r"'a' \(level 'pose'\) has 3 rows, expected 2, one per pose",
        ),
        ('a', torch.zeros(2), 'node', 'has 2 rows, expected 10'),
        ('a', torch.zeros(2), 'set', 'has 2 rows, expected 1'),
        ('a', torch.tensor(1.0), 'pose', 'has 0 rows'),
        ('a', ['x'], 'pose', 'has 1 rows'),
        ('a', ['x'] * 10, 'node', 'is a list, expected a tensor'),
        ('a', 'xy', 'pose', 'is a str, .* or a list of strings'),
        (
            'a',
            torch.zeros(2),
            'graph',
            "Unknown level 'graph'.*'node', 'edge'",
        ),
        ('x', torch.zeros(2), 'pose', "level 'node' by its name, got 'pose'"),
        ('edge_a', torch.zeros(10), 'node', "level 'edge' by its name"),
        ('pose_index', torch.zeros(2), 'pose', "'pose_index'.*rename"),
        ('pose_batch', torch.zeros(2), 'pose', "'pose_batch'.*rename"),
        ('pose_ptr', torch.zeros(2), 'pose', "'pose_ptr'.*rename"),
        ('face', torch.zeros(2), 'pose', "'face'.*rename"),
        ('a b', torch.zeros(2), 'pose', 'no Python identifier'),
        ('pose_size', torch.zeros(2), 'pose', 'bookkeeping'),
        ('receptor', torch.zeros(2), 'pose', "'receptor' of its own"),
        ('num_poses', torch.zeros(2), 'pose', "'num_poses' of its own"),
    ],
)
def test_put_refuses(make, key, value, level, message):
    pose_set = make.set('complex', (2, 3))
    before = copy.copy(pose_set)
    with pytest.raises(ValueError, match=message):
        pose_set.put(key, value, level)
    make.same(pose_set, before)


def test_put_mends_an_undeclared_key(make):
    """What the error about such a key tells to do."""
    pose_set = make.set('complex', (2, 3))
    pose_set.rank = torch.tensor([1, 0])
    with pytest.raises(ValueError, match=r"put\('rank', value, level="):
        pose_set.pose(0)
    pose_set.put('rank', pose_set.rank, 'pose')
    assert pose_set.pose(0).rank.tolist() == [1]


def test_deleted_keys_are_forgotten(make):
    """Sets that had a key compare equal to those that never had it."""
    had, never = make.set('complex', (2, 3)), make.set('complex', (1,))
    had.put('a', torch.zeros(2), 'pose').put('b', torch.zeros(2), 'pose')
    del had['a'], had.b
    batch = Batch.from_data_list([had, never])
    assert Layout(batch).num_poses == 3
    batch.c = torch.zeros(3)
    del batch['x']
    del batch.c
    assert 'x' not in batch.to_poses()[0]
    del had['not there']


def test_levels_are_declared_not_guessed():
    """As many poses as atoms, as in a set of single atoms."""
    poses = [Data(pos=torch.zeros(1, 3), score=float(i)) for i in range(3)]
    pose_set = PoseSet.from_poses(poses, pose_attrs=['score'])
    assert pose_set.is_node_attr('pos')
    assert not pose_set.is_node_attr('score')
    assert not pose_set.is_edge_attr('score')
    assert pose_set.select([2, 1]).score.tolist() == [2.0, 1.0]


# PyG #########################################################################


@pytest.mark.parametrize('form', FORMS)
def test_copies(make, form):
    pose_set = make.set(form, (2, 3), name='cpd')
    for duplicate in (copy.copy, copy.deepcopy, PoseSet.clone):
        make.same(duplicate(pose_set), pose_set)
    make.same(pickle.loads(pickle.dumps(pose_set)), pose_set)
    deep = copy.deepcopy(pose_set)
    deep.pos.add_(1.0)
    assert not torch.equal(deep.pos, pose_set.pos)


def test_repr_is_short(make):
    pose_set = make.set('complex', (2, 3), name='cpd')
    text = repr(pose_set)
    assert text.startswith('PoseSet(x=[10, 2], ') and "name='cpd'" in text
    assert 'levels' not in text
    assert 'levels' in pose_set
    assert repr(Batch.from_data_list([pose_set])).startswith('PoseSetBatch(')


def test_to_and_apply_reach_every_tensor(make):
    pose_set = make.set('complex', (2, 3))
    moved = copy.copy(pose_set).to('cpu')
    make.same(moved, pose_set)
    wide = copy.copy(pose_set).apply(
        lambda t: t.double() if t.is_floating_point() else t
    )
    assert wide.pose(1).pos.dtype == torch.float64
    assert wide.pose(1).edge_attr.dtype == torch.float64
    assert wide.score.dtype == wide.y.dtype == torch.float64
    assert torch.equal(wide.pose(1).pos.float(), pose_set.pose(1).pos)


def test_meta_device_moves_counts_with_the_rest(make):
    meta = make.set('complex', (2, 3)).to('meta')
    assert {
        v.device.type for v in meta.to_dict().values() if torch.is_tensor(v)
    } == {'meta'}


@pytest.mark.parametrize('form', FORMS)
def test_transforms_of_pyg(make, form):
    pose_set = make.set(form, (2, 3))
    pose_set.x = pose_set.x.abs() + 0.1
    torch.manual_seed(0)
    for transform in (
        T.RandomJitter(0.1),
        T.NormalizeFeatures(),
        T.RandomRotate(90),
        T.Distance(cat=False),
        T.ToDevice('cpu'),
    ):
        before = copy.copy(pose_set)
        after = transform(pose_set)
        make.same(pose_set, before)
        assert type(after) is PoseSet
        assert after.to_poses()[1].num_nodes == pose_set.pose(1).num_nodes
    after = T.Distance(cat=False, norm=False)(T.NormalizeFeatures()(pose_set))
    for index in range(2):
        expected = T.NormalizeFeatures()(pose_set.pose(index))
        expected = T.Distance(cat=False, norm=False)(expected)
        make.same(after.pose(index), expected)


def test_degrees_of_whole_graphs(make):
    poses = make.poses([3, 4], edges=5)
    transform = T.OneHotDegree(10)
    after = transform(PoseSet.from_poses(poses, pose_attrs=make.attrs))
    for index, pose in enumerate(poses):
        make.same(after.pose(index), transform(pose))


def test_transforms_that_reorder_edges_are_noticed(make):
    pose_set = make.set('complex', (4, 4), seed=1)
    with pytest.raises(ValueError, match=r"'edge_attr'.*20 rows, expected 33"):
        T.AddSelfLoops()(pose_set).pose(0)
    del pose_set.edge_attr
    with pytest.raises(
        ValueError, match="'edge_index' were reordered: edge 2"
    ):
        T.AddSelfLoops()(pose_set).pose(0)


def test_transforms_that_drop_atoms_are_noticed(make):
    pose_set = make.set('complex', (4, 4))
    fewer = pose_set.subgraph(torch.arange(5, 13))
    with pytest.raises(
        ValueError, match='has 8 rows, expected 13, one per node'
    ):
        fewer.pose(0)
    assert len(fewer.score) == 2


def test_validate_of_pyg_passes(make):
    assert make.set('complex', (2, 3)).validate()
    assert Batch.from_data_list([make.set('poses', (2, 3))] * 2).validate()
