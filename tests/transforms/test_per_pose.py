"""Transforms that are applied to every pose as a complex of its own."""

import random

import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import Batch, Data

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import SchNet
from pyg_multipose.transforms import PerPose, RadiusGraph
from tests.transforms.pyg_cases import set_of_graphs, set_with_receptor

pytestmark = pytest.mark.filterwarnings('ignore:Sparse')


def same(one, two):
    """Asserts that two sets are equal in every detail."""
    assert list(one.to_dict()) == list(two.to_dict())
    for key in one.keys():
        if torch.is_tensor(one[key]):
            assert one[key].dtype == two[key].dtype, key
            assert torch.equal(one[key], two[key]), key
        else:
            assert one[key] == two[key], key


both = pytest.mark.parametrize('make_set', [set_with_receptor, set_of_graphs])


@pytest.fixture
def full():
    """A set with keys on all levels, declared and not."""
    pose_set = set_with_receptor(3)
    pose_set.put('score', torch.randn(3), 'pose')
    pose_set.put('smiles', ['C', 'CC', 'CCC'], 'pose')
    pose_set.put('kind', torch.arange(pose_set.num_edges), 'edge')
    pose_set.put('bond_type', torch.arange(50) % 3, 'bond')
    pose_set.put('order', torch.arange(50) % 2, 'bond')
    pose_set.put('source', 'vina', 'set')
    pose_set.put('assay', torch.ones(1, 2), 'set')
    return pose_set


# What comes out ##############################################################


def test_nothing_done_is_nothing_changed(full):
    before = full.clone()
    for pose_set in (full, set_of_graphs(0), full.select([1])):
        same(PerPose(lambda pose: pose)(pose_set), pose_set)
        same(PerPose(T.Compose([]))(pose_set), pose_set)
    same(full, before)


@both
def test_keys_of_atoms_are_enough(make_set):
    pose_set = make_set(0)
    for key in ('pos', 'x', 'y'):
        del pose_set[key]
    pose_set.num_nodes = pose_set.num_nodes
    same(PerPose(lambda pose: pose)(pose_set), pose_set)


def test_degrees_are_those_of_a_pose():
    pose_set = set_with_receptor(0)
    out = PerPose(T.OneHotDegree(30))(pose_set)
    assert out.receptor is None and pose_set.receptor is not None
    assert out.y == 1.0 and out.name == 'A'
    for pose in range(3):
        alone = PerPose(T.OneHotDegree(30))(pose_set.select([pose]))
        expected = T.OneHotDegree(30)(pose_set.pose(pose)).x
        assert torch.equal(out.pose(pose).x, expected)
        assert torch.equal(alone.pose(0).x, expected)


def test_what_is_equal_is_shared():
    pose_set = set_with_receptor(0)
    out = PerPose(T.Distance(norm=False))(pose_set)
    same(out, T.Distance(norm=False)(pose_set))
    loops = PerPose(T.AddSelfLoops())(pose_set)
    inner = loops.receptor.edge_index
    assert inner.size(1) == pose_set.receptor.num_edges + 14
    assert loops.num_edges == pose_set.num_edges + 14 + 3 * 5
    Layout(loops)


def test_one_pose_of_many_that_differs():
    """The receptor is shared by all poses or by none."""

    def mark(pose):
        pose.mark = torch.zeros(pose.num_nodes)
        pose.mark[:14] = float(pose.number)
        return pose

    pose_set = set_with_receptor(0)
    for numbers, shared in (([1, 1, 1], True), ([1, 1, 2], False)):
        pose_set.put('number', torch.tensor(numbers), 'pose')
        out = PerPose(mark)(pose_set)
        assert (out.receptor is not None) is shared
        for pose in range(3):
            assert out.pose(pose).mark[0] == numbers[pose]


def test_a_batch_may_hold_both_forms():
    def sharply(pose):
        pose.x = pose.x + float(pose.number)
        return pose

    sets = []
    for seed, numbers in enumerate(([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])):
        pose_set = set_with_receptor(seed)
        pose_set.put('number', torch.tensor(numbers), 'pose')
        sets.append(PerPose(sharply)(pose_set))
    assert [bool(one.receptor_size) for one in sets] == [True, False]
    torch.manual_seed(0)
    readout = MultiPoseReadout(SchNet(8, 8, 2, cutoff=2.5).double(), 'mean')
    both = readout(Batch.from_data_list(sets))
    torch.testing.assert_close(both, torch.cat([readout(s) for s in sets]))


def test_missing_numbers_are_equal():
    def mark(pose):
        pose.mark = torch.full((pose.num_nodes,), float('nan'))
        return pose

    assert PerPose(mark)(set_with_receptor(0)).receptor is not None


def test_edges_within_the_receptor_have_to_be_equal():
    def cut(pose):
        first = int(pose.number)
        pose.edge_index = pose.edge_index[:, first:]
        return pose

    pose_set = set_with_receptor(0)
    pose_set.put('number', torch.tensor([2, 2, 2]), 'pose')
    assert PerPose(cut)(pose_set).receptor is not None
    pose_set.put('number', torch.tensor([2, 2, 1]), 'pose')
    out = PerPose(cut)(pose_set)
    assert out.receptor is None
    assert out.pose(2).num_edges == pose_set.pose(2).num_edges - 1


