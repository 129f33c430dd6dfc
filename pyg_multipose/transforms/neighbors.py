"""Pairs of atoms within a distance, on any device, from pip alone."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from pyg_multipose.transforms.cell_search import CellSearch
from pyg_multipose.transforms.search import NeighborSearch
from pyg_multipose.transforms.tree_search import TreeSearch

#: How many graphs a warning lists by name.
_LISTED = 8


def radius_graph(
    pos: Tensor, r: float, batch: Tensor | None = None, loop: bool = False
) -> Tensor:
    r"""Finds all pairs of atoms of a graph within a distance.

    All of them, in both directions: there is no cap on the number of
    neighbours.
    A pair is within if

    .. math::
        (x_i - x_j)^2 + (y_i - y_j)^2 + (z_i - z_j)^2 \le r^2

    holds in float64 for the coordinates as given, on every device.

    Args:
        pos: Coordinates in Angstrom, shape :obj:`[num_atoms, 3]`.
        r: The distance in Angstrom.
        batch: The graph of each atom, in any order, shape
            :obj:`[num_atoms]`. One graph if omitted. (default: :obj:`None`)
        loop: Whether each atom is a neighbour of itself.
            (default: :obj:`False`)

    Returns:
        The edges (sources, then targets), sorted by target, then source,
        shape :obj:`[2, num_edges]`.

    Raises:
        ValueError: If :obj:`r` is not a positive number, if a coordinate is
            not finite, or if shapes do not fit.
    """
    return neighbor_search(pos, r, batch).graph(loop)


def radius(
    x: Tensor,
    y: Tensor,
    r: float,
    batch_x: Tensor | None = None,
    batch_y: Tensor | None = None,
) -> Tensor:
    r"""Finds for each atom of :obj:`y` all atoms of :obj:`x` within reach.

    Within means the same as for :func:`radius_graph`.

    Args:
        x: Coordinates in Angstrom, shape :obj:`[num_x, 3]`.
        y: Coordinates in Angstrom, shape :obj:`[num_y, 3]`.
        r: The distance in Angstrom.
        batch_x: The graph of each atom of :obj:`x`. (default: :obj:`None`)
        batch_y: The graph of each atom of :obj:`y`. (default: :obj:`None`)

    Returns:
        Rows of :obj:`y`, then rows of :obj:`x`, sorted by the former, then
        the latter, shape :obj:`[2, num_pairs]`.

    Raises:
        ValueError: As :func:`radius_graph`.
    """
    return neighbor_search(x, r, batch_x).query(y, batch_y)


def neighbor_search(
    pos: Tensor, r: float, batch: Tensor | None = None
) -> NeighborSearch:
    r"""Prepares the search among some atoms, for more than one query.

    Args:
        pos: Coordinates in Angstrom, shape :obj:`[num_atoms, 3]`.
        r: The distance in Angstrom.
        batch: The graph of each atom. (default: :obj:`None`)
    """
    # The cells need float64, which MPS does not have.
    use_trees = pos.device.type in ('cpu', 'mps')
    return (TreeSearch if use_trees else CellSearch)(pos, r, batch)


def nearest(
    edge_index: Tensor, pos: Tensor, max_num_neighbors: int
) -> tuple[Tensor, Tensor]:
    r"""Chooses the nearest neighbours of every atom.

    Of neighbours at the same distance those with the smaller row are taken.
    An edge of an atom to itself is kept and not counted.

    Args:
        edge_index: Sources and targets, shape :obj:`[2, num_edges]`.
        pos: Coordinates in Angstrom, shape :obj:`[num_atoms, 3]`.
        max_num_neighbors: How many edges may end at an atom.

    Returns:
        Which edges to keep, shape :obj:`[num_edges]`, and which atoms have
        more neighbours than that, shape :obj:`[num_atoms]`.
    """
    source, target = edge_index
    others = (source != target).nonzero().view(-1)
    source, target = source[others], target[others]
    wide = torch.float32 if pos.device.type == 'mps' else torch.float64
    x = pos.detach().to(wide)
    square = (x[source] - x[target]).square().sum(dim=1)
    order = torch.argsort(source, stable=True)
    for key in (square, target):
        order = order[torch.argsort(key[order], stable=True)]
    degree = torch.bincount(target, minlength=len(pos))
    first = degree.cumsum(0) - degree
    rank = torch.arange(len(order), device=pos.device) - first[target[order]]
    keep = torch.ones(edge_index.size(1), dtype=torch.bool, device=pos.device)
    keep[others[order[rank >= max_num_neighbors]]] = False
    return keep, degree > max_num_neighbors


def check_cap(max_num_neighbors: int | None) -> int | None:
    r"""Refuses a number of neighbours that is not a positive integer."""
    cap = max_num_neighbors
    if cap is None:
        return None
    if not isinstance(cap, int) or isinstance(cap, bool) or cap < 1:
        raise ValueError(
            f"'max_num_neighbors' has to be a positive integer, or None for "
            f'no cap, got {cap!r}'
        )
    return cap


def warn_cut(
    max_num_neighbors: int, cuts: Sequence[tuple[str, int]], note: str = ''
) -> None:
    r"""Warns of neighbours that a cap has cut; silent if it cut none.

    Args:
        max_num_neighbors: The cap.
        cuts: The name of every graph and how many of its atoms lost
            neighbours.
        note: What else to say. (default: :obj:`""`)
    """
    cuts = [(name, count) for name, count in cuts if count]
    if not cuts:
        return
    listed = '; '.join(
        f'{name}: {count} atoms' for name, count in cuts[:_LISTED]
    )
    if len(cuts) > _LISTED:
        listed += f'; and {len(cuts) - _LISTED} more'
    warnings.warn(
        f'max_num_neighbors={max_num_neighbors} cut neighbours of '
        f'{sum(count for _, count in cuts)} atoms ({listed}). The nearest '
        f'are kept, and an edge may lack its reverse{note}',
        stacklevel=4,
    )


def warn_cut_graphs(
    max_num_neighbors: int, cut: Tensor, batch: Tensor | None
) -> None:
    r"""Warns of neighbours that a cap has cut from some graphs.

    Args:
        max_num_neighbors: The cap.
        cut: Which atoms lost neighbours, shape :obj:`[num_atoms]`.
        batch: The graph of each atom, or :obj:`None` if it is one.
    """
    if batch is None:
        cuts = [('the graph', int(cut.sum()))]
    else:
        counts = torch.bincount(batch[cut]).tolist()
        cuts = [(f'graph {i}', count) for i, count in enumerate(counts)]
    warn_cut(max_num_neighbors, cuts)
