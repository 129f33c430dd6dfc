"""Sets in which some poses are other ones, of the same sizes."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor

from pyg_multipose.data.layout import Layout
from pyg_multipose.data.pose_set import PoseSet


def disturbed(
    pose_set: PoseSet, layout: Layout, poses: Iterable[int], folded: bool
) -> PoseSet:
    r"""The same set, but some of its poses are different ones.

    Their atoms are in another order and touch other atoms of the receptor,
    and their coordinates, features and scores are other numbers.
    Sizes, receptors and the other poses are as before.

    Args:
        pose_set: A pose set or a batch of them.
        layout: Its layout.
        poses: Numbers of the poses that are to be different.
        folded: Whether half of the atoms of such a pose have the edges of two
            each, which makes it another graph, with more neighbours; else it
            is the same graph with other numbers for its atoms.
    """
    out = copy.copy(pose_set)
    levels = {
        key: level
        for key, level in layout.levels.items()
        if level != 'set' and isinstance(out[key], Tensor)
    }
    for key in levels:
        out[key] = out[key].detach().clone()
    draw = torch.Generator().manual_seed(0)
    for pose in poses:
        index = int(layout.set_of_pose[pose])
        receptor = layout.receptor_rows(index)
        size = int(layout.pose_size[pose])
        first = int(
            layout.receptor_size[: index + 1].sum()
            + layout.pose_size[:pose].sum()
        )
        order = torch.randperm(size, generator=draw)
        # Where the edges of every row lead then; those of others stay.
        place = torch.arange(layout.num_nodes)
        for rows in (slice(first, first + size), receptor):
            among = torch.randperm(rows.stop - rows.start, generator=draw)
            number = torch.arange(len(among)) // (2 if folded else 1)
            place[rows] = rows.start + among[number]
        for key, level in levels.items():
            table = out[key]
            if level == 'pose':
                table[pose : pose + 1] = _other(table[pose : pose + 1], draw)
            elif level == 'node':
                old = table[first : first + size]
                new = _other(old[order.to(table.device)], draw)
                table[first : first + size] = new
            else:
                shared = layout.receptor_relation_rows(level, index)
                own = layout.rows(key, [pose], index)
                own = own[shared.stop - shared.start :]
                if key == f'{level}_index':
                    table[:, own] = place.to(table.device)[table[:, own]]
                else:
                    table[own] = _other(table[own], draw)
    return out


def _other(value: Tensor, draw: torch.Generator) -> Tensor:
    """Other numbers of the same size; what counts or names is left."""
    if not value.is_floating_point() or not value.numel():
        return value
    noise = 2 * torch.rand(value.shape, generator=draw) - 1
    size = 1 + value.abs().nan_to_num(0.0, 1.0, 1.0).max()
    return value + size * noise.to(value)
