"""Sets with other poses in place of some."""

import pytest
import torch
from torch_geometric.data import Batch

from pyg_multipose.data import Layout
from pyg_multipose.data.siblings.alone import alone
from pyg_multipose.data.siblings.disturbed import disturbed
from pyg_multipose.transforms import RadiusGraph
from tests.transforms.pyg_cases import set_with_receptor

FORMS = ('complex', 'poses')


@pytest.mark.parametrize('form', FORMS)
def test_poses_alone(make, form):
    pose_set = make.set(form, (2, 3, 1), name='A')
    for pose, one in enumerate(alone(pose_set, Layout(pose_set), range(3))):
        make.same(one, pose_set.select([pose]))


@pytest.mark.parametrize('form', FORMS)
def test_poses_of_a_batch_alone(make, form):
    sets = [make.set(form, (2, 3), 1, 'A'), make.set(form, (1, 4), 2, 'B')]
    batch = Batch.from_data_list(sets, follow_batch=['pos'])
    lone = alone(batch, Layout(batch), range(4))
    for pose, one in enumerate(lone):
        make.same(one, sets[pose // 2].select([pose % 2]))


@pytest.mark.parametrize('rewired', [True, False])
@pytest.mark.parametrize('form', FORMS)
def test_only_the_poses_named_are_others(make, form, rewired):
    pose_set = make.set(form, (4, 3, 5), name='A')
    before = pose_set.clone()
    layout = Layout(pose_set)
    other = disturbed(pose_set, layout, [0, 2], rewired)
    make.same(pose_set, before)
    make.same(other.pose(1), pose_set.pose(1))
    if form == 'complex':
        make.same(other.receptor, pose_set.receptor)
    assert torch.equal(other.pose_size, pose_set.pose_size)
    for pose in (0, 2):
        one, two = other.pose(pose), pose_set.pose(pose)
        for key in ('x', 'pos', 'score', 'edge_attr', 'edge_index'):
            assert one[key].shape == two[key].shape
            assert not torch.equal(one[key], two[key])
        # What counts or names stays within what there is.
        assert one.z.sort()[0].equal(two.z.sort()[0])
        assert one.smiles == two.smiles


def degrees(pose):
    """Of both ends of edges."""
    return torch.bincount(pose.edge_index.view(-1), minlength=pose.num_nodes)


def test_rewiring_makes_more_neighbours(make):
    pose_set = make.set('poses', (8, 8), seed=3)
    layout = Layout(pose_set)
    same = disturbed(pose_set, layout, [1], rewired=False).pose(1)
    other = disturbed(pose_set, layout, [1], rewired=True).pose(1)
    before = degrees(pose_set.pose(1))
    assert degrees(same).sort()[0].equal(before.sort()[0])
    assert degrees(other).max() > before.max()


@pytest.mark.parametrize('rewired', [True, False])
def test_what_is_true_of_edges_stays_true(rewired):
    """Both ways, once, or with loops, also where all pairs have edges."""
    for loop in (False, True):
        for cutoff in (1.5, 2.5, 99.0):
            pose_set = RadiusGraph(cutoff, loop)(set_with_receptor(1))
            other = disturbed(pose_set, Layout(pose_set), [0, 2], rewired)
            for pose in other.to_poses():
                assert pose.is_undirected()
                edges = pose.edge_index.unique(dim=1)
                assert edges.shape == pose.edge_index.shape
                loops = int((edges[0] == edges[1]).sum())
                assert loops == (pose.num_nodes if loop else 0)
    directed = pose_set.clone()
    source, target = directed.edge_index
    directed.edge_index = directed.edge_index[:, source < target]
    other = disturbed(directed, Layout(directed), [0, 1, 2], rewired)
    for pose in other.to_poses():
        both = torch.cat([pose.edge_index, pose.edge_index.flip(0)], dim=1)
        assert both.unique(dim=1).shape == both.shape
