"""Transforms of sets in which atoms of the receptor have moved.

Each gives what it gives for the same complexes without a shared receptor.
"""

import warnings

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import Compose

from pyg_multipose.data import MovedAtoms, PoseSet
from pyg_multipose.datasets import PoseSetDataset
from pyg_multipose.loader import PoseSetSampler, set_sizes
from pyg_multipose.transforms import (
    CoordinateNoise,
    FlagPoses,
    PlantedEnergy,
    PocketCut,
    RadiusGraph,
    RandomPoses,
    TopPoses,
    UniquePoses,
    duplicate_log_weights,
    pose_flags,
)
from tests.moved_sets import CUTOFF, Moved, make, make_atoms, same_graphs


def bare(seed=0, **kwargs):
    """A set without edges."""
    return make(seed, bonds=15, edges=False, **kwargs)


def caught(transform, data):
    """The result, and the beginnings of all warnings."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter('always')
        out = transform(data)
    return out, [str(one.message).split('. ')[0] for one in found]


# RadiusGraph #################################################################


@pytest.mark.parametrize('loop', [False, True])
@pytest.mark.parametrize('cap', [None, 2, 5, 50])
@pytest.mark.parametrize('seed', range(2))
def test_radius_graph(loop, cap, seed):
    made, transform = bare(seed), RadiusGraph(CUTOFF, loop, cap)
    whole = PoseSet.from_poses(made.complexes)
    expected, said = caught(transform, whole)
    got, too = caught(transform, made.set)
    same_graphs(got.to_poses(), expected.to_poses())
    assert said == too
    assert bool(got.receptor_size) == (not said)
    # In a batch with a set in which nothing has moved.
    rigid = bare(seed + 9, counts=((0, 0),), receptor=made.receptor)
    batch, _ = caught(transform, Batch.from_data_list([rigid.set, made.set]))
    same_graphs(batch[1].to_poses(), expected.to_poses())
    expected, _ = caught(transform, PoseSet.from_poses(rigid.complexes))
    same_graphs(batch.to_poses()[:4], expected.to_poses())
    Batch.from_data_list(batch.to_data_list()).to_poses()


def test_edges_are_searched_again():
    made = make(3)
    again = RadiusGraph(CUTOFF)(made.set)
    assert torch.equal(again.edge_index, made.set.edge_index)
    wider = [RadiusGraph(3.5)(one) for one in made.complexes]
    same_graphs(RadiusGraph(3.5)(made.set).to_poses(), wider)


def test_coincident_atoms():
    """A moved atom where the receptor has it, or has another one."""
    made = bare(4)
    pos = made.receptor.pos
    moved = [MovedAtoms([3], pos[3:4]), MovedAtoms([3], pos[4:5]), None, None]
    made = Moved(made.receptor, made.ligands, moved)
    same_graphs(made.set.to_poses(), made.complexes)


def star(*moved):
    """An atom with three neighbours, and a ligand far away."""
    pos = torch.tensor([[0.0, 0, 0], [2, 0, 0], [-2, 0, 0], [0, 2, 0]])
    z = torch.full((4,), 6)
    ligand = Data(z=z[:1], pos=pos[:1] + 50)
    receptor = Data(z=z, pos=pos)
    return PoseSet.from_complex(receptor, [ligand] * len(moved), moved=moved)


def test_a_cap_that_cuts_nothing():
    """The receptor has more neighbours, but no pose has: it stays shared."""
    nowhere = torch.zeros(0, 3)
    absent = MovedAtoms([], nowhere, [1])
    away = MovedAtoms([2], torch.full((1, 3), 20.0))
    got, said = caught(RadiusGraph(2.1, False, 2), star(absent, away))
    assert not said
    assert got.receptor_size == 4
    same_graphs(
        got.to_poses(), RadiusGraph(2.1)(star(absent, away)).to_poses()
    )
    batch = Batch.from_data_list([star(absent, away), star(absent, None)])
    got, said = caught(RadiusGraph(2.1, False, 2), batch)
    assert len(said) == 1 and '1 atoms (set 1, pose 1: 1 atoms)' in said[0]
    assert got.receptor_size.tolist() == [4, 0]


# PocketCut ###################################################################


def pocket(made, r, around=None, group=False):
    """Which atoms of the receptor are near in each pose, one by one."""
    size = made.receptor.num_nodes
    out = torch.zeros(len(made.complexes), size, dtype=torch.bool)
    for number, one in enumerate(made.complexes):
        there = torch.arange(size)
        if made.moved[number] is not None:
            gone = torch.isin(there, made.moved[number].absent)
            there = there[~gone]
        points = one.pos[one.is_ligand] if around is None else around
        near = torch.cdist(one.pos[~one.is_ligand], points) <= r
        out[number, there[near.any(dim=1)]] = True
    if group:
        residue = made.receptor.residue
        for row in out:
            row[:] = torch.isin(residue, residue[row])
    return out


def cut(made, keep):
    """The plain complexes with some of the receptor's atoms."""
    out = []
    for one, moved in zip(made.complexes, made.moved, strict=True):
        left = keep
        if moved is not None:
            there = torch.ones_like(keep)
            there[moved.absent] = False
            left = keep[there]
        rows = torch.cat([left, one.is_ligand[one.is_ligand]])
        out.append(taken(one, rows))
    return out


