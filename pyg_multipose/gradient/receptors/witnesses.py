"""The poses on which a model is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.data import Layout
from pyg_multipose.data.layout import Poses

#: A key, what it describes (a receptor, atoms of it that have moved, a ligand
#: or a pose), and a value of it.
Kind = tuple[str, str, int]

#: The most values of a key that are kinds of atoms, and not numbers of them.
MANY = 256
#: The same for poses, which often have names and numbers.
_FEW = 8
#: The parts of a complex.
_PARTS = ('receptor', 'moved', 'ligand')
#: The most poses among which those with most contacts are looked for.
_SAMPLE = 64
#: What a contact is, in angstrom.
_CONTACT = 5.0


def kinds(
    layout: Layout, tables: Mapping[str, Any], poses: Poses | None = None
) -> set[Kind]:
    r"""The kinds of atoms and of poses: elements, charges, types, flags.

    Args:
        layout: The layout of the batch.
        tables: Its values by key.
        poses: Numbers of poses. (default: :obj:`None`, all)
    """
    out: set[Kind] = set()
    if layout.moved is not None:
        absent = layout.moved.count - layout.moved.moved
        if (absent if poses is None else absent[np.asarray(poses)]).any():
            out.add(('moved_index', 'absent', 1))
    masks: dict[str, np.ndarray] = {}
    for key, value in tables.items():
        level = layout.levels[key]
        if (
            level not in ('node', 'pose')
            or not isinstance(value, Tensor)
            or value.is_floating_point()
            or value.is_complex()
            or value.numel() != len(value)
        ):
            continue
        rows = value.detach().reshape(-1).cpu().numpy()
        which = None if poses is None else layout.rows(key, poses)
        rows = rows if which is None else rows[which.cpu().numpy()]
        if level == 'pose':
            if value.dtype != torch.bool and not _are_few(rows):
                continue
            parts = {'pose': rows}
        else:
            if not masks:
                part = _part_of_row(layout, which)
                masks = {name: part == n for n, name in enumerate(_PARTS)}
            parts = {name: rows[mask] for name, mask in masks.items()}
        for name, values in parts.items():
            found = _distinct(values)
            if len(found) <= MANY:
                out.update((key, name, int(kind)) for kind in found)
    return out


def _distinct(values: np.ndarray) -> list[int]:
    """The values, without those that come again."""
    if values.dtype == bool:
        return [kind for kind in (0, 1) if (values == kind).any()]
    if values.size:
        least, most = int(values.min()), int(values.max())
        if most - least < MANY:  # no need to sort them
            there = np.bincount(values.astype(np.int64) - least)
            return (there.nonzero()[0] + least).tolist()
    return np.unique(values).tolist()


def by_contacts(
    layout: Layout, tables: Mapping[str, Any], poses: np.ndarray
) -> list[int]:
    r"""The places of poses, those that reach most of their receptor first.

    That is counted in edges out of the atoms that the ligand touches, or,
    without edges, in pairs of atoms within 5 angstrom.

    Args:
        layout: The layout of the batch.
        tables: Its values by key.
        poses: Numbers of poses, of one receptor.
    """
    places = np.linspace(0, len(poses) - 1, min(len(poses), _SAMPLE))
    places = np.unique(places.round().astype(int))
    if 'edge_index' in tables:
        count = _touched
    elif isinstance(tables.get('pos'), Tensor):
        count = _near
    else:
        return []
    numbers = [count(layout, tables, int(pose)) for pose in poses[places]]
    order = torch.stack(numbers).argsort(descending=True, stable=True)
    return places[order.cpu().numpy()].tolist()


def _touched(layout: Layout, tables: Mapping[str, Any], pose: int) -> Tensor:
    """The edges of a receptor out of atoms that a ligand touches."""
    edges = tables['edge_index']
    source, target = edges[:, layout.rows('edge_index', [pose])]
    rows = layout.receptor_rows(int(layout.set_of_pose[pose]))
    inside = torch.zeros(
        layout.num_nodes, dtype=torch.bool, device=edges.device
    )
    inside[rows] = True
    touched = torch.zeros_like(inside)
    touched[target[inside[target] & ~inside[source]]] = True
    return (touched[source] & inside[target]).sum()


def _near(layout: Layout, tables: Mapping[str, Any], pose: int) -> Tensor:
    """Pairs of an atom of the receptor and one of the ligand."""
    atoms = tables['pos'].detach()[layout.rows('pos', [pose])].double()
    size = len(atoms) - int(layout.ligand_size[pose])
    return (torch.cdist(atoms[:size], atoms[size:]) < _CONTACT).sum()


def _are_few(rows: np.ndarray) -> bool:
    """Whether integers tell one of a few kinds, and are no names."""
    return not len(rows) or bool((rows >= 0).all() & (rows < _FEW).all())


def _part_of_row(layout: Layout, rows: Tensor | None) -> np.ndarray:
    """Of which part the rows of the table of atoms, or some of them, are."""
    every = np.arange(layout.num_nodes) if rows is None else rows.cpu().numpy()
    is_receptor = layout.is_receptor(every)
    names = [_PARTS.index(name) for name in ('receptor', 'ligand')]
    out = np.where(is_receptor, *names)
    if layout.moved is not None:
        moved = np.isin(every, layout.moved.stands())
        out[moved] = _PARTS.index('moved')
    return out
