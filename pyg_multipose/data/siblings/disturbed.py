"""Sets in which some poses are other ones, of the same sizes."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor

from pyg_multipose.data.layout import Layout
from pyg_multipose.data.pose_set import PoseSet


def disturbed(
    pose_set: PoseSet, layout: Layout, poses: Iterable[int], rewired: bool
) -> PoseSet:
    r"""The same set, but some of its poses are different ones.

    Their atoms are in another order and touch other atoms of the receptor,
    and their coordinates, features and scores are other numbers.
    Sizes, receptors and the other poses are as before, and so is what is true
    of edges: whether they go both ways, are there once, or are loops.

    Args:
        pose_set: A pose set or a batch of them.
        layout: Its layout.
        poses: Numbers of the poses that are to be different.
        rewired: Whether edges join other pairs of atoms, so that few atoms
            have as many neighbours as can be; else such a pose is the same
            graph with other numbers for its atoms.
    """
    out = copy.copy(pose_set)
    levels = {
        key: level
        for key, level in layout.levels.items()
        if level not in ('set', 'moved') and isinstance(out[key], Tensor)
    }
    for key in levels:
        out[key] = out[key].detach().clone()
    draw = torch.Generator().manual_seed(0)
    for pose in poses:
        index = int(layout.set_of_pose[pose])
        size = int(layout.pose_size[pose])
        first = int(
            layout.receptor_size[: index + 1].sum()
            + layout.pose_size[:pose].sum()
        )
        own = torch.arange(first, first + size)
        rows = layout.receptor_rows(index)
        free: tuple[Tensor, ...]
        free = own, torch.arange(rows.start, rows.stop)
        if layout.moved is not None:  # what is elsewhere stays what it is
            gone, stands = map(torch.tensor, layout.moved.pairs(pose))
            elsewhere = stands[stands != first], gone
            free = tuple(
                part[~torch.isin(part, those)]
                for part, those in zip(free, elsewhere, strict=True)
            )
        atoms = tuple(
            part[torch.randperm(len(part), generator=draw)] for part in free
        )
        order = own.clone()
        order[free[0] - first] = atoms[0]
        for key, level in levels.items():
            table = out[key]
            if level == 'pose':
                table[pose : pose + 1] = _other(table[pose : pose + 1], draw)
            elif level == 'node':
                new = _other(table[order.to(table.device)], draw)
                table[first : first + size] = new
            else:
                shared = layout.receptor_rows(index, level)
                own = layout.rows(key, [pose], index)
                own = own[shared.stop - shared.start :]
                if key == f'{level}_index':
                    ends = table[:, own].cpu()
                    moved = _moved(ends, atoms, layout.num_nodes)
                    if rewired:
                        moved = _rewired(moved, atoms, layout.num_nodes)
                    table[:, own] = moved.to(table.device)
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


def _moved(ends: Tensor, atoms: tuple[Tensor, ...], count: int) -> Tensor:
    """The same edges between other atoms of the ligand and the receptor."""
    place = torch.arange(count)
    for rows in atoms:
        place[rows.sort()[0]] = rows
    return place[ends]


def _rewired(ends: Tensor, atoms: tuple[Tensor, ...], count: int) -> Tensor:
    """Other pairs for those that have edges; each edge goes as it went.

    The first atom of the ligand gets all neighbours that it can have, then
    the second one, and so on.
    """
    low, high = ends.amin(dim=0), ends.amax(dim=0)
    joins = (low != high).nonzero().view(-1)
    pairs, pair_of = torch.unique(
        (low * count + high)[joins], return_inverse=True
    )
    ligand, receptor = atoms
    new, left = [ends.new_empty(2, 0)], len(pairs)
    for number, atom in enumerate(ligand):
        others = torch.cat([ligand[number + 1 :], receptor])[:left]
        new.append(torch.stack([atom.expand(len(others)), others]))
        left -= len(others)
    chosen = torch.cat(new, dim=1)[:, pair_of]
    falls = ends[0, joins] > ends[1, joins]
    chosen = torch.stack([chosen.amin(dim=0), chosen.amax(dim=0)])
    out = ends.clone()
    out[:, joins] = torch.where(falls, chosen.flip(0), chosen)
    return out