def taken(graph, rows):
    out = Data()
    for key in ('z', 'pos', 'x', 'residue', 'is_ligand'):
        out[key] = graph[key][rows]
    inside = rows[graph.bond_index].all(dim=0)
    place = rows.cumsum(0) - 1
    out.bond_index = place[graph.bond_index[:, inside]]
    out.bond_type = graph.bond_type[inside]
    return out


@pytest.mark.parametrize('group', [False, True])
@pytest.mark.parametrize('seed', range(6))
def test_pocket_cut(seed, group):
    """Around all poses, where atoms are in each of them."""
    made = bare(seed, spread=3.0, shift=1.5)
    key = 'residue' if group else None
    keep = pocket(made, 2.2).any(dim=0)
    if group:
        residue = made.receptor.residue
        keep = torch.isin(residue, residue[keep])
    out = PocketCut(2.2, group=key)(made.set)
    assert torch.equal(out.receptor.pos, made.receptor.pos[keep])
    same_graphs(out.to_poses(), cut(made, keep))
    same_graphs(out.ligands(), made.ligands)


@pytest.mark.parametrize('seed', range(3))
def test_pocket_cut_around_points(seed):
    made = bare(seed, spread=3.0)
    around = torch.tensor([[1.0, 0.5, 0.0], [-2.0, 0.0, 1.0]]).double()
    keep = pocket(made, 2.5, around).any(dim=0)
    out = PocketCut(2.5, around)(made.set)
    assert torch.equal(out.receptor.pos, made.receptor.pos[keep])
    same_graphs(out.to_poses(), cut(made, keep))


@pytest.mark.parametrize('seed', [0, 1, 2, 3])
def test_pocket_cut_per_pose(seed):
    made = bare(seed, spread=3.0, shift=1.0)
    keep = pocket(made, 2.4)
    out = PocketCut(2.4, per_pose=True)(made.set)
    assert not out.receptor_size
    for number, one in enumerate(out.to_poses()):
        expected = cut(made, keep[number])[number]
        same_graphs([one], [expected])


def test_an_atom_that_left_the_pocket():
    """By hand: near where the receptor has it, but not so in the pose."""
    receptor = Data(
        z=torch.tensor([6, 7, 8]),
        pos=torch.tensor([[1.0, 0, 0], [2.0, 0, 0], [9.0, 0, 0]]),
    )
    ligand = Data(z=torch.tensor([1]), pos=torch.zeros(1, 3))
    far = torch.full((1, 3), 30.0)
    near = torch.tensor([[0.0, 1, 0]])

    def left(*moved):
        poses = [ligand] * len(moved)
        one = PoseSet.from_complex(receptor, poses, moved=moved)
        return PocketCut(2.5)(one).receptor.z.tolist()

    assert left(None) == [6, 7]
    assert left(MovedAtoms([1], far)) == [6]
    assert left(MovedAtoms([], far[:0], [1])) == [6]
    assert left(MovedAtoms([1], far), None) == [6, 7]
    assert left(None, MovedAtoms([2], near)) == [6, 7, 8]
    assert left(MovedAtoms([0, 1], far.repeat(2, 1), [2]), None) == [6, 7]
    with pytest.raises(ValueError, match='no atom of the receptor is within'):
        left(MovedAtoms([0], far, [1]))


def test_names_of_pockets():
    """One name for one content, though other atoms come within reach."""
    sets = [bare(1, receptor_name='r', name='a')]
    for seed, counts in ((2, ((9, 0),)), (3, ((0, 0),))):
        sets.append(
            bare(
                seed,
                counts=counts,
                receptor=sets[0].receptor,
                receptor_name='r',
                name=f'{seed}',
            )
        )
    around = torch.zeros(1, 3).double()
    for transform in (PocketCut(2.5, around), PocketCut(3.0)):
        cuts = [transform(one.set) for one in sets]
        groups = Batch.from_data_list(cuts).receptor_groups().tolist()
        for number, group in enumerate(groups):
            same = torch.equal(
                cuts[number].receptor.pos, cuts[group].receptor.pos
            )
            assert same


def test_one_after_another(tmp_path):
    """In a dataset, whose loader has workers."""
    sets = [bare(n, spread=3.0, shift=1.5, name=f'{n}') for n in range(3)]
    expected = []
    for one in sets:
        keep = pocket(one, 3.5).any(dim=0)
        expected += [RadiusGraph(CUTOFF)(graph) for graph in cut(one, keep)]
    dataset = PoseSetDataset(
        tmp_path, transform=Compose([PocketCut(3.5), RadiusGraph(CUTOFF)])
    )
    dataset.extend(one.set for one in sets)
    (batch,) = DataLoader(dataset, batch_size=3, num_workers=1)
    same_graphs(batch.to_poses(), expected)


