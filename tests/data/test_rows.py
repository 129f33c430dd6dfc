"""Ligands, and sets of some of the atoms."""

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.utils import subgraph

from pyg_multipose.data import PoseSet
from pyg_multipose.data.rows import take_rows
from pyg_multipose.datasets import MproMoonshot

NODE = ('z', 'pos', 'x', 'ring', 'frame', 'empty')


def expected(complex_, keep, attrs):
    """The graph of some atoms, by PyG's own means."""
    edges, attr = subgraph(
        keep,
        complex_.edge_index,
        complex_.edge_attr,
        relabel_nodes=True,
        num_nodes=complex_.num_nodes,
    )
    bonds, types = subgraph(
        keep,
        complex_.bond_index,
        complex_.bond_type,
        relabel_nodes=True,
        num_nodes=complex_.num_nodes,
    )
    return Data(
        **{key: complex_[key][keep] for key in NODE},
        edge_index=edges,
        edge_attr=attr,
        bond_index=bonds,
        bond_type=types,
        **{key: complex_[key] for key in attrs},
    )


@pytest.mark.parametrize('form', ['complex', 'poses'])
def test_ligands(make, form):
    _, _, complexes = make.complex(5, [3, 1, 4], seed=2)
    pose_set = make.set(form, [3, 1, 4], seed=2)
    ligands = pose_set.ligands()
    assert len(ligands) == 3
    for ligand, complex_ in zip(ligands, complexes, strict=True):
        make.same(ligand, expected(complex_, complex_.is_ligand, make.attrs))


def test_a_set_of_conformers_is_all_ligand(make):
    poses = make.poses([3, 2])
    pose_set = PoseSet.from_poses(poses, pose_attrs=make.attrs)
    for ligand, pose in zip(pose_set.ligands(), poses, strict=True):
        make.same(ligand, pose)


def test_ligands_of_a_batch(make):
    sets = [make.set('complex', sizes, n) for n, sizes in
            enumerate([[2, 3], [4], [1, 1]])]  # fmt: skip
    found = Batch.from_data_list(sets).ligands()
    alone = [ligand for one in sets for ligand in one.ligands()]
    for one, other in zip(found, alone, strict=True):
        make.same(one, other)


def test_ligands_make_the_set_again():
    pose_set = MproMoonshot('test')[0]
    again = PoseSet.from_complex(
        pose_set.receptor,
        pose_set.ligands(),
        y=pose_set.y,
        name=pose_set.name,
        pose_attrs=['vina_score'],
        receptor_name=pose_set.receptor_name,
    )
    assert again.to_dict().keys() == pose_set.to_dict().keys()
    for key, value in pose_set.to_dict().items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(again[key], value), key
        else:
            assert again[key] == value, key


def test_gradients_reach_the_set(make):
    pose_set = make.set('complex', [3, 2])
    pose_set.pos.requires_grad_()
    sum(ligand.pos.sum() for ligand in pose_set.ligands()).backward()
    is_ligand = pose_set.is_ligand[:, None].expand(-1, 3)
    assert torch.equal(pose_set.pos.grad, is_ligand.float())


@pytest.mark.parametrize('seed', range(5))
def test_some_rows(make, seed):
    pose_set, _, complexes = make.complex(6, [3, 2, 4], seed=seed)
    generator = torch.Generator().manual_seed(seed)
    keep = torch.rand(pose_set.num_nodes, generator=generator) < 0.6
    keep[[6, 9, 11]] = True  # an atom of each pose
    before = pose_set.clone()
    cut = take_rows(pose_set, keep)
    make.same(pose_set, before)
    start = 6
    for number, complex_ in enumerate(complexes):
        size = complex_.num_nodes - 6
        mask = torch.cat([keep[:6], keep[start : start + size]])
        graph = expected(complex_, mask, make.attrs)
        graph.is_ligand = complex_.is_ligand[mask]
        make.same(cut.pose(number), graph)
        start += size
    assert cut.name == pose_set.name and torch.equal(cut.y, pose_set.y)


def test_nothing_left_of_a_pose(make):
    pose_set = make.set('complex', [2, 3], name='A')
    keep = torch.ones(pose_set.num_nodes, dtype=torch.bool)
    keep[5:7] = False
    with pytest.raises(ValueError, match="set 'A', pose 0 is left without"):
        take_rows(pose_set, keep)


def test_number_of_nodes_that_no_key_tells():
    pose_set = PoseSet.from_poses([Data(z=torch.arange(1, 4))] * 2)
    del pose_set.z
    pose_set.put('charge', torch.arange(6), 'node')
    pose_set.num_nodes = 6
    cut = take_rows(pose_set, torch.tensor([1, 1, 0, 0, 1, 1]).bool())
    assert cut.num_nodes == 4
    assert [pose.charge.tolist() for pose in cut.to_poses()] == [
        [0, 1],
        [4, 5],
    ]
