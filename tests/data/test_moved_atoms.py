"""Atoms of a receptor that are elsewhere in a pose: against plain graphs."""

import copy
import pickle

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from pyg_multipose.data import Layout, MovedAtoms, PoseSet
from pyg_multipose.transforms import RadiusGraph
from tests.moved_sets import (
    CUTOFF,
    bonds_of,
    complex_of,
    make,
    same_graphs,
)

#: Numbers of moved and of absent atoms, in turn.
COUNTS = {
    'some': ((0, 0), (3, 0), (0, 2), (4, 3)),
    'moved': ((1, 0), (5, 0)),
    'absent': ((0, 1), (0, 4)),
    'none': ((0, 0),),
    'all': ((36, 0), (0, 36), (20, 16), (0, 0)),
}


def same_set(one, two):
    assert type(one) is type(two)
    assert set(one.keys()) == set(two.keys())
    for key, value in one.stores[0].items():
        if isinstance(value, torch.Tensor):
            assert value.dtype == two[key].dtype, key
            assert torch.equal(value, two[key]), key
        else:
            assert value == two[key], key


@pytest.fixture
def three():
    """Sets of one batch: two with one receptor, one of them rigid."""
    first = make(1, bonds=12, name='a', receptor_name='r')
    rigid = make(
        2,
        bonds=12,
        name='b',
        receptor_name='r',
        receptor=first.receptor,
        counts=((0, 0),),
    )
    other = make(3, bonds=12, name='c', receptor_name='s')
    return [first, rigid, other]


# What poses are ##############################################################


@pytest.mark.parametrize('counts', COUNTS)
@pytest.mark.parametrize('seed', range(3))
def test_poses_are_plain_complexes(counts, seed):
    made = make(seed, bonds=20, counts=COUNTS[counts])
    same_graphs(made.set.to_poses(), made.complexes)
    same_graphs([made.set.pose(-1)], made.complexes[-1:])
    receptor = RadiusGraph(CUTOFF)(made.receptor)
    same_graphs([made.set.receptor], [receptor])


def test_a_receptor_of_one_atom():
    made = make(0, size=1, counts=((1, 0), (0, 1), (0, 0)))
    same_graphs(made.set.to_poses(), made.complexes)


def test_tables():
    """By hand: an atom of pose 1 has moved, one is absent, and one both."""
    receptor = Data(z=torch.tensor([7, 6, 8]), pos=torch.eye(3))
    ligand = Data(z=torch.tensor([1, 2]), pos=torch.zeros(2, 3))
    there = torch.full((1, 3), 5.0)
    moved = [None, MovedAtoms([2], there, absent=[0]), MovedAtoms([0], there)]
    pose_set = PoseSet.from_complex(receptor, [ligand] * 3, moved=moved)
    assert pose_set.z.tolist() == [7, 6, 8, 1, 2, 1, 2, 8, 1, 2, 7]
    assert pose_set.pose_size.tolist() == [2, 3, 3]
    # The row that stands for an absent atom is the first of its pose.
    assert pose_set.moved_index.tolist() == [[2, 0, 0], [7, 5, 10]]
    assert pose_set.is_ligand.int().tolist() == [0] * 3 + [1] * 4 + [
        *[0, 1, 1, 0]
    ]
    assert pose_set.num_nodes == 11
    poses = [pose.z.tolist() for pose in pose_set.to_poses()]
    assert poses == [[7, 6, 8, 1, 2], [6, 8, 1, 2], [7, 6, 8, 1, 2]]
    assert pose_set.pose(1).pos[1].tolist() == [5.0] * 3
    assert pose_set.pose(2).pos[0].tolist() == [5.0] * 3
    layout = Layout(pose_set)
    assert layout.nodes_per_pose.tolist() == [5, 4, 5]
    assert layout.ligand_size.tolist() == [2, 2, 2]


def test_what_may_be_given():
    """Lists, other integers, positions in another precision."""
    receptor = Data(pos=torch.eye(3))
    ligand = Data(pos=torch.zeros(1, 3))
    there = torch.full((1, 3), 5.0)
    expected = PoseSet.from_complex(
        receptor, [ligand], moved=[MovedAtoms(torch.tensor([2]), there)]
    )
    for index, pos in (
        ([2], [[5.0, 5.0, 5.0]]),
        (torch.tensor([2], dtype=torch.uint8), there.double()),
        ((2,), there.numpy()),
    ):
        moved = [MovedAtoms(index, pos)]
        same_set(
            PoseSet.from_complex(receptor, [ligand], moved=moved), expected
        )


