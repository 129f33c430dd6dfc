import copy

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import Layout, PoseSet

FORMS = ('complex', 'poses')


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
