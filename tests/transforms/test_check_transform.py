"""Functions of pose sets, and transforms written for them."""

import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import Batch

from pyg_multipose.transforms import (
    PerPose,
    PoseSetTransform,
    RadiusGraph,
    TopPoses,
    check_transform,
)
from tests.transforms.pyg_cases import set_of_graphs, set_with_receptor


def doubled(pose_set):
    pose_set.x = pose_set.x * 2
    return pose_set


def neighbours(pose_set):
    size = pose_set.num_nodes
    count = torch.bincount(pose_set.edge_index[1], minlength=size)
    return pose_set.put('count', count, level='node')


def test_functions():
    pose_set = set_with_receptor(0)
    before = pose_set.x.clone()
    out = check_transform(doubled, pose_set)
    assert torch.equal(out.x, 2 * before) and torch.equal(pose_set.x, before)
    with pytest.raises(ValueError, match='^neighbours lets a pose know'):
        check_transform(neighbours, pose_set)
    with pytest.raises(ValueError, match=r'^function\(...\)|^<lambda> lets'):
        check_transform(lambda s: neighbours(s), pose_set)
    graphs = set_of_graphs(0)
    assert 'count' in check_transform(neighbours, graphs)
    batch = Batch.from_data_list([graphs, set_of_graphs(1)])
    assert isinstance(check_transform(doubled, batch), Batch)


def test_compositions_are_checked_step_by_step():
    pose_set = set_with_receptor(0)
    del pose_set.edge_index
    steps = [RadiusGraph(2.2), T.Compose([doubled, PerPose(T.Distance())])]
    out = check_transform(T.Compose(steps), pose_set)
    assert torch.equal(out.pose(2).x, 2 * pose_set.pose(2).x)
    assert out.receptor is None
    with pytest.raises(ValueError, match='^neighbours lets'):
        check_transform(T.Compose([steps[0], neighbours]), pose_set)


def test_every_call_is_as_thorough():
    """A transform may have been called before, when it did nothing."""

    class Sometimes(T.BaseTransform):
        on = False

        def forward(self, data):
            if self.on:
                data.x = data.x - data.x[data.is_ligand].mean(dim=0)
            return data

    transform, twins = Sometimes(), set_with_receptor(0).select([0, 0, 0])
    for _ in range(3):
        transform(twins)
    transform.on = True
    transform(twins)  # equal poses show nothing
    with pytest.raises(ValueError, match='among these poses or among others'):
        check_transform(transform, twins)


def test_transforms_for_pose_sets_are_trusted():
    class First(PoseSetTransform):
        def forward(self, data):
            data.other = None
            return data.select([0])

    pose_set = set_with_receptor(0)
    pose_set.put('score', torch.tensor([3.0, 1.0, 2.0]), 'pose')
    keys = set(pose_set.keys())
    for transform in (First(), TopPoses(1, 'score', higher_is_better=False)):
        for call in (transform, lambda s, t=transform: check_transform(t, s)):
            assert call(pose_set).num_poses == 1
    assert set(pose_set.keys()) == keys and pose_set.num_poses == 3


def test_what_is_no_pose_set_is_refused():
    with pytest.raises(ValueError, match='on a PoseSet, got Data'):
        check_transform(doubled, set_with_receptor(0).pose(0))
