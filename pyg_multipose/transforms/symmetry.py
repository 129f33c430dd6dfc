"""The symmetry of a molecular graph."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import islice

import networkx as nx
import torch
from torch import Tensor

#: Molecules have few symmetries; beyond this many, some are left out.
MAX_SYMMETRIES = 10_000
#: How many distances of atoms are held at a time.
_HELD = 2**22


def symmetries(z: Tensor, bond_index: Tensor, where: str) -> Tensor:
    r"""All ways to map the atoms of a molecule onto each other.

    Elements and bonds decide, not the types of bonds: the ends of a
    carboxylate or a nitro group are equal.

    Args:
        z: The element of each atom, shape :obj:`[num_atoms]`.
        bond_index: The bonds, shape :obj:`[2, num_bonds]`.
        where: What it is, for a warning.

    Returns:
        Orders of the atoms, shape :obj:`[num_symmetries, num_atoms]`.
    """
    graph = nx.Graph()
    graph.add_nodes_from(range(len(z)))
    graph.add_edges_from(bond_index.t().tolist())
    # Telling atoms apart as well as neighbours can leaves little to search.
    for atom, color in enumerate(_refined(z.tolist(), graph)):
        graph.nodes[atom]['color'] = color
    maps = nx.vf2pp_all_isomorphisms(graph, graph, node_label='color')
    found = list(islice(maps, MAX_SYMMETRIES + 1))
    if len(found) > MAX_SYMMETRIES:
        found.pop()
        warnings.warn(
            f'{where} has more than {MAX_SYMMETRIES} symmetries; the others '
            f'are left out, so distances may come out too large',
            stacklevel=2,
        )
    atoms = range(len(z))
    return torch.tensor([[one[atom] for atom in atoms] for one in found])


def symmetric_rmsd(pos: Tensor, other: Tensor, orders: Tensor) -> Tensor:
    r"""The smallest root mean square distance over all symmetries.

    In place: nothing is superposed.

    Args:
        pos: A pose, shape :obj:`[num_atoms, 3]`.
        other: Other poses, shape :obj:`[num_poses, num_atoms, 3]`.
        orders: The symmetries, shape :obj:`[num_symmetries, num_atoms]`.

    Returns:
        Distances in Angstrom, shape :obj:`[num_poses]`.
    """
    square = (pos[None, :, None] - other[:, None]).square().sum(dim=-1)
    atoms = torch.arange(len(pos))
    size = max(1, _HELD // (len(other) * len(pos)))
    found = [
        square[:, atoms, some].mean(dim=-1).amin(dim=-1)
        for some in orders.split(size)
    ]
    return torch.stack(found).amin(dim=0).sqrt()


def _refined(colors: Sequence[int], graph: nx.Graph) -> list[int]:
    while True:
        seen = [
            (colors[atom], tuple(sorted(colors[n] for n in graph[atom])))
            for atom in graph
        ]
        number = {key: n for n, key in enumerate(sorted(set(seen)))}
        finer = [number[key] for key in seen]
        if len(number) == len(set(colors)):
            return finer
        colors = finer
