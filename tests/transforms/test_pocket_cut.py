"""The part of a receptor near the ligand."""

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.utils import subgraph

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import SchNet
from pyg_multipose.transforms import PocketCut, RadiusGraph


@pytest.fixture
def pose_set(make):
    return make.docked(
        [make.positions(i) + 3 * i for i in range(3)],
        y=5.0,
        receptor_name='box',
    )


def near(pos, around, r=4.0):
    return (torch.cdist(pos, around) <= r).any(dim=1)


def test_one_cut_around_all_poses(make, pose_set):
    receptor = make.receptor()
    keep = near(receptor.pos, pose_set.pos[60:])
    assert 3 < keep.sum() < 50
    cut = PocketCut(4.0)(pose_set)
    assert int(pose_set.receptor_size) == 60
    assert torch.equal(cut.receptor.pos, receptor.pos[keep])
    assert torch.equal(cut.receptor.residue, receptor.residue[keep])
    assert cut.name == 'A'
    assert cut.y == 5 and cut.score.tolist() == [0, 1, 2]
    for one, other in zip(cut.ligands(), pose_set.ligands(), strict=True):
        assert torch.equal(one.pos, other.pos)
        assert torch.equal(one.bond_index, other.bond_index)
    # Bonds of the receptor are among the atoms that are left.
    bonds, _ = subgraph(keep, receptor.bond_index, relabel_nodes=True)
    assert 0 < bonds.size(1) < receptor.bond_index.size(1)
    assert torch.equal(cut.receptor.bond_index, bonds)


def test_a_receptor_of_its_own_has_a_name_of_its_own(make, pose_set):
    poses = [pose_set.select([0]), pose_set.select([1]), pose_set.select([0])]
    names = [PocketCut(4.0)(one).receptor_name for one in poses]
    assert names[0] == names[2] != names[1]
    assert all(name.startswith('box ') for name in names)
    cut = RadiusGraph(3.0)
    batch = Batch.from_data_list([cut(PocketCut(4.0)(p)) for p in poses])
    MultiPoseReadout(SchNet(8, 8, 1, cutoff=3.0), 'mean')(batch)
    around = pose_set.pos[-3:]
    assert PocketCut(4.0, around)(pose_set).receptor_name == 'box'
    nameless = make.docked([make.positions(0)])
    assert not PocketCut(9.0)(nameless).receptor_name


def test_edges_are_those_of_what_is_left(pose_set):
    before = PocketCut(4.0)(RadiusGraph(3.0)(pose_set))
    after = RadiusGraph(3.0)(PocketCut(4.0)(pose_set))
    assert torch.equal(before.edge_index, after.edge_index)


def test_whole_residues(make, pose_set):
    receptor = make.receptor()
    keep = near(receptor.pos, pose_set.pos[60:])
    keep = keep.view(-1, 3).any(dim=1).repeat_interleave(3)
    cut = PocketCut(4.0, group='residue')(pose_set)
    assert torch.equal(cut.receptor.pos, receptor.pos[keep])


def test_each_pose_on_its_own(make, pose_set):
    pose_set.put('weight', torch.tensor([2.0]), 'set')
    cut = PocketCut(4.0, per_pose=True)(pose_set)
    receptor = make.receptor()
    assert cut.receptor is None and cut.num_poses == 3
    sizes = set()
    for number, pose in enumerate(cut.to_poses()):
        ligand = pose_set.ligands()[number]
        keep = near(receptor.pos, ligand.pos)
        sizes.add(int(keep.sum()))
        expected = torch.cat([receptor.pos[keep], ligand.pos])
        assert torch.equal(pose.pos, expected)
        assert pose.is_ligand.sum() == len(ligand.pos)
        assert pose.score == number
    assert len(sizes) > 1
    assert cut.y == 5 and cut.name == 'A' and cut.weight == 2


def test_one_pocket_for_sets_of_one_receptor(make):
    """Cut around the same points, it is still one receptor."""
    sets = [make.docked([make.positions(i)], y=5.0) for i in range(2)]
    model = SchNet(hidden_channels=8, num_filters=8, num_interactions=2)
    readout = MultiPoseReadout(model.double(), 'mean', share_receptor=True)
    for around, groups in ((make.positions(7), [0, 0]), (None, [0, 1])):
        cut = PocketCut(5.0, around=around)
        parts = [RadiusGraph(3.0)(cut(one)) for one in sets]
        batch = Batch.from_data_list(parts)
        assert batch.receptor_groups().tolist() == groups
        readout(batch).sum().backward()
        assert readout.last_plan.counts.encoded == len(set(groups))


def test_refusals(make, pose_set):
    with pytest.raises(ValueError, match="'A': no atom .* within 0.001"):
        PocketCut(0.001)(pose_set)
    far = make.docked([make.positions(), make.positions() + 100])
    with pytest.raises(ValueError, match="set 'A', pose 1: no atom of the"):
        PocketCut(5.0, per_pose=True)(far)
    with pytest.raises(ValueError, match="'chain' is no key of atoms"):
        PocketCut(5.0, group='chain')(pose_set)
    with pytest.raises(ValueError, match="leave out 'per_pose'"):
        PocketCut(5.0, around=torch.zeros(1, 3), per_pose=True)
    with pytest.raises(ValueError, match="'around' has to be coordinates"):
        PocketCut(5.0, around=torch.zeros(3))
    poses = [Data(z=torch.tensor([6]), pos=torch.zeros(1, 3))]
    with pytest.raises(ValueError, match='no receptor that its poses share'):
        PocketCut(5.0)(PoseSet.from_poses(poses))
    assert repr(PocketCut(5.0, around=torch.zeros(2, 3))) == (
        'PocketCut(5.0, around=2 points, group=None, per_pose=False)'
    )
