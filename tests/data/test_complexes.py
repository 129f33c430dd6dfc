"""Whole complexes whose receptors differ: one set, the same complexes."""

import warnings

import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet
from tests.moved_sets import bonds_of, make, same_graphs

NAN = float('nan')


def complexes(seed=0, bonds=14, moved=(0, 3, 5, 0)):
    counts = [(count, 0) for count in moved]
    return make(seed, bonds=bonds, counts=counts, edges=False).complexes


def changed(data, **values):
    """A copy with other values; without those that are None."""
    out = data.clone()
    for key, value in values.items():
        if value is None:
            del out[key]
        else:
            out[key] = value
    return out


def moved_to(data, atom, place):
    pos = data.pos.clone()
    pos[atom] = place
    return changed(data, pos=pos)


def reordered(data, order):
    """The same graph with its atoms in another order."""
    place = order.argsort()
    out = data.clone()
    for key in ('z', 'pos', 'x', 'residue', 'is_ligand'):
        out[key] = data[key][order]
    out.bond_index = place[data.bond_index]
    return out


# What comes out ##############################################################


@pytest.mark.parametrize('seed', range(4))
def test_they_come_back(seed):
    whole = complexes(seed)
    before = [one.clone() for one in whole]
    pose_set = PoseSet.from_complexes(whole)
    same_graphs(pose_set.to_poses(), whole)
    same_graphs(whole, before)
    # Only what has moved is stored more than once.
    assert pose_set.receptor_size.tolist() == [36]
    assert pose_set.pose_size.tolist() == [4, 3 + 3, 5 + 5, 2]


def test_all_differ():
    whole = complexes(5, moved=(36, 36, 36, 36))
    pose_set = PoseSet.from_complexes(whole)
    same_graphs(pose_set.to_poses(), whole)
    # The receptor is that of the first complex.
    assert pose_set.pose_size.tolist() == [4, 3 + 36, 5 + 36, 2 + 36]


def test_one_complex():
    whole = complexes(6)[1:2]
    pose_set = PoseSet.from_complexes(whole)
    same_graphs(pose_set.to_poses(), whole)
    assert pose_set.pose_size.tolist() == [3]


def test_ligand_first_or_in_between():
    whole = complexes(7)
    generator = torch.Generator().manual_seed(0)
    mixed = []
    for one in whole:
        # The atoms of each part stay in their order.
        shuffled = torch.randperm(one.num_nodes, generator=generator)
        is_ligand = one.is_ligand[shuffled]
        order = torch.empty_like(shuffled)
        order[~is_ligand] = torch.arange(36)
        order[is_ligand] = torch.arange(36, one.num_nodes)
        mixed.append(reordered(one, order))
    same_graphs(PoseSet.from_complexes(mixed).to_poses(), whole)


def test_the_usual_place():
    """Each atom is where most have it, of one complex as far as possible."""
    z, is_ligand = torch.tensor([6, 7, 8, 1]), torch.arange(4) > 2

    def one(*x):
        pos = torch.zeros(4, 3)
        pos[:3, 0] = torch.tensor(x)
        return Data(z=z, pos=pos, is_ligand=is_ligand)

    places = [one(0.0, 1.0, 2.0), one(0.5, 1.0, 2.5), one(0.5, 1.5, 3.0)]
    pose_set = PoseSet.from_complexes(places)
    # Of the last atom, which is nowhere twice, it is the second complex's.
    assert pose_set.receptor.pos[:, 0].tolist() == [0.5, 1.0, 2.5]
    assert pose_set.pose_size.tolist() == [1 + 2, 1, 1 + 2]
    assert pose_set.moved_index[0].tolist() == [0, 2, 1, 2]
    same_graphs(pose_set.to_poses(), places)


def test_other_values_than_positions():
    """An atom with another charge is another atom, too."""
    whole = complexes(8, moved=(0, 0, 0, 0))
    x = whole[2].x.clone()
    x[4, 1] += 1
    whole[2] = changed(whole[2], x=x)
    pose_set = PoseSet.from_complexes(whole)
    assert pose_set.pose_size.tolist() == [4, 3, 5 + 1, 2]
    same_graphs(pose_set.to_poses(), whole)


