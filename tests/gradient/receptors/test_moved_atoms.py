"""Models whose way to share knows of no moved atoms are found out."""

import warnings

import pytest
import torch
from torch import nn
from torch_geometric.nn import global_add_pool

from pyg_multipose.data import Layout
from pyg_multipose.gradient.receptors.witnesses import kinds
from pyg_multipose.nn import MultiPoseReadout
from tests.moved_sets import batch_of, graphs_of, make


class Rigid(nn.Module):
    """Takes all rows of a pose for its ligand, as if nothing could move."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 1)

    def forward(self, batch):
        return global_add_pool(
            self.embedding(batch.z), batch.batch, batch.num_graphs
        )

    def encode_receptor(self, receptor):
        return self.embedding(receptor.z).sum(0)

    def forward_poses(self, poses, state):
        size = int(poses.receptor_size)
        pose = torch.arange(poses.num_poses)
        pose = pose.repeat_interleave(poses.pose_size)
        own = self.embedding(poses.z[size:])
        return state + global_add_pool(own, pose, poses.num_poses)


@pytest.mark.parametrize('counts', [(3, 0), (0, 3)])
def test_a_model_that_is_seen_to_be_wrong(counts):
    """Right while receptors are rigid; looked at again when atoms move."""
    torch.manual_seed(0)
    model = Rigid().double()
    rigid = [make(1, (2,) * 16, counts=((0, 0),))]
    moved = [make(2, (2,) * 16, counts=(counts,))]
    readout = MultiPoseReadout(model, 'mean')
    same(readout(batch_of(rigid)), plainly(model, rigid))
    assert readout.last_plan.counts.encoded == 1
    with pytest.warns(UserWarning, match='Receptors were shared in 1 calls'):
        out = readout(batch_of(moved))
    same(out, plainly(model, moved))
    assert 'predictions differ' in readout.last_plan.receptor
    asked = MultiPoseReadout(model, 'mean', share_receptor=True)
    asked(batch_of(rigid))
    with (
        warnings.catch_warnings(),
        pytest.raises(ValueError, match='share_receptor=True is not poss'),
    ):
        warnings.simplefilter('ignore')
        asked(batch_of(moved))


def plainly(model, sets):
    graphs, number = graphs_of(sets)
    poses = model(graphs)
    return torch.stack([poses[number == n].mean() for n in range(len(sets))])


def same(one, two):
    torch.testing.assert_close(one, two, rtol=1e-11, atol=1e-12)


def test_kinds():
    """What has moved is of a kind of its own, and so is what is absent."""
    made = make(1, counts=((0, 0), (3, 0), (0, 2)), sizes=(2, 2, 2))
    made.set.z[:36], made.set.z[36:] = 8, 6
    made.set.z[made.set.moved_index[1, :3]] = 7
    layout = Layout(made.set)
    tables = {key: made.set[key] for key in ('z', 'is_ligand')}
    moved = {('z', 'moved', 7), ('is_ligand', 'moved', 0)}
    rigid = {
        ('z', 'receptor', 8),
        ('z', 'ligand', 6),
        ('is_ligand', 'receptor', 0),
        ('is_ligand', 'ligand', 1),
    }
    absent = {('moved_index', 'absent', 1)}
    assert kinds(layout, tables) == rigid | moved | absent
    for poses, expected in (
        ([0], rigid),
        ([1], rigid | moved),
        ([2], rigid | absent),
        ([2, 0], rigid | absent),
    ):
        assert kinds(layout, tables, poses) == expected