# Others ######################################################################


@pytest.mark.parametrize('seed', range(3))
def test_planted_energy(seed):
    made, transform = bare(seed), PlantedEnergy(4.0, 2.0)
    expected = []
    for one in made.complexes:
        parts = [
            Data(z=one.z[mask], pos=one.pos[mask])
            for mask in (~one.is_ligand, one.is_ligand)
        ]
        alone = PoseSet.from_complex(parts[0], parts[1:])
        expected.append(transform.energies(alone))
    expected = torch.cat(expected)
    out = transform(made.set)
    torch.testing.assert_close(out.planted_energy, expected)
    assert out.y == pytest.approx(-float((-expected).logsumexp(0)))
    rigid = bare(seed, counts=((0, 0),))
    plain = PoseSet.from_complex(rigid.receptor, rigid.ligands)
    assert torch.equal(
        transform.energies(rigid.set), transform.energies(plain)
    )


@pytest.mark.parametrize('seed', range(3))
def test_flags(seed):
    made = bare(seed, spread=1.5)
    expected = pose_flags(PoseSet.from_poses(made.complexes))
    got = pose_flags(made.set)
    assert got.keys() == expected.keys()
    for key, count in expected.items():
        assert torch.equal(got[key], count), key
    assert got['flag_clash'].any()
    out = FlagPoses()(made.set)
    assert torch.equal(out.flag_clash, expected['flag_clash'])
    dropped = FlagPoses(['flag_other_atoms'])(made.set)
    kept = expected['flag_other_atoms'] == 0
    assert torch.equal(dropped.pose_size, made.set.pose_size[kept])


def docked():
    """Six poses of a chain, two and two alike, with other side chains."""
    generator = torch.Generator().manual_seed(0)
    receptor = make_atoms(30, generator, 2.5, 20)
    chain = make_atoms(5, generator, 0.8)
    chain.bond_index = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]])
    chain.bond_type = torch.ones(4, dtype=torch.long)
    ligands, moved = [], []
    for number in range(6):
        ligand = chain.clone()
        ligand.pos = chain.pos + number // 2
        ligands.append(ligand)
        pos = torch.randn(number, 3, generator=generator).double()
        moved.append(MovedAtoms(range(number), pos, [20]))
    return Moved(receptor, ligands, moved, edges=False)


def test_duplicates():
    """Poses are alike by their ligands, wherever side chains are."""
    made = docked()
    out = UniquePoses(0.5)(made.set)
    same_graphs(out.to_poses(), made.complexes[::2])
    weights = duplicate_log_weights(made.set, 0.5)
    torch.testing.assert_close(weights.exp(), torch.full((6,), 0.5))


def test_choices_of_poses():
    made = docked()
    score = torch.tensor([3.0, 1.0, 2.0, 5.0, 4.0, 0.0])
    made.set.put('score', score, 'pose')
    out = TopPoses(3, 'score', True)(made.set)
    chosen = [made.complexes[number] for number in (3, 4, 0)]
    del out['score']
    same_graphs(out.to_poses(), chosen)
    out = RandomPoses(3, seed=1)(made.set)
    numbers = [score.tolist().index(float(value)) for value in out.score]
    assert numbers == sorted(numbers) and len(numbers) == 3
    del out['score']
    same_graphs(out.to_poses(), [made.complexes[n] for n in numbers])


def test_noise():
    made = bare(5)
    is_ligand = made.set.is_ligand
    out = CoordinateNoise(0.1)(made.set)
    moved = (out.pos != made.set.pos).any(dim=1)
    assert torch.equal(moved, is_ligand)
    for one, two in zip(out.to_poses(), made.complexes, strict=True):
        mask = two.is_ligand
        assert torch.equal(one.pos[~mask], two.pos[~mask])
        assert (one.pos[mask] != two.pos[mask]).any(dim=1).all()
    out = CoordinateNoise(0.1, receptor=True)(made.set)
    assert (out.pos != made.set.pos).any(dim=1).all()
    edges = RadiusGraph(CUTOFF)(out)
    whole = [RadiusGraph(CUTOFF)(one) for one in out.to_poses()]
    same_graphs(edges.to_poses(), whole)


def test_sampler():
    """Sizes are those of the tables: what is moved is stored twice."""
    sets = [make(1).set, make(2).set, make(3, counts=((0, 0),)).set]
    sizes = set_sizes(sets, progress=False)
    assert sizes[:, 0].tolist() == [57, 57, 50]
    assert sizes[:, 1].tolist() == [one.num_edges for one in sets]
    sampler = PoseSetSampler(sets, max_nodes=110, sizes=sizes)
    assert list(sampler) == [[0], [1, 2]]
