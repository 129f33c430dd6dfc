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


def make_moved(count, generator, spread, moved, absent):
    """Other places for some atoms of a receptor, and some that are gone."""
    atoms = torch.randperm(count, generator=generator)
    index, rest = atoms[:moved], atoms[moved:]
    where = torch.randn(
        len(index), 3, generator=generator, dtype=torch.float64
    )
    return MovedAtoms(index, spread * where, rest[:absent])


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


def make_sets(**kwargs):
    """Sets of two receptors, of which one is rigid in one of its sets."""
    first = make(1, (5, 3, 6), name='a', **kwargs)
    second = make(2, (4, 4, 3), name='b', **kwargs)
    third, rigid = (
        make(
            seed,
            sizes,
            receptor=of.receptor,
            name=name,
            **{**kwargs, 'counts': counts},
        )
        for seed, sizes, of, name, counts in (
            (3, (2, 3), first, 'c', ((2, 1),)),
            (4, (3, 4), second, 'd', ((0, 0),)),
        )
    )
    return [first, second, third, rigid]


def make_batch(**kwargs):
    """The batch of these."""
    return Batch.from_data_list([one.set for one in make_sets(**kwargs)])


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


def leaves_of(sets):
    """All coordinates and features that sets are made of, with gradient."""
    parts = [part for one in sets for part in (one.receptor, *one.ligands)]
    tensors = [part[key] for part in parts for key in ('pos', 'x')]
    tensors += [m.pos for one in sets for m in one.moved if m is not None]
    # A receptor may be that of several sets.
    unique = {id(tensor): tensor for tensor in tensors if tensor.numel()}
    return [tensor.requires_grad_() for tensor in unique.values()]


def batch_of(sets):
    """A batch of sets, made anew so that it depends on their leaves."""
    return Batch.from_data_list(
        [Moved(one.receptor, one.ligands, one.moved).set for one in sets]
    )


def graphs_of(sets):
    """All plain complexes of sets, and the set of each, as `batch_of`."""
    found = [
        Moved(one.receptor, one.ligands, one.moved).complexes for one in sets
    ]
    count = torch.tensor([len(graphs) for graphs in found])
    graphs = [graph for graphs in found for graph in graphs]
    number = torch.arange(len(found)).repeat_interleave(count)
    return Batch.from_data_list(graphs), number
