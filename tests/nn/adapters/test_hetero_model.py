import doctest

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch_geometric.data import Batch, Data

from pyg_multipose.nn.adapters import HeteroModel, hetero_model
from pyg_multipose.nn.adapters.hetero_model import TYPES, hetero


def test_examples():
    found = doctest.testmod(hetero_model)
    assert found.attempted and not found.failed


@st.composite
def graphs(draw):
    """Some poses with edges anywhere, and no order of their atoms."""
    found = []
    for seed in draw(st.lists(st.integers(0, 99), min_size=1, max_size=3)):
        generator = torch.Generator().manual_seed(seed)
        size, edges = draw(st.integers(1, 6)), draw(st.integers(0, 9))
        found.append(
            Data(
                z=torch.randint(99, (size,), generator=generator),
                pos=torch.randn(size, 3, generator=generator),
                is_ligand=torch.rand(size, generator=generator) < 0.5,
                edge_index=torch.randint(
                    size, (2, edges), generator=generator
                ),
                edge_attr=torch.randn(edges, 2, generator=generator),
                score=torch.tensor([float(seed)]),
            )
        )
    return found


@given(graphs())
def test_every_atom_and_edge_once(poses):
    batch = Batch.from_data_list(poses)
    out = hetero(batch)
    assert out.num_graphs == len(poses)
    if len(poses) != batch.num_nodes:  # else it may be that of atoms
        assert torch.equal(out.score, batch.score)
    rows = {
        name: (batch.is_ligand == (name == 'ligand')).nonzero().squeeze(1)
        for name in TYPES
    }
    for name, chosen in rows.items():
        for key in ('z', 'pos', 'batch', 'is_ligand'):
            assert torch.equal(out[name][key], batch[key][chosen])
    found = []
    for source in TYPES:
        for target in TYPES:
            relation = out[source, 'to', target]
            a, b = relation.edge_index
            ends = rows[source][a].tolist(), rows[target][b].tolist()
            attributes = map(tuple, relation.edge_attr.tolist())
            found += zip(*ends, attributes, strict=True)
    expected = zip(
        *batch.edge_index.tolist(),
        map(tuple, batch.edge_attr.tolist()),
        strict=True,
    )
    assert sorted(found) == sorted(expected)


def test_called_with_attributes(kit):
    class Count(nn.Module):
        def forward(self, z_dict, batch_dict):
            assert z_dict.keys() == batch_dict.keys() == set(TYPES)
            return batch_dict['ligand'].bincount().double()

    adapter = HeteroModel(Count(), 'z_dict, batch_dict')
    assert adapter(kit.poses()).tolist() == [3, 2, 4]
    with pytest.raises(ValueError, match="'x_dict', which the poses do not"):
        HeteroModel(Count(), 'x_dict')(kit.poses())


def test_a_mask_of_zeros_and_ones(kit):
    poses = kit.poses()
    expected = hetero(poses)
    poses.is_ligand = poses.is_ligand.long()
    for name in TYPES:
        assert torch.equal(hetero(poses)[name].pos, expected[name].pos)


def test_no_edges(kit):
    poses = kit.poses()
    del poses['edge_index']
    assert not hetero(poses).edge_types


def test_no_ligand(kit):
    poses = kit.poses()
    del poses['is_ligand']
    with pytest.raises(ValueError, match="Poses have no 'is_ligand'"):
        HeteroModel(nn.Identity())(poses)
