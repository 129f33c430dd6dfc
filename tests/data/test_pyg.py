import copy
import pickle

import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import Batch

from pyg_multipose.data import PoseSet

FORMS = ('complex', 'poses')


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
        T.Constant(),
        T.RandomRotate(90),
        T.Distance(cat=False, norm=False),
        T.ToDevice('cpu'),
    ):
        before = copy.copy(pose_set)
        after = transform(pose_set)
        make.same(pose_set, before)
        assert type(after) is PoseSet
        assert after.to_poses()[1].num_nodes == pose_set.pose(1).num_nodes
    steps = T.Compose([T.Constant(), T.Distance(cat=False, norm=False)])
    after = steps(pose_set)
    for index in range(2):
        make.same(after.pose(index), steps(pose_set.pose(index)))


def test_degrees_of_whole_graphs(make):
    poses = make.poses([3, 4], edges=5)
    transform = T.OneHotDegree(10)
    after = transform(PoseSet.from_poses(poses, pose_attrs=make.attrs))
    for index, pose in enumerate(poses):
        make.same(after.pose(index), transform(pose))


def test_transforms_that_reorder_edges_are_noticed(make):
    pose_set = make.set('complex', (4, 4), seed=1)
    with pytest.raises(ValueError, match=r"'edge_attr'.*20 rows, expected 33"):
        T.AddSelfLoops()(pose_set)
    del pose_set.edge_attr
    with pytest.raises(
        ValueError, match="'edge_index' were reordered: edge 2"
    ):
        T.AddSelfLoops()(pose_set)


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