def test_minus_zero_is_no_other_place():
    whole = [moved_to(one, 0, 0.0) for one in complexes(9, moved=(0, 0))]
    whole[1] = moved_to(whole[1], 0, -0.0)
    assert PoseSet.from_complexes(whole).moved_index.numel() == 0


def test_values_of_poses_and_of_the_set():
    whole = [
        changed(one, score=float(n), smiles='C' * n, num_nodes=one.num_nodes)
        for n, one in enumerate(complexes(1))
    ]
    pose_set = PoseSet.from_complexes(
        whole,
        y=2.5,
        name='a',
        pose_attrs=(key for key in ('score', 'smiles')),
        receptor_name='r',
    )
    assert pose_set.score.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert pose_set.smiles == ['', 'C', 'CC', 'CCC']
    assert pose_set.y == 2.5
    assert (pose_set.name, pose_set.receptor_name) == ('a', 'r')
    by_word = PoseSet.from_complexes(
        [changed(one, smiles=None) for one in whole], pose_attrs='score'
    )
    assert torch.equal(by_word.score, pose_set.score)


def test_batch():
    sets = [PoseSet.from_complexes(complexes(n), name=f'{n}') for n in (1, 2)]
    batch = Batch.from_data_list(sets)
    same_graphs(batch.to_poses(), [*complexes(1), *complexes(2)])


def test_gradient():
    whole = complexes(3)
    leaves = [one.pos.requires_grad_() for one in whole]
    pose_set = PoseSet.from_complexes(whole)
    pos = torch.cat([pose.pos for pose in pose_set.to_poses()])
    weight = torch.arange(pos.numel(), dtype=pos.dtype).view_as(pos).cos()
    grads = torch.autograd.grad((pos * weight).sum(), leaves)
    # What is stored once is that of one complex, and counts for all.
    ptr = [0]
    for leaf in leaves:
        ptr.append(ptr[-1] + len(leaf))
    parts = [weight[a:b] for a, b in zip(ptr, ptr[1:], strict=False)]
    moved = (whole[1].pos != whole[0].pos[:39]).any(dim=1)[:36]
    assert torch.equal(grads[1][:36][moved], parts[1][:36][moved])
    total = sum(grad[:36].sum() for grad in grads)
    torch.testing.assert_close(total, sum(p[:36].sum() for p in parts))


# Bonds #######################################################################


def test_bonds_with_a_ligand():
    """A covalent ligand, at atoms that have moved and at others."""
    z = torch.tensor([6, 7, 8, 1, 1])
    is_ligand = torch.tensor([False, True, False, False, True])
    pos = torch.eye(5, 3)
    bond_index = torch.tensor([[0, 2, 1, 3, 4, 0], [2, 3, 4, 1, 0, 4]])
    bond_type = torch.arange(1, 7)
    one = Data(z=z, pos=pos, is_ligand=is_ligand)
    one.bond_index, one.bond_type = bond_index, bond_type
    whole = [one, moved_to(one, 3, 9.0), moved_to(moved_to(one, 0, 5.0), 2, 6)]
    pose_set = PoseSet.from_complexes(whole)
    # In a pose the receptor's atoms come first: 0, 2, 3; 1, 4.
    expected = [
        (0, 1, 1),
        (0, 4, 6),
        (1, 2, 2),
        (2, 3, 4),
        (3, 4, 3),
        (4, 0, 5),
    ]
    assert list(map(bonds_of, pose_set.to_poses())) == [expected] * 3
    assert pose_set.moved_index[0].tolist() == [2, 0, 1]
    ligands = pose_set.ligands()
    assert list(map(bonds_of, ligands)) == [[(0, 1, 3)]] * 3
    receptor = bonds_of(pose_set.receptor)
    assert receptor == [(0, 1, 1), (1, 2, 2)]
    chosen = pose_set.select([2, 1])
    assert list(map(bonds_of, chosen.to_poses())) == [expected] * 2


