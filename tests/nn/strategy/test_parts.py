"""The parts of complexes are graphs of their own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet
from pyg_multipose.nn.strategy.parts import composed, ligands_of, split


def molecule(generator, size, edges, bonds):
    """Atoms with all kinds of keys."""

    def ends(count):
        return torch.randint(size, (2, count), generator=generator)

    def numbers(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return Data(
        z=torch.randint(1, 10, (size,), generator=generator),
        pos=numbers(size, 3),
        charge=numbers(size),
        edge_index=ends(edges),
        edge_attr=numbers(edges, 2),
        bond_index=ends(bonds),
        bond_type=torch.randint(4, (bonds,), generator=generator),
    )


def make_set(receptor, sizes, seed, contacts=3):
    """A set with edges between receptor and ligands too."""
    generator = torch.Generator().manual_seed(seed)
    around = molecule(generator, receptor, 5, 2)
    poses = []
    for number, size in enumerate(sizes):
        pose = molecule(generator, size, 3, 1)
        pose.score, pose.label = float(number), f'pose {number}'
        poses.append(pose)
    made = PoseSet.from_complex(
        around, poses, pose_attrs=['score', 'label'], name='a'
    )
    return with_contacts(made, generator, receptor, contacts)


def with_contacts(made, generator, receptor, count):
    """The same complexes with edges between their parts."""
    complexes = []
    for pose in made.to_poses():
        ligand = torch.randint(
            receptor, pose.num_nodes, (count,), generator=generator
        )
        other = torch.randint(receptor, (count,), generator=generator)
        across = torch.stack([ligand, other])
        pose.edge_index = torch.cat(
            [pose.edge_index, across, across.flip(0)], dim=1
        )
        more = torch.zeros(2 * count, 2, dtype=torch.float64)
        pose.edge_attr = torch.cat([pose.edge_attr, more])
        complexes.append(pose)
    return made, complexes


def same(batch, graphs, but=()):
    """A batch of parts against graphs that were made in another way."""
    expected = Batch.from_data_list(graphs)
    assert batch.num_graphs == len(graphs)
    for key in {*expected.keys()} - {*but}:
        value = expected[key]
        if isinstance(value, torch.Tensor):
            assert torch.equal(batch[key], value), key
        else:
            assert batch[key] == value, key


@settings(max_examples=25, deadline=None)
@given(
    receptor=st.integers(1, 6),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_parts(receptor, sizes, seed):
    made, complexes = make_set(receptor, sizes, seed)
    # PyG's batches tell by slices what belongs to what.
    ligands, receptors = split(Batch.from_data_list(complexes), 'a test')
    same(ligands, made.ligands())
    alone = made.receptor
    assert set(alone.keys()) <= set(receptors.keys())
    same(receptors, [alone] * len(sizes))
    assert ligands.is_ligand.all() and not receptors.is_ligand.any()
    assert torch.equal(receptors.score, ligands.score)
    # So do batches that a readout composes, and sets with one receptor.
    others, again = split(composed(made), 'a test')
    same(others, made.ligands())
    same(again, [alone] * len(sizes))
    same(ligands_of(made), made.ligands())


def test_a_single_graph(kit):
    made, complexes = make_set(4, [3], 0)
    ligands, receptors = split(complexes[0], 'a test')
    same(ligands, made.ligands(), but=['score', 'label'])
    assert receptors.num_graphs == 1 and receptors.num_nodes == 4


def test_gradients_reach_atoms_and_edges():
    _, complexes = make_set(4, [3, 2], 0)
    batch = Batch.from_data_list(complexes)
    batch.pos.requires_grad_()
    batch.edge_attr.requires_grad_()
    ligands, receptors = split(batch, 'a test')
    (2 * ligands.pos.sum() + receptors.pos.sum()).backward()
    assert torch.equal(batch.pos.grad[:, 0], 1.0 + batch.is_ligand)
    ligands.edge_attr.sum().backward()
    inside = batch.is_ligand[batch.edge_index].all(0)
    assert torch.equal(batch.edge_attr.grad[:, 0], inside.double())


def test_a_mask_of_another_length():
    _, complexes = make_set(4, [3], 0)
    batch = Batch.from_data_list(complexes)
    batch.is_ligand = batch.is_ligand[1:]
    with pytest.raises(ValueError, match=r'a test expects .*\(7,\)'):
        split(batch, 'a test')
