r"""Breadth-first searches from ligands, which ask a device once."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_multipose.nn.messages.reach_kernel import Found


def find_at_once(
    into: Tensor,
    edges: Tensor,
    number: int,
    size: int,
    most: int,
    most_senders: int,
    others: int,
) -> Found:
    r"""Finds what is at most some edges away from the ligand of each pose.

    It goes along all edges in every step, and for all poses, so that nothing
    has to be known of what was reached until the end: where a question takes
    as long as much work, that is less.

    Args:
        into: As of
            :func:`~pyg_multipose.nn.messages.reach_kernel.find_reached`.
        edges: As there.
        number: As there.
        size: As there.
        most: As there.
        most_senders: As there.
        others: As there.
    """
    source, target = edges
    depths = min(most, most_senders + 1)
    degree = degrees(source, size)
    start = degree.cumsum(0) - degree
    # Atom by atom, with a number for each pose; those not reached are deepest.
    depth = source.new_full((size, number), depths)
    new = source.new_zeros(number * size).index_fill_(0, into, 1)
    new = new.view(number, size).t()
    for step in range(depths):
        depth = torch.where((new > 0) & (depth == depths), step, depth)
        if step + 1 == depths:
            break
        sends = (depth == step).long()
        new = torch.zeros_like(sends)
        new.index_add_(0, target, sends.index_select(0, source))
    depth = depth.t().reshape(-1)

    places = torch.ones_like(depth), degree.repeat(number)
    sums = [
        source.new_zeros(depths + 1).index_add_(0, depth, counted)
        for counted in places
    ]
    counts = torch.stack(sums).cumsum(1).tolist()
    num_pairs, num_edges = ([0, *every[:-1]] for every in counts)
    num_edges = num_edges[: min(most_senders, most) + 1]
    pairs = depth.argsort(stable=True)[: num_pairs[-1]]
    place = torch.full_like(depth, -1)
    place[pairs] = torch.arange(num_pairs[-1], device=place.device)
    atom = pairs[: num_pairs[len(num_edges) - 1]] % max(size, 1)
    sender, edge = ranges(start[atom], degree[atom], num_edges[-1])
    first = pairs - pairs % max(size, 1)
    receiver = place[first[sender] + target[edge]] + others
    within = torch.stack([sender, receiver])
    return Found(place, pairs, num_pairs, edge, within, num_edges)


def where(masks: Tensor, counts: list[int] | None = None) -> list[Tensor]:
    r"""The numbers of what each of some masks has, by one question.

    Args:
        masks: Masks of as many rows each :math:`(M, E)`.
        counts: How many each has. (default: :obj:`None`, which is asked)
    """
    if masks.is_cpu:
        return [mask.nonzero().squeeze(1) for mask in masks]
    if counts is None:
        counts = masks.sum(1).tolist()
    order = masks.argsort(dim=1, descending=True, stable=True)
    return [row[:count] for row, count in zip(order, counts, strict=True)]


def degrees(index: Tensor, size: int) -> Tensor:
    r"""How often each number occurs; no device has to be asked.

    Args:
        index: Numbers.
        size: One more than the largest.
    """
    return index.new_zeros(size).index_add_(0, index, torch.ones_like(index))


def ranges(
    start: Tensor, count: Tensor, total: int | None = None
) -> tuple[Tensor, Tensor]:
    r"""Ranges of numbers, one after the other: which range, and the number.

    Args:
        start: Where each begins.
        count: How long each is.
        total: How long all are. (default: :obj:`None`, which has to be asked)
    """
    owner = torch.arange(count.numel(), device=count.device)
    owner = owner.repeat_interleave(count, output_size=total)
    number = torch.arange(owner.numel(), device=count.device)
    return owner, number + (start - count.cumsum(0) + count)[owner]
