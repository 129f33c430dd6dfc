"""The ligand and the receptor of complexes, as graphs of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from pyg_multipose.data import Layout
from pyg_multipose.data.levels import (
    BOOKKEEPING,
    RELATIONS,
    SIZED,
    Levels,
    level_by_name,
)


def split(batch: Data, name: str) -> tuple[Batch, Batch]:
    r"""Takes complexes apart.

    A part has the rows of its atoms, and the edges and bonds within it.

    Args:
        batch: Complexes with the mask :obj:`is_ligand`.
        name: What asks for them, for messages.

    Returns:
        Ligands and receptors, one of each for every complex.

    Raises:
        ValueError: If the mask is missing or is none, or if a complex has no
            atoms in one of its parts.
    """
    mask = _mask(batch, name)
    number, graph = num_graphs(batch), batch.get('batch')
    if graph is None:
        graph = torch.zeros_like(mask, dtype=torch.long)
    levels = _levels(batch)
    ligands, receptors = (
        _part(batch, levels, keep, graph[keep], number)
        for keep in (mask, ~mask)
    )
    for part, what in ((ligands, 'ligand'), (receptors, 'receptor')):
        empty = (part.ptr.diff() == 0).nonzero().squeeze(1).tolist()
        if empty:
            raise ValueError(
                f'{name} needs atoms of a ligand and of a receptor in every '
                f"pose, but by 'is_ligand' graphs {empty} of {number} have "
                f'none of a {what}. Build sets by PoseSet.from_complex, or '
                f'score poses without a receptor by the model itself'
            )
    return ligands, receptors


def num_graphs(batch: Data) -> int:
    r"""How many graphs there are.

    Args:
        batch: One graph or several.
    """
    return 1 if batch.get('batch') is None else batch.num_graphs


def ligands_of(poses: Data) -> Batch:
    r"""The ligands of poses that share a receptor.

    Args:
        poses: A pose set: the receptor, then the ligand of every pose.
    """
    size = poses.pose_size
    graph = torch.arange(size.numel(), device=size.device)
    graph = graph.repeat_interleave(size)
    is_ligand = poses.is_ligand[poses.num_nodes - graph.numel() :]
    return _part(
        poses,
        _rows(Levels.of(poses)),
        poses.is_ligand,
        graph[is_ligand],
        size.numel(),
    )


def composed(poses: Data) -> Batch:
    r"""The whole complexes of poses that share a receptor.

    Args:
        poses: As above.
    """
    layout = Layout(poses)
    tables = {key: poses[key] for key in _rows(layout.levels)}
    return layout.compose(tables, range(layout.num_poses))


def _mask(batch: Data, name: str) -> Tensor:
    mask = batch.get('is_ligand')
    if mask is None:
        raise ValueError(
            f"{name} tells a ligand from its receptor by the key 'is_ligand' "
            f'of atoms, and the poses have only {sorted(batch.keys())}. Build '
            f'sets by PoseSet.from_complex; whole complexes need '
            f'data.is_ligand before PoseSet.from_poses'
        )
    expected = torch.bool, (batch.num_nodes,)
    got = getattr(mask, 'dtype', type(mask)), tuple(getattr(mask, 'shape', ()))
    if got != expected:
        raise ValueError(
            f"'is_ligand' has dtype and shape {got}, {name} expects "
            f'{expected}, true for the atoms of the ligand'
        )
    return mask


def _rows(levels: Mapping[str, str]) -> dict[str, str]:
    """The levels of what a composed pose has."""
    return {key: level for key, level in levels.items() if level != 'set'}


def _levels(batch: Data) -> dict[str, str]:
    """The levels of keys, by their names, and by where graphs are cut."""
    slices = getattr(batch, '_slice_dict', {})
    cuts: dict[str, Tensor] = {
        level: slices[key]
        for level, key in (
            ('node', 'is_ligand'),
            *((relation, f'{relation}_index') for relation in RELATIONS),
        )
        if key in slices
    }
    out: dict[str, str] = {}
    for key, value in batch.stores[0].items():
        if key in BOOKKEEPING:
            continue
        level: str | None = level_by_name(key)
        if level is None and isinstance(value, Tensor):
            if key in slices:
                level = _cut(slices[key], cuts)
            elif batch.is_node_attr(key):
                level = 'node'
            elif batch.is_edge_attr(key):
                level = 'edge'
        out[key] = level or 'pose'
    return out


def _cut(cut: Tensor, cuts: Mapping[str, Tensor]) -> str | None:
    """The level that is cut into graphs in the same places."""
    same = [level for level, one in cuts.items() if one is cut]  # a readout's
    same += [level for level, one in cuts.items() if one.equal(cut)]
    return same[0] if same else None


def _part(
    values: Any,
    levels: Mapping[str, str],
    keep: Tensor,
    graph: Tensor,
    number: int,
) -> Batch:
    """The graphs of some of the atoms."""
    rows = keep.nonzero().squeeze(1)
    place = keep.cumsum(0) - 1
    kept = {'node': rows}
    for relation in RELATIONS:
        key = f'{relation}_index'
        if key in levels:
            inside = keep[values[key]].all(dim=0)
            kept[relation] = inside.nonzero().squeeze(1)
    out = Batch()
    for key, level in levels.items():
        value = values[key]
        if key == f'{level}_index':
            value = place[value.index_select(1, kept[level])]
        elif level in kept and isinstance(value, Tensor):
            value = value.index_select(0, kept[level])
        out[key] = value
    if levels.keys().isdisjoint(SIZED):
        out.num_nodes = rows.numel()
    out.batch = graph
    count = torch.bincount(graph, minlength=number)
    out.ptr = torch.cat([count.new_zeros(1), count.cumsum(0)])
    out._num_graphs = number
    return out