def test_bonds_of_a_kind_of_pyg():
    whole = complexes(2)
    wrapped = [
        changed(one, bond_index=EdgeIndex(one.bond_index)) for one in whole
    ]
    same_graphs(PoseSet.from_complexes(wrapped).to_poses(), whole)


def test_no_bonds():
    whole = complexes(2, bonds=0)
    same_graphs(PoseSet.from_complexes(whole).to_poses(), whole)


# Snapping ####################################################################


def test_snap():
    whole = complexes(4, moved=(0, 2, 0, 0))
    near = whole[2].pos.clone()
    near[[7, 9]] += torch.tensor([[0.03, 0, 0], [0, 0.04, 0]])
    near.requires_grad_()  # which changes nothing
    noisy = [*whole[:2], changed(whole[2], pos=near), whole[3]]
    message = (
        r"set 'a': 2 atoms in 4 receptors are at most 0.040 Angstrom \(RMSD "
        r'0.035 Angstrom\) .* snap=0.05'
    )
    with pytest.warns(UserWarning, match=message) as caught:
        pose_set = PoseSet.from_complexes(noisy, name='a', snap=0.05)
    assert [one.filename for one in caught] == [__file__]
    same_graphs(pose_set.to_poses(), whole)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        kept = PoseSet.from_complexes(noisy)
        same_graphs(PoseSet.from_complexes(whole, snap=0.05).to_poses(), whole)
    same_graphs(kept.to_poses(), noisy)
    # At exactly this distance they are put there; a ligand never is.
    with pytest.warns(UserWarning, match='1 atoms in 2'):
        both = [whole[0], moved_to(whole[0], 0, whole[0].pos[0] + 0.5)]
        both[1].pos[0] = whole[0].pos[0] + torch.tensor([0.5, 0, 0])
        far = float((both[1].pos[0] - both[0].pos[0]).norm())
        pose_set = PoseSet.from_complexes(both, snap=far)
    assert pose_set.moved_index.numel() == 0
    both[1].pos[-1] += 0.01
    with pytest.warns(UserWarning):
        pose_set = PoseSet.from_complexes(both, snap=far)
    same_graphs(pose_set.ligands()[1:], [ligand_of(both[1])])


def ligand_of(data):
    out = Data()
    for key in ('z', 'pos', 'x', 'residue'):
        out[key] = data[key][data.is_ligand]
    inside = data.is_ligand[data.bond_index].all(dim=0)
    out.bond_index = data.bond_index[:, inside] - 36
    out.bond_type = data.bond_type[inside]
    return out


def test_snap_keeps_other_values():
    whole = complexes(4, moved=(0, 0))
    x = whole[1].x.clone()
    x[3] += 1
    both = [whole[0], changed(moved_to(whole[1], 3, whole[1].pos[3]), x=x)]
    both[1].pos[3, 0] += 0.01
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # it is another atom
        pose_set = PoseSet.from_complexes(both, snap=0.1)
    same_graphs(pose_set.to_poses(), both)


# Errors ######################################################################


@pytest.mark.parametrize('atom', [7, -1])
@pytest.mark.parametrize('place', [NAN, float('inf')])
@pytest.mark.parametrize('which', [0, 1])
@pytest.mark.parametrize('snap', [None, 9.0])
def test_coordinates_that_are_none(atom, place, which, snap):
    """They are never taken for those of another complex."""
    whole = complexes(1)
    whole[which] = moved_to(whole[which], atom, place)
    with pytest.raises(ValueError, match=f"complex {which}: 'pos' of atom"):
        PoseSet.from_complexes(whole, snap=snap)


@pytest.mark.parametrize('snap', [0, -1.0, NAN, float('inf'), 'a', True, [1]])
def test_wrong_snap(snap):
    with pytest.raises(ValueError, match="'snap' is a positive distance"):
        PoseSet.from_complexes(complexes(), snap=snap)