def test_levels_of_new_keys():
    def add(pose):
        pose.charge = torch.ones(pose.num_nodes, 2)
        pose.edge_length = torch.ones(pose.num_edges)
        pose.bond_length = torch.ones(pose.bond_index.size(1))
        pose.count = pose.num_nodes
        pose.energy = torch.ones(1, 4)
        pose.tag = 'a'
        return pose

    expected = {
        'charge': 'node',
        'edge_length': 'edge',
        'bond_length': 'bond',
        'count': 'pose',
        'energy': 'pose',
        'tag': 'pose',
    }
    for make_set in (set_with_receptor, set_of_graphs):
        out = PerPose(add)(make_set(0))
        levels = Layout(out).levels
        assert {key: levels[key] for key in expected} == expected
        assert out.tag == ['a'] * 3 and out.energy.shape == (3, 4)
        batch = Batch.from_data_list([out, out])
        assert batch.pose(4).count == out.pose(1).num_nodes


def test_atoms_that_are_added_belong_to_whole_complexes():
    out = PerPose(T.VirtualNode())(set_with_receptor(0))
    assert out.receptor is None and out.pose_size.tolist() == [20] * 3
    assert torch.equal(
        out.pose(1).bond_index, set_with_receptor(0).pose(1).bond_index
    )
    assert not out.pose(1).is_ligand[-1]


def test_bonds_follow_the_atoms(full):
    out = PerPose(T.LargestConnectedComponents())(full)
    assert not out.receptor_size
    for index, pose in enumerate(out.to_poses()):
        before = full.pose(index)
        assert pose.num_nodes < before.num_nodes
        place = {tuple(pos): row for row, pos in enumerate(pose.pos.tolist())}
        row = [place.get(tuple(pos)) for pos in before.pos.tolist()]
        bonds = [
            (row[a], row[b], int(kind))
            for (a, b), kind in zip(
                before.bond_index.t().tolist(), before.bond_type, strict=True
            )
            if row[a] is not None and row[b] is not None
        ]
        got = [
            (a, b, int(kind))
            for (a, b), kind in zip(
                pose.bond_index.t().tolist(), pose.bond_type, strict=True
            )
        ]
        assert got == bonds


def test_pyg_does_not_take_bonds_for_edges():
    """As many bonds as edges: PyG would sort what describes them."""
    pose_set = set_of_graphs(0)
    pose_set.edge_index = pose_set.bond_index
    kinds = torch.arange(pose_set.bond_index.size(1))
    pose_set.put('bond_type', kinds, 'bond')
    out = PerPose(T.ToUndirected())(pose_set)
    assert torch.equal(out.bond_index, pose_set.bond_index)
    assert torch.equal(out.bond_type, kinds)


def test_functions_see_bonds(full):
    def count(pose):
        degree = torch.bincount(pose.bond_index[0], minlength=pose.num_nodes)
        pose.valence = degree
        return pose

    out = PerPose(count)(full)
    assert out.receptor is not None
    assert out.pose(0).valence.sum() == full.pose(0).bond_index.size(1)

    def last(pose):
        keep = torch.arange(pose.num_nodes) > 2
        return pose.subgraph(keep)

    pose = PerPose(last)(full).pose(0)
    assert pose.bond_index.size(1) == full.pose(0).bond_index.size(1) - 6
    assert int(pose.bond_index.min()) >= 0

    def unbound(pose):
        for key in ('bond_index', 'bond_type', 'order'):
            del pose[key]
        return pose

    assert 'bond_index' not in PerPose(unbound)(full)


def test_random_numbers_are_drawn_for_every_pose():
    pose_set = set_with_receptor(0)
    random.seed(0)
    out = PerPose(T.RandomRotate(180))(pose_set)
    assert out.receptor is None
    first = [pose.pos[:14] for pose in out.to_poses()]
    assert not torch.allclose(first[0], first[1])


def test_a_graph_is_a_pose():
    pose = set_with_receptor(0).pose(0)
    transform = PerPose(T.OneHotDegree(30))
    assert torch.equal(transform(pose).x, T.OneHotDegree(30)(pose).x)
    assert repr(transform) == 'PerPose(OneHotDegree(30))'


def test_predictions_do_not_depend_on_siblings():
    def prepared(pose_set):
        steps = T.Compose([PerPose(T.AddSelfLoops()), PerPose(Labels())])
        return steps(pose_set)

    class Labels(T.BaseTransform):
        def forward(self, data):
            degree = torch.bincount(data.edge_index[0]) % 3 + 6
            data.z = degree[: data.num_nodes]
            return data

    torch.manual_seed(0)
    model = SchNet(8, 8, 2, cutoff=2.5).double()
    readout = MultiPoseReadout(model, 'mean')
    pose_set = set_with_receptor(2)
    among = readout(prepared(pose_set), return_poses=True)[1]
    for pose in range(3):
        alone = readout(prepared(pose_set.select([pose])))
        torch.testing.assert_close(alone, among[pose : pose + 1])


