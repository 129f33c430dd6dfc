"""What is no moved atom of a receptor is refused, and by name."""

import re

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from pyg_multipose.data import MovedAtoms, PoseSet
from tests.moved_sets import make

NAN = torch.full((1, 3), float('nan'))
ONE, TWO, NO = torch.zeros(1, 3), torch.zeros(2, 3), torch.zeros(0, 3)


@pytest.mark.parametrize(
    'moved, message',
    [
        (([6], ONE), r'pose 1: atom 6 has moved, .* has 6 \(0 to 5\)'),
        (([-1], ONE), 'pose 1: atom -1 has moved'),
        (([], NO, [7]), 'pose 1: atom 7 has moved'),
        (([1, 1], TWO), 'pose 1: atom 1 of the receptor has 2 positions'),
        (([1], ONE, [1]), 'pose 1: atom 1 of the receptor has 2 positions'),
        (([], NO, [2, 2]), 'atom 2 of the receptor has 2 positions'),
        (([1], TWO), r"'pos' .* shape \[2, 3\] .* expected \[1, 3\]"),
        (([1], torch.zeros(3)), r"'pos' .* \[3\] .* expected \[1, 3\]"),
        (([1], ONE.long()), "'pos' .* torch.int64"),
        (([1], NAN), 'pose 1, moved atoms: .* finite coordinates'),
        (([1], None), "'pos' of the moved atoms is None"),
        (([1], 'abc'), "'pos' of the moved atoms is 'abc'"),
        ((torch.zeros(6).bool(), ONE), 'is a mask; give its .nonzero()'),
        (([1.0], ONE), "'index' .* torch.float32, expected whole numbers"),
        (([[1]], ONE), r"'index' .* shape \[1, 1\]"),
        ((1, ONE), r"'index' .* shape \[\]"),
        ((None, ONE), "'index' of the moved atoms is None"),
        (([], NO, [[1], [2, 3]]), "'absent' of the moved atoms is"),
        (([], NO, torch.ones(6).bool()), "'absent' .* is a mask"),
    ],
)
def test_wrong_atoms(moved, message):
    receptor, ligand = Data(pos=torch.randn(6, 3)), Data(pos=ONE)
    given = [None, MovedAtoms(*moved)]
    with pytest.raises(ValueError, match=message):
        PoseSet.from_complex(receptor, [ligand, ligand], moved=given)


@pytest.mark.parametrize(
    'moved, message',
    [
        ([None], 'each of the 2 poses, got 1 of them'),
        ([None] * 3, 'each of the 2 poses, got 3 of them'),
        (MovedAtoms([1], ONE), 'each of the 2 poses, got MovedAtoms'),
        ((one for one in [None] * 2), 'each of the 2 poses, got generator'),
        ([None, ([1], ONE)], "pose 1: 'moved' has a tuple"),
    ],
)
def test_wrong_lists(moved, message):
    receptor, ligand = Data(pos=torch.randn(6, 3)), Data(pos=ONE)
    with pytest.raises(ValueError, match=message):
        PoseSet.from_complex(receptor, [ligand, ligand], moved=moved)


def ends(*pairs):
    return torch.tensor(pairs).t()


@pytest.mark.parametrize(
    'receptor, ligand, message',
    [
        ({'edge_index': ends([0, 1])}, {}, "has .'edge_index'., but the"),
        ({'q': torch.zeros(4)}, {'q': ONE[:, 0]}, "'q' has shape .4., exp"),
        ({'q': torch.zeros(())}, {'q': ONE[:, 0]}, "receptor: 'q' has shape"),
        ({'q': torch.zeros(6).double()}, {'q': ONE[:, 0]}, "'q' has dtype"),
        ({'q': torch.zeros(6, 2)}, {'q': ONE}, "'q' has feature shape .3."),
        ({'q': torch.zeros(6)}, {}, 'need the same keys'),
        ({'bond_index': ends([0, 9])}, {}, 'receptor: .* atoms 0 to 9'),
        ({'bond_index': ends([0, 1]).float()}, {}, 'torch.float32, expected'),
        ({'bond_type': torch.ones(1)}, {}, "describe the rows of 'bond_ind"),
        (
            {'bond_index': ends([0, 1]), 'bond_type': torch.ones(2)},
            {},
            "'bond_type' has shape .2., expected 1 rows",
        ),
        ({}, {'bond_index': ends([0, 1])}, 'pose 0: .* 0 to 1, .* are 1'),
        ({}, {'is_ligand': torch.tensor([False])}, '1 receptor atoms'),
        ({'moved_q': torch.ones(6)}, {}, "receptor has 'moved_q'"),
        ({}, {'moved_q': torch.ones(1)}, "pose 0 has 'moved_q'"),
    ],
)  # fmt: skip
def test_wrong_graphs(receptor, ligand, message):
    """As without moved atoms; nothing is converted or taken for another."""
    one = Data(pos=torch.randn(6, 3), **receptor)
    two = Data(pos=ONE, **ligand)
    moved = [MovedAtoms([5], ONE, absent=[4])]
    with pytest.raises(ValueError, match=message):
        PoseSet.from_complex(one, [two], moved=moved)