@pytest.mark.parametrize(
    'given, message',
    [
        ([], 'got none'),
        (Data(pos=torch.zeros(1, 3)), 'got a Data'),
        (None, 'got a NoneType'),
        ((one for one in ()), 'got a generator'),
        (['a'], 'complex 0: expected a torch_geometric Data, got str'),
    ],
)
def test_no_complexes(given, message):
    with pytest.raises(ValueError, match=message):
        PoseSet.from_complexes(given)


@pytest.mark.parametrize(
    'values, message',
    [
        ({'is_ligand': None}, "no boolean 'is_ligand'"),
        ({'is_ligand': lambda d: d.is_ligand.int()}, "no boolean 'is_ligand'"),
        ({'is_ligand': lambda d: d.is_ligand[:, None]}, 'of shape .num_atoms'),
        ({'is_ligand': lambda d: d.is_ligand[:3]}, "'is_ligand' has shape .3"),
        ({'is_ligand': lambda d: d.is_ligand | True}, 'has no receptor'),
        ({'is_ligand': lambda d: d.is_ligand & False}, 'has no ligand'),
        ({'pos': None}, "no 'pos', by which receptors are compared"),
        ({'pos': lambda d: d.pos[:, 0]}, "no 'pos', by which"),
        ({'z': None}, "no 'z', by which receptors are compared"),
        ({'x': lambda d: d.x[:5]}, "'x' has shape .5, 2., expected 3"),
        ({'score': torch.ones(1)}, "'score' has shape .1.*pose_attrs"),
        ({'score': 1.0}, "'score' is a float.*pose_attrs"),
        ({'num_nodes': 7}, 'expected 7 rows'),
        ({'y': torch.ones(1)}, "has 'y', but there is one for the whole set"),
        ({'edge_index': lambda d: d.bond_index}, "has .'edge_index'., but"),
        ({'moved_q': lambda d: d.z}, "has 'moved_q', but keys that begin"),
        ({'bond_index': lambda d: d.bond_index + 99}, 'holds atoms 1'),
        ({'bond_index': lambda d: d.bond_index - 99}, 'holds atoms -9'),
        ({'bond_index': None}, "describe the rows of 'bond_index'"),
        ({'bond_type': lambda d: d.bond_type[:3]}, "'bond_type' has shape .3"),
    ],
)
def test_unsound_complexes(values, message):
    whole = complexes(1)
    new = {k: v(whole[1]) if callable(v) else v for k, v in values.items()}
    whole[1] = changed(whole[1], **new)
    with pytest.raises(ValueError, match=f'complex 1.*{message}'):
        PoseSet.from_complexes(whole, name='a')


def other_bonds(data):
    bonds = data.bond_index.clone()
    bonds[0, 0] = (bonds[0, 0] + 1) % 36
    return bonds


@pytest.mark.parametrize(
    'values, message',
    [
        ({'z': lambda d: d.z.flip(0)}, 'has z = .* Is it another sequence'),
        ({'x': None}, r"the same keys, but only one of them has \['x'\]"),
        ({'x': lambda d: d.x.float()}, "'x' .* torch.float32, in complex 0"),
        ({'x': lambda d: d.x[:, :1]}, r"'x' .* \[36, 1\]"),
        ({'bond_type': lambda d: d.bond_type + 1}, "'bond_type' of the rec"),
        ({'bond_index': other_bonds}, "'bond_index' of the receptor is not"),
    ],
)
def test_receptors_of_other_atoms(values, message):
    whole = complexes(1)
    new = {k: v and v(whole[1]) for k, v in values.items()}
    whole[1] = changed(whole[1], **new)
    with pytest.raises(ValueError, match=f"set 'a', complex 1.*{message}"):
        PoseSet.from_complexes(whole, name='a')


def test_another_number_of_atoms():
    other = make(1, size=35, bonds=14, edges=False).complexes
    message = 'complex 1: its receptor has 35 atoms, that of complex 0 36'
    with pytest.raises(ValueError, match=message):
        PoseSet.from_complexes([complexes(1)[0], other[0]])


def test_a_value_of_some_poses():
    whole = complexes(1)
    whole[0].score = 1.0
    with pytest.raises(ValueError, match="pose 1 has no 'score'"):
        PoseSet.from_complexes(whole, pose_attrs=['score'])
