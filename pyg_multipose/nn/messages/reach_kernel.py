r"""Breadth-first searches from ligands, in one pass."""

from typing import NamedTuple

import torch
from torch import Tensor

from pyg_multipose.nn.messages.kernel import Kernel, can_run


class Found(NamedTuple):
    r"""What a search finds.

    Args:
        place: The row among :obj:`pairs` of every pose times atom; -1 if it
            is not reached.
        pairs: Pose times size of the receptor plus atom of each reached
            atom, those of smaller depth first.
        num_pairs: How many have been reached up to each depth, from 0.
        edge: The edges out of those that send.
        within: The rows of :obj:`pairs` that do, and those at which they
            arrive, after as many others as asked for.
        num_edges: How many edges these are up to each depth, from 0.
    """

    place: Tensor
    pairs: Tensor
    num_pairs: list[int]
    edge: Tensor
    within: Tensor
    num_edges: list[int]


def find_reached(
    into: Tensor,
    edges: Tensor,
    number: int,
    size: int,
    most: int,
    most_senders: int,
    others: int,
) -> Found | None:
    r"""Finds what is at most some edges away from the ligand of each pose.

    Args:
        into: What ligands send to: pose times :obj:`size` plus atom.
        edges: Edges of the receptor, sorted by source :math:`(2, E)`.
        number: How many poses.
        size: Atoms of the receptor.
        most: How many edges away at most, the ligand's own counted.
        most_senders: The most that an atom may be away whose edges are
            wanted.
        others: The number of rows before those of :obj:`pairs`, where these
            edges arrive.

    Returns:
        What was found, or :obj:`None` where a kernel cannot run.
    """
    if not into.is_cpu or not can_run(torch.float32, into, edges):
        return None
    into, (source, target) = into.contiguous(), edges.contiguous()
    place = into.new_full((number * size,), -1)
    pairs = torch.empty_like(place)
    start = into.new_zeros(size + 1)
    num_pairs, num_edges = into.new_zeros(2, most + 1)
    integers = torch.int64
    arguments = source, target, start, place, pairs, num_pairs, num_edges
    if not _SEARCH(integers, into, *arguments, size, most, most_senders):
        return None
    depths = min(most_senders, most)
    edge = into.new_empty(int(num_edges[depths]))
    within = into.new_empty(2, edge.numel())
    senders = int(num_pairs[depths])
    lists = start, target, place, pairs, edge, *within
    _LIST(integers, *lists, senders, max(size, 1), others)
    last = min(most, most_senders + 1)
    return Found(
        place,
        pairs[: int(num_pairs[last])],
        num_pairs[: last + 1].tolist(),
        edge,
        within,
        num_edges[: depths + 1].tolist(),
    )


#: What is reached next, for a moment.
_NEXT = -3


def _search(  # type: ignore[no-untyped-def]
    into,
    source,
    target,
    start,
    place,
    pairs,
    num_pairs,
    num_edges,
    size,
    most,
    most_senders,
):
    for e in range(source.size):
        if not (0 <= source[e] < size and 0 <= target[e] < size):
            return False
        start[source[e] + 1] += 1
    for n in range(size):
        start[n + 1] += start[n]
    for n in range(into.size):
        if not 0 <= into[n] < place.size:
            return False
        place[into[n]] = _NEXT
    done = 0
    for depth in range(most):
        first = done
        for p in range(place.size):
            if place[p] == _NEXT:
                place[p] = done
                pairs[done] = p
                done += 1
        num_pairs[depth + 1] = done
        if depth + 1 > most_senders:
            break
        edges = num_edges[depth]
        for row in range(first, done):
            atom = pairs[row] % size
            for e in range(start[atom], start[atom + 1]):
                at = pairs[row] - atom + target[e]
                if place[at] == -1:
                    place[at] = _NEXT
            edges += start[atom + 1] - start[atom]
        num_edges[depth + 1] = edges
    for p in range(place.size):
        if place[p] == _NEXT:
            place[p] = -1
    return True


def _list(  # type: ignore[no-untyped-def]
    start,
    target,
    place,
    pairs,
    edge,
    sender,
    receiver,
    senders,
    size,
    others,
):
    n = 0
    for row in range(senders):
        atom = pairs[row] % size
        for e in range(start[atom], start[atom + 1]):
            edge[n] = e
            sender[n] = row
            # Of what is not reached in time, no message is ever asked for.
            receiver[n] = place[pairs[row] - atom + target[e]] + others
            n += 1
    return True


_INTEGERS = ['int64[::1]']
_SEARCH = Kernel(_search, [*8 * _INTEGERS, *3 * ['int64']])
_LIST = Kernel(_list, [*7 * _INTEGERS, *3 * ['int64']])
