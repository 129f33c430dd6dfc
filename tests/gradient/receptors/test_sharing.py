"""Who may share a receptor at all, and what is said if not."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.utils import scatter

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MultiPoseReadout


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 1)

    def forward(self, batch):
        h = self.lin(batch.pos).squeeze(1)
        return scatter(h, batch.batch, 0, batch.num_graphs)


class Shares(Net):
    def encode_receptor(self, receptor):
        return self.lin(receptor.pos).sum()

    def forward_poses(self, poses, state):
        size, first = poses.pose_size, int(poses.receptor_size)
        at = torch.arange(len(size)).repeat_interleave(size)
        h = self.lin(poses.pos[first:]).squeeze(1)
        return scatter(h, at, 0, len(size)) + state


class Differs(Shares):
    def encode_receptor(self, receptor):
        return 2 * self.lin(receptor.pos).sum()


class Saves(Shares):
    """It knows what sharing costs."""

    cost = 0.1

    def sharing_cost(self, poses):
        return self.cost


class SavesNothing(Saves):
    cost = 1.0


class Bounded(Saves):
    """It knows what sharing costs at most, and counts what it is asked."""

    bound = 0.5

    def __init__(self):
        super().__init__()
        self.asked = []

    def sharing_bound(self, *edges):
        self.asked.append(edges)
        return self.bound

    def sharing_cost(self, poses):
        self.asked.append('cost')
        return self.cost


def poses_of(count=3):
    return PoseSet.from_complex(
        Data(pos=torch.randn(4, 3)),
        [Data(pos=torch.randn(2, 3)) for _ in range(count)],
    )


def with_edges(atoms, number):
    edges = torch.randint(atoms, (2, number))
    return Data(pos=torch.randn(atoms, 3), edge_index=edges)


def receptor_plan(kind, share, poses=None, mask=None):
    poses = poses_of() if poses is None else poses
    if mask is not None:
        poses.is_ligand = mask
    readout = MultiPoseReadout(kind(), 'mean', share_receptor=share)
    readout(poses).sum().backward()
    return readout.last_plan.receptor


@pytest.mark.parametrize(
    ('kind', 'words'),
    [
        (Net, 'Net has no encode_receptor and no forward_poses'),
        (Differs, 'predictions differ'),
    ],
)
def test_who_cannot(kind, words):
    assert words in receptor_plan(kind, 'auto')
    with pytest.raises(ValueError, match=f'True is not possible: .*{words}'):
        receptor_plan(kind, True)
    assert 'asked for' in receptor_plan(kind, False)


def test_who_can():
    for share in ('auto', True):
        assert receptor_plan(Shares, share).startswith('1 encoded')
        assert receptor_plan(Saves, share).startswith('1 encoded')
    assert 'asked for' in receptor_plan(Shares, False)


def test_where_nothing_is_saved():
    assert 'would cost 100%' in receptor_plan(SavesNothing, 'auto')
    assert receptor_plan(SavesNothing, True).startswith('1 encoded')
    one = poses_of(1)
    assert 'no receptor has several poses' in receptor_plan(
        Shares, 'auto', one
    )
    assert receptor_plan(Shares, True, one).startswith('1 encoded')


def test_what_gains_in_any_case_is_not_searched():
    """What is asked before has how many edges there are."""
    model, first = Bounded(), (5, 3, False)
    poses = PoseSet.from_complex(
        with_edges(4, 5), [with_edges(2, 3), with_edges(2, 7)]
    )
    receptor_plan(lambda: model, 'auto', poses)
    assert model.asked == [first]
    model.bound, model.asked = 1.0, []
    receptor_plan(lambda: model, 'auto', poses)
    assert model.asked == [first, 'cost']
    model.asked = []
    receptor_plan(lambda: model, 'auto', poses_of())  # it finds edges itself
    assert model.asked == ['cost']


def test_nothing_to_share():
    poses = PoseSet.from_poses([Data(pos=torch.randn(2, 3))] * 3)
    for share in ('auto', True):
        assert 'no set has a receptor' in receptor_plan(Shares, share, poses)


@pytest.mark.parametrize('row', [0, 3, 4, 9])
def test_mask_that_contradicts_the_rows(row):
    mask = torch.arange(10) >= 4
    assert receptor_plan(Shares, 'auto', mask=mask).startswith('1 encoded')
    mask[row] = ~mask[row]
    words = 'marks other atoms than those of its poses'
    assert words in receptor_plan(Shares, 'auto', mask=mask)
    with pytest.raises(ValueError, match=words):
        receptor_plan(Shares, True, mask=mask)