# What is refused #############################################################


def test_batches_and_other_things_are_refused():
    batch = Batch.from_data_list([set_with_receptor(0)] * 2)
    with pytest.raises(ValueError, match='PerPose works on a PoseSet, got P'):
        PerPose(T.Center())(batch)
    with pytest.raises(ValueError, match='several go into a Compose'):
        PerPose([T.Center()])


def one_less(pose):
    pose.norm = pose.norm[:-1]
    return pose


def named(key, value):
    def add(pose):
        pose[key] = value
        return pose

    return add


def other_keys(pose):
    if pose.vina > 1:
        pose.other = pose.x
    return pose


def shuffled(pose):
    order = torch.arange(pose.num_nodes).flip(0)
    for key in list(pose.keys()):
        if pose.is_node_attr(key):
            pose[key] = pose[key][order]
    return pose


@pytest.mark.parametrize(
    ('transform', 'text'),
    [
        (one_less, "pose 0: 'norm' has shape .18, 3., expected 19 rows"),
        (named('adj_t', torch.ones(2)), "pose 0: .*'adj_t'.*rename it"),
        (named('y', torch.ones(1)), "pose 0 has 'y'"),
        (named('mark', torch.ones(7)), "'mark' has shape .7., expected 19"),
        (named('edge_w', torch.ones(7)), "'edge_w' has shape .7., expected"),
        (named('pos', torch.full((19, 3), torch.inf)), 'finite coordinates'),
        (other_keys, "only pose 2 has .'other'."),
        (lambda pose: None, 'makes a NoneType of'),
        (lambda pose: [pose], 'makes a list of'),
        (T.RandomLinkSplit(), 'RandomLinkSplit.* makes a tuple of'),
        (T.Polar(), r'^Polar\(.* fails for .*pose 0, with AssertionError'),
        (T.FixedPoints(99), 'atoms are there more than once'),
        (T.FixedPoints(99, False), "'edge_index' did not follow"),
        (T.ToDense(), "PerPose.ToDense.*'adj'"),
    ],
)
@both
def test_errors_name_transform_set_and_pose(make_set, transform, text):
    pose_set = make_set(0)
    if make_set is set_of_graphs:
        pose_set = set_with_receptor(0)
        poses = [pose.clone() for pose in pose_set.to_poses()]
        pose_set = PoseSet.from_poses(poses, name='A')
    pose_set.put('vina', torch.arange(3.0), 'pose')
    with pytest.raises(ValueError, match=text) as error:
        PerPose(transform)(pose_set)
    assert "set 'A'" in str(error.value)


def test_a_missing_library_is_told_as_it_is():
    def needs(pose):
        raise ImportError('pip install that')

    with pytest.raises(ImportError, match='pip install that'):
        PerPose(needs)(set_with_receptor(0))


def test_atoms_in_another_order_are_not_those_of_the_receptor():
    pose_set = set_with_receptor(0)
    del pose_set.edge_index
    out = PerPose(shuffled)(pose_set)
    assert out.receptor is None
    before = pose_set.pose(1)
    for a, b in out.pose(1).bond_index.t().tolist():
        ends = torch.tensor([18 - a, 18 - b])
        assert (before.bond_index.t() == ends).all(dim=1).any()


def test_atoms_that_are_new_have_no_bonds():
    def fresh(pose):
        return Data(pos=pose.pos + 1.0, x=pose.x)

    out = PerPose(fresh)(set_with_receptor(0))
    assert out.receptor is None and 'bond_index' not in out
    assert 'is_ligand' not in out

    def alone(pose):
        del pose.edge_index
        return pose

    lost = T.Compose([alone, T.RemoveIsolatedNodes()])
    with pytest.raises(ValueError, match='has no atoms|RemoveIsolated'):
        PerPose(lost)(set_with_receptor(0))


def test_neighbours_of_pyg_are_found_pose_by_pose(monkeypatch):
    """With a stand-in for the search that needs a compiled library."""

    def search(pos, r, batch, loop, **kwargs):
        near = torch.cdist(pos, pos) <= r
        return near.fill_diagonal_(loop).nonzero().t().flip(0)

    monkeypatch.setattr('torch_geometric.nn.radius_graph', search)
    pose_set = set_with_receptor(0)
    ours = RadiusGraph(2.2)(pose_set)
    del pose_set.edge_index
    with pytest.raises(ValueError, match='^RadiusGraph.*joins atom'):
        T.RadiusGraph(2.2)(pose_set)
    theirs = PerPose(T.RadiusGraph(2.2))(pose_set)
    assert theirs.receptor is not None
    for pose in range(3):
        got = theirs.pose(pose).edge_index.t().tolist()
        assert sorted(got) == sorted(ours.pose(pose).edge_index.t().tolist())