def test_positions_keep_their_gradient():
    made = make(4, edges=False)
    leaves = [made.receptor.pos, *(one.pos for one in made.ligands)]
    leaves += [one.pos for one in made.moved if one is not None]
    for leaf in leaves:
        leaf.requires_grad_()
    pose_set = PoseSet.from_complex(
        made.receptor, made.ligands, moved=made.moved
    )
    grads = []
    for graphs in (
        pose_set.to_poses(),
        map(complex_of, [made.receptor] * 4, made.ligands, made.moved),
    ):
        pos = torch.cat([graph.pos for graph in graphs])
        weight = torch.arange(pos.numel(), dtype=pos.dtype).view_as(pos).cos()
        loss = (pos * weight).sum()
        grads.append(torch.autograd.grad(loss, leaves))
    for got, expected in zip(*grads, strict=True):
        torch.testing.assert_close(got, expected)
        assert expected.any() or not expected.numel()


def test_nothing_is_changed():
    made = make(4, bonds=9, edges=False)
    given = [made.receptor, *made.ligands]
    before = [data.clone() for data in given]
    PoseSet.from_complex(made.receptor, made.ligands, moved=made.moved)
    same_graphs(given, before)


# Parts and batches ###########################################################


@pytest.mark.parametrize(
    'index', [[3, 1], [2, 2, 0], [0], slice(1, 3), [False, True, True, False]]
)
def test_select(index):
    made = make(5, bonds=15)
    rows = torch.arange(4)[index].tolist()
    made.set.put('strain', torch.arange(float(12)), 'moved')
    chosen = made.set.select(index)
    same_graphs(chosen.to_poses(), [made.complexes[row] for row in rows])
    pairs = made.set.moved_index[1]
    owner = torch.searchsorted(
        36 + made.set.pose_size.cumsum(0), pairs, right=True
    )
    strain = [made.set.strain[owner == row] for row in rows]
    assert torch.equal(chosen.strain, torch.cat(strain))
    same_set(chosen.select(range(len(rows))), chosen)


def test_ligands():
    made = make(6, bonds=15, edges=False)
    ligands = made.set.ligands()
    same_graphs(ligands, made.ligands)


def test_layout(three):
    batch = Batch.from_data_list([one.set for one in three])
    complexes = [graph for one in three for graph in one.complexes]
    layout, tables = Layout(batch), batch.to_dict()
    sizes = [graph.num_nodes for graph in complexes]
    assert layout.nodes_per_pose.tolist() == sizes
    ligands = [int(graph.is_ligand.sum()) for graph in complexes]
    assert layout.ligand_size.tolist() == ligands
    poses = [9, 2, 3, 5]
    chosen = [complexes[pose] for pose in poses]
    graphs = layout.compose(tables, poses)
    assert graphs.num_graphs == 4
    same_graphs(graphs.to_data_list(), chosen)
    assert graphs.ptr.diff().tolist() == [graph.num_nodes for graph in chosen]
    for key in ('pos', 'bond_type'):
        rows = layout.rows(key, poses)
        assert torch.equal(batch[key][rows], graphs[key])
    rows = layout.rows('edge_index', poses)
    assert len(rows) == graphs.num_edges
    # Beside a receptor that all share, a pose is its own rows.
    rows = layout.rows('pos', [2], receptor=0)
    assert len(rows) == 36 + int(batch.pose_size[2])


def test_batch(three):
    sets = [one.set for one in three]
    complexes = [graph for one in three for graph in one.complexes]
    (batch,) = DataLoader(sets, 3)
    same_graphs(batch.to_poses(), complexes)
    same_graphs(batch.ligands(), [g for s in sets for g in s.ligands()])
    for number, one in enumerate(sets):
        same_set(batch[number], one)
    assert batch.receptor_groups().tolist() == [0, 0, 2]
    again = Batch.from_data_list(batch.to_data_list())
    assert torch.equal(again.moved_index, batch.moved_index)
    assert batch[0].select([1]).num_poses == 1


def test_loader_with_workers(three):
    sets = [one.set for one in three]
    batches = DataLoader(sets, 2, num_workers=2)
    numbers = [[0, 1], [2]]
    for batch, which in zip(batches, numbers, strict=True):
        for number, one in zip(which, batch.to_data_list(), strict=True):
            same_set(one, sets[number])
        expected = [g for n in which for g in three[n].complexes]
        same_graphs(batch.to_poses(), expected)


def test_whole_complexes_in_one_batch(three):
    """A set of whole graphs says that nothing has moved in it."""
    whole = PoseSet.from_poses(three[2].complexes, name='c')
    none = torch.empty(2, 0, dtype=torch.long)
    whole.put('moved_index', none, 'moved')
    batch = Batch.from_data_list([three[0].set, whole])
    expected = [*three[0].complexes, *three[2].complexes]
    same_graphs(batch.to_poses(), expected)
    assert batch.receptor_groups().tolist() == [0, -1]


