r"""Edges by themselves: their vectors, and which of them are one pair."""

import torch
from torch import Tensor


def edge_vectors(
    pos: Tensor, edge_index: Tensor, dtype: torch.dtype
) -> Tensor:
    r"""Returns the vector from target to source of every edge.

    Args:
        pos: Positions in Angstrom :math:`(n, 3)`.
        edge_index: Sources and targets :math:`(2, E)`.
        dtype: The type of the parameters. The result has this type or that
            of :obj:`pos`, whichever is wider, and at least float32.

    Returns:
        Vectors in Angstrom :math:`(E, 3)`.
    """
    vec = pos.index_select(0, edge_index[0])
    vec = vec - pos.index_select(0, edge_index[1])
    vec = vec.to(torch.promote_types(vec.dtype, dtype))
    return vec.to(torch.promote_types(vec.dtype, torch.float32))


def edge_lengths(
    pos: Tensor, edge_index: Tensor, dtype: torch.dtype
) -> Tensor:
    r"""Returns the length of every edge.

    Those of coincident atoms are constant, with finite second derivatives.

    Args:
        pos: Positions in Angstrom :math:`(n, 3)`.
        edge_index: Sources and targets :math:`(2, E)`.
        dtype: The type of the parameters, as of :func:`edge_vectors`.

    Returns:
        Lengths in Angstrom :math:`(E)`.
    """
    square = edge_vectors(pos, edge_index, dtype).square().sum(dim=-1)
    # The second derivative of a root at zero is not finite:
    zero = square == 0
    return square.masked_fill(zero, 1).sqrt().masked_fill(zero, 0)


def distinct_pairs(
    edge_index: Tensor, num_nodes: int
) -> tuple[Tensor, Tensor | None]:
    r"""Finds the pairs of atoms that edges connect, whatever the direction.

    Args:
        edge_index: Sources and targets :math:`(2, E)`. An edge may lack its
            reverse, or be there several times.
        num_nodes: The number of atoms.

    Returns:
        The pairs :math:`(2, P)`, sorted, and the pair of every edge
        :math:`(E)`; the edges as they are and :obj:`None` if no two of them
        are one pair.
    """
    low = torch.minimum(edge_index[0], edge_index[1])
    high = torch.maximum(edge_index[0], edge_index[1])
    pairs, rows = torch.unique(low * num_nodes + high, return_inverse=True)
    if pairs.numel() == edge_index.size(1):
        return edge_index, None
    return torch.stack([pairs // num_nodes, pairs % num_nodes]), rows


def is_symmetric(edge_index: Tensor, num_nodes: int) -> bool:
    r"""Returns whether every edge has its reverse.

    Args:
        edge_index: Sources and targets :math:`(2, E)`.
        num_nodes: The number of atoms.
    """
    source, target = edge_index
    forth = (source * num_nodes + target).sort().values
    return torch.equal(forth, (target * num_nodes + source).sort().values)
