"""Random poses with every kind of key, and what they must compose to."""

from types import SimpleNamespace

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet

ATTRS = ('score', 'fingerprint', 'smiles')


def make_atoms(size, generator):
    """Atoms with keys of several dtypes and shapes, one of width 0."""
    return Data(
        z=torch.randint(1, 10, (size,), generator=generator),
        pos=torch.randn(size, 3, generator=generator),
        x=torch.randn(size, 2, generator=generator, dtype=torch.float64),
        ring=torch.rand(size, generator=generator) < 0.5,
        frame=torch.randn(size, 2, 3, generator=generator),
        empty=torch.empty(size, 0),
    )


def make_edges(size, count, generator):
    """Edges in any order among the atoms of one graph."""
    if size == 0:
        count = 0
    return (
        torch.randint(max(size, 1), (2, count), generator=generator),
        torch.randn(count, 2, generator=generator),
    )


def make_poses(sizes, seed=0, edges=6):
    """Whole graphs with edges, bonds and one value of each kind per pose."""
    generator = torch.Generator().manual_seed(seed)
    poses = []
    for number, size in enumerate(sizes):
        pose = make_atoms(size, generator)
        pose.edge_index, pose.edge_attr = make_edges(size, edges, generator)
        pose.bond_index, _ = make_edges(size, 3, generator)
        pose.bond_type = torch.randint(4, (3,), generator=generator)
        pose.score = torch.randn(1, generator=generator)
        pose.fingerprint = torch.randint(2, (1, 3), generator=generator)
        pose.smiles = 'C' * number
        poses.append(pose)
    return poses


def make_complex(receptor_size, sizes, seed=0, name=None, receptor_seed=None):
    """A set with edges to its receptor, and the complexes it stands for."""
    generator = torch.Generator().manual_seed(
        seed + 1000 if receptor_seed is None else receptor_seed
    )
    receptor = make_atoms(receptor_size, generator)
    receptor.edge_index, receptor.edge_attr = make_edges(
        receptor_size, 8, generator
    )
    ligands = make_poses(sizes, seed)
    bare = [pose.clone() for pose in ligands]
    for pose in bare:
        del pose.edge_index, pose.edge_attr
    pose_set = PoseSet.from_complex(
        receptor, bare, y=float(seed), name=name, pose_attrs=ATTRS
    )

    generator = torch.Generator().manual_seed(seed)
    index, attr, complexes = [receptor.edge_index], [receptor.edge_attr], []
    start = receptor_size
    for ligand in ligands:
        size, count = ligand.num_nodes, ligand.num_edges
        here = torch.randint(size, (2, count), generator=generator)
        there = torch.randint(
            receptor_size + size, (count,), generator=generator
        )
        ends = torch.stack([here[0] + receptor_size, there])
        flip = torch.rand(count, generator=generator) < 0.5
        ends = torch.where(flip, ends, ends.flip(0))
        index.append(
            torch.where(
                ends < receptor_size, ends, ends + start - receptor_size
            )
        )
        attr.append(ligand.edge_attr)
        start += size
        whole = Data(
            **{
                key: torch.cat([receptor[key], ligand[key]])
                for key in ('z', 'pos', 'x', 'ring', 'frame', 'empty')
            },
            is_ligand=torch.arange(receptor_size + size) >= receptor_size,
            edge_index=torch.cat([receptor.edge_index, ends], dim=1),
            edge_attr=torch.cat([receptor.edge_attr, ligand.edge_attr]),
            bond_index=ligand.bond_index + receptor_size,
            bond_type=ligand.bond_type,
            **{key: ligand[key] for key in ATTRS},
        )
        complexes.append(whole)
    pose_set.edge_index = torch.cat(index, dim=1)
    pose_set.put('edge_attr', torch.cat(attr), 'edge')
    pose_set.put('edge_index', pose_set.edge_index, 'edge')
    return pose_set, receptor, complexes


def make_set(form, sizes, seed=0, name=None):
    """A set in one of the two forms."""
    pose_set, _, complexes = make_complex(5, sizes, seed, name)
    if form == 'complex':
        return pose_set
    return PoseSet.from_poses(
        complexes, y=float(seed), name=name, pose_attrs=ATTRS
    )


def same(one, two):
    """Asserts that two graphs, sets or batches are equal in every detail."""
    assert type(one) is type(two)
    assert set(one.keys()) == set(two.keys())
    for key in one.keys():
        if isinstance(one[key], torch.Tensor):
            assert one[key].dtype == two[key].dtype, key
            assert one[key].shape == two[key].shape, key
            assert torch.equal(one[key], two[key]), key
        else:
            assert one[key] == two[key], key
    assert one.num_nodes == two.num_nodes
    if isinstance(one, Batch):
        assert one.num_graphs == two.num_graphs
        for index in range(one.num_graphs):
            same(one[index], two[index])


@pytest.fixture(scope='session')
def make():
    return SimpleNamespace(
        attrs=ATTRS,
        atoms=make_atoms,
        edges=make_edges,
        poses=make_poses,
        complex=make_complex,
        set=make_set,
        same=same,
    )