def test_no_receptor():
    ligand = Data(pos=ONE)
    with pytest.raises(ValueError, match='The receptor is None'):
        PoseSet.from_complex(None, [ligand], moved=[None])
    with pytest.raises(ValueError, match="needs 'pos' if its atoms move"):
        PoseSet.from_complex(
            Data(z=torch.ones(3).long()),
            [Data(z=torch.ones(1).long())],
            moved=[None],
        )


@pytest.mark.parametrize('key', ['moved_index', 'moved_q'])
def test_keys_of_poses(key):
    pose = Data(pos=ONE, **{key: torch.zeros(2, 1).long()})
    with pytest.raises(ValueError, match=f"pose 0 has '{key}', but keys that"):
        PoseSet.from_poses([pose])


@pytest.mark.parametrize(
    'pairs, message',
    [
        ([[0], [1]], r'pose 0: .* rows 0 and 1 of atoms, .* \(6 to 8\)'),
        ([[8], [0]], r'pose 0: .* rows 8 and 0 of atoms, .* \(6 to 8\)'),
        ([[6], [8]], r'pose 0: .* rows 6 and 8 of atoms, .* \(0 to 5\)'),
        ([[0, 0], [8, 8]], 'atom 0 of the receptor has moved 2 times'),
        ([[0, 0], [6, 8]], 'atom 0 of the receptor has moved 2 times'),
        ([[0, 1], [8, 8]], 'atom 2 of the pose stands for one 2 times'),
        ([[1], [99]], 'holds rows 1 to 99, but the pose set has 11 atoms'),
        ([[-1], [8]], 'holds rows -1 to 8'),
        ([[1, 1], [9, 6]], 'reordered: edge 1 belongs to set 0, pose 0'),
        ([[1.0], [8.0]], r'\[2, 1\] and dtype torch.float32'),
        ([1, 8], r'shape \[2\]'),
    ],
)
def test_wrong_pairs(pairs, message):
    receptor = Data(pos=torch.randn(6, 3))
    ligand = Data(pos=TWO)
    pose_set = PoseSet.from_complex(
        receptor, [ligand, ligand], moved=[MovedAtoms([1], ONE), None]
    )
    pose_set.moved_index = torch.tensor(pairs)
    with pytest.raises(ValueError, match=message):
        pose_set.to_poses()


def test_edge_to_where_an_atom_was():
    made = make(1, counts=((2, 1),), sizes=(3, 3))
    atom = int(made.set.moved_index[0, 3])  # of the second pose
    edge = torch.tensor([[atom], [made.set.num_nodes - 1]])
    made.set.edge_index = torch.cat([made.set.edge_index, edge], dim=1)
    with pytest.raises(ValueError, match='pose 1: edge .* not there in this'):
        made.set.to_poses()


def test_batches_that_cannot_be():
    moving, rigid = make(1, edges=False), make(2, edges=False)
    rigid = PoseSet.from_complex(rigid.receptor, rigid.ligands)
    hint = re.escape('moved=[None] * num_poses')
    with pytest.raises(ValueError, match=hint):
        Batch.from_data_list([rigid, moving.set]).to_poses()
    with pytest.raises(KeyError, match=hint):
        Batch.from_data_list([moving.set, rigid])
    loader = DataLoader([moving.set], 1, exclude_keys=['moved_index'])
    with pytest.raises(ValueError, match=r"lacks \['moved_index'\]"):
        next(iter(loader)).to_poses()