def test_copies(three, tmp_path):
    one = three[0].set
    for other in (
        pickle.loads(pickle.dumps(one)),
        copy.deepcopy(one),
        copy.copy(one),
        one.clone(),
        one.to('cpu'),
        PoseSet.from_dict(one.to_dict()),
    ):
        same_set(other, one)
    one.save(tmp_path / 'one.pt')
    same_set(PoseSet.load(tmp_path / 'one.pt'), one)
    sets = [made.set for made in three]
    Batch.from_data_list(sets).save(tmp_path / 'batch.pt')
    batch = PoseSet.load(tmp_path / 'batch.pt')
    for number, pose_set in enumerate(sets):
        same_set(batch[number], pose_set)
    half = one.clone()
    half.pos = half.pos.half()
    assert half.pose(3).pos.dtype == torch.half


def test_put(three):
    """A value of every level, and what poses have of it."""
    made = three[0]
    one, rows = made.set.clone(), torch.arange(made.set.num_nodes)
    one.put('row', rows, 'node').put('score', torch.arange(4.0), 'pose')
    one.put('bond', torch.arange(one.bond_index.size(1)), 'bond')
    one.put('edge', torch.arange(one.edge_index.size(1)), 'edge')
    one.put('moved_by', torch.arange(12.0), 'moved')
    for number, pose in enumerate(one.to_poses()):
        assert pose.score == number
        assert torch.equal(one.pos[pose.row], pose.pos)
        kinds = one.bond_type[pose.bond]
        assert torch.equal(kinds, pose.bond_type)
        # An edge joins the rows that it joins in the table, or their like.
        source, target = one.edge_index[:, pose.edge]
        assert torch.equal(one.z[source], pose.z[pose.edge_index[0]])
        assert torch.equal(one.z[target], pose.z[pose.edge_index[1]])
        assert 'moved_by' not in pose and 'moved_index' not in pose
    batch = Batch.from_data_list([one, one])
    assert torch.equal(batch.moved_by, torch.arange(12.0).repeat(2))
    with pytest.raises(ValueError, match="'moved_by'.* 3 rows, expected 12"):
        one.put('moved_by', torch.zeros(3), 'moved')
    with pytest.raises(ValueError, match="on level 'moved' by its name"):
        one.put('moved_by', torch.zeros(12), 'pose')


# Bonds #######################################################################


def test_bonds():
    """By hand: within, out of and into moved atoms, and of absent ones."""
    receptor = Data(pos=torch.eye(4, 3))
    receptor.bond_index = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
    receptor.bond_type = torch.tensor([1, 2, 3, 4])
    ligand = Data(pos=torch.ones(2, 3))
    ligand.bond_index = torch.tensor([[1], [0]])
    ligand.bond_type = torch.tensor([5])
    there = torch.zeros(2, 3)
    moved = [
        MovedAtoms([2, 1], there),
        MovedAtoms([3], there[:1], absent=[0]),
        MovedAtoms([], there[:0], absent=[1, 2]),
        None,
    ]
    poses = PoseSet.from_complex(receptor, [ligand] * 4, moved=moved)
    rigid = [(0, 1, 1), (1, 2, 2), (2, 3, 3), (3, 0, 4), (5, 4, 5)]
    assert list(map(bonds_of, poses.to_poses())) == [
        rigid,
        [(0, 1, 2), (1, 2, 3), (4, 3, 5)],
        [(1, 0, 4), (3, 2, 5)],
        rigid,
    ]
    # The receptor's are stored once, and those of moved atoms with a pose.
    assert poses.bond_index.size(1) == 4 + (1 + 3) + (1 + 1) + 1 + 1


def test_edges_within_a_ligand():
    """Poses may bring edges of their own, if the receptor has none."""
    receptor, edge = Data(pos=torch.eye(3)), torch.tensor([[0], [1]])
    ligand = Data(pos=torch.ones(2, 3), edge_index=edge)
    moved = [MovedAtoms([0], torch.zeros(1, 3))]
    pose_set = PoseSet.from_complex(receptor, [ligand], moved=moved)
    assert pose_set.pose(0).edge_index.tolist() == [[3], [4]]
    ligand.edge_index = torch.tensor([[0], [2]])
    with pytest.raises(ValueError, match=r'atoms 0 to 2, .* are 2 \(0 to 1\)'):
        PoseSet.from_complex(receptor, [ligand], moved=moved)
