"""Receptors with atoms that move or are absent, and plain complexes of them.

The complexes are put together here, row by row, without the package.
"""

import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import MovedAtoms, PoseSet
from pyg_multipose.transforms import RadiusGraph

CUTOFF = 2.5


def make_atoms(count, generator, spread, bonds=0):
    """Atoms with features, residues of three, and bonds in any order."""
    out = Data(
        z=torch.randint(1, 10, (count,), generator=generator),
        pos=spread
        * torch.randn(count, 3, generator=generator, dtype=torch.float64),
        x=torch.randn(count, 2, generator=generator, dtype=torch.float64),
        residue=torch.arange(count) // 3,
    )
    if bonds:
        out.bond_index = torch.randint(count, (2, bonds), generator=generator)
        out.bond_type = torch.randint(1, 4, (bonds,), generator=generator)
    return out


def make_moved(count, generator, spread, moved, absent, some=None):
    """Other places for some atoms of a receptor, and some that are gone."""
    if some is None:
        some = torch.randperm(count, generator=generator)
    where = torch.randn(moved, 3, generator=generator, dtype=torch.float64)
    return MovedAtoms(
        some[:moved], spread * where, some[moved : moved + absent]
    )


def complex_of(receptor, ligand, moved):
    """The plain graph of a pose: the receptor's atoms, then the ligand's."""
    if moved is None:
        moved = MovedAtoms([], torch.empty(0, 3))
    index = torch.as_tensor(moved.index, dtype=torch.long)
    absent = torch.as_tensor(moved.absent, dtype=torch.long)
    size = receptor.z.numel()
    keep = torch.ones(size, dtype=torch.bool)
    keep[absent] = False
    around = receptor.clone()
    around.pos = around.pos.clone()
    around.pos[index] = moved.pos.to(around.pos)
    out = Data()
    for key in ('z', 'pos', 'x', 'residue'):
        if key in receptor:
            out[key] = torch.cat([around[key][keep], ligand[key]])
    left = int(keep.sum())
    out.is_ligand = torch.arange(out.z.numel()) >= left
    if 'bond_index' in receptor:
        row = keep.cumsum(0) - 1
        there = keep[receptor.bond_index].all(dim=0)
        bonds = row[receptor.bond_index[:, there]]
        out.bond_index = torch.cat([bonds, ligand.bond_index + left], dim=1)
        out.bond_type = torch.cat(
            [receptor.bond_type[there], ligand.bond_type]
        )
    return out


class Moved:
    """A set with atoms that have moved, in all its forms."""

    def __init__(self, receptor, ligands, moved, edges=True, **kwargs):
        self.receptor, self.ligands, self.moved = receptor, ligands, moved
        self.set = PoseSet.from_complex(
            receptor, ligands, moved=moved, **kwargs
        )
        self.complexes = [
            complex_of(receptor, ligand, one)
            for ligand, one in zip(ligands, moved, strict=True)
        ]
        if edges:
            self.set = RadiusGraph(CUTOFF)(self.set)
            self.complexes = [RadiusGraph(CUTOFF)(c) for c in self.complexes]


def make(
    seed=0,
    sizes=(4, 3, 5, 2),
    size=36,
    spread=2.5,
    counts=((0, 0), (3, 0), (0, 2), (4, 3)),
    bonds=0,
    receptor=None,
    edges=True,
    shift=0.0,
    **kwargs,
):
    """A random set; `counts` are moved and absent atoms of each pose."""
    generator = torch.Generator().manual_seed(seed)
    if receptor is None:
        receptor = make_atoms(size, generator, spread, bonds)
    ligands = [
        make_atoms(count, generator, 0.8, bonds and 3) for count in sizes
    ]
    for ligand in ligands:
        ligand.pos = ligand.pos + shift
    moved = [
        make_moved(
            receptor.z.numel(), generator, spread, *counts[n % len(counts)]
        )
        if any(counts[n % len(counts)])
        else None
        for n in range(len(sizes))
    ]
    return Moved(receptor, ligands, moved, edges, **kwargs)


def make_batch(**kwargs):
    """Two receptors; one has the poses of two sets, one of them rigid."""
    first = make(1, (5, 3, 6), name='a', **kwargs)
    second = make(2, (4, 4, 3), name='b', **kwargs)
    third = make(
        3,
        (2, 3),
        name='c',
        receptor=first.receptor,
        counts=((2, 1),),
        **kwargs,
    )
    rigid = make(
        4,
        (3, 4),
        name='d',
        receptor=second.receptor,
        counts=((0, 0),),
        **kwargs,
    )
    return Batch.from_data_list([m.set for m in (first, second, third, rigid)])


def bonds_of(graph):
    """Its bonds, in one order."""
    if 'bond_index' not in graph:
        return []
    ends = graph.bond_index.t().tolist()
    kinds = graph.bond_type.tolist()
    return sorted(
        (*pair, kind) for pair, kind in zip(ends, kinds, strict=True)
    )


def edges_of(graph):
    """Its edges, in one order."""
    return sorted(map(tuple, graph.edge_index.t().tolist()))


def same_graph(one, two):
    """Asserts that two graphs are one, but for the order of their edges."""
    assert set(one.keys()) == set(two.keys())
    for key in one.keys():
        if key.startswith('bond_') or key.startswith('edge_'):
            continue
        if isinstance(one[key], torch.Tensor):
            assert one[key].dtype == two[key].dtype, key
            assert torch.equal(one[key], two[key]), key
        else:
            assert one[key] == two[key], key
    assert bonds_of(one) == bonds_of(two)
    if 'edge_index' in one:
        assert edges_of(one) == edges_of(two)


def same_graphs(ones, twos):
    """As above, of several."""
    for one, two in zip(ones, twos, strict=True):
        same_graph(one, two)
