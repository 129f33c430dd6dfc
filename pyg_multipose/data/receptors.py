"""Which sets of a batch have the same receptor, by content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from pyg_multipose.data.layout import Layout
from pyg_multipose.data.levels import RELATIONS

#: Integers of the size of a number, to add up its bits.
_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def contents(
    layout: Layout, tables: Mapping[str, Any], index: int
) -> dict[str, Tensor]:
    r"""The receptor's rows of a set, edges counted from its first atom.

    Args:
        layout: The layout of the set or the batch.
        tables: Its values by key.
        index: Number of the set.
    """
    atoms = layout.receptor_rows(index)
    out: dict[str, Tensor] = {}
    for key in sorted(tables):
        level = layout.levels.get(key)
        if level == 'node':
            out[key] = tables[key][atoms]
        elif level in RELATIONS:
            rows = layout.receptor_rows(index, level)
            if key == f'{level}_index':
                out[key] = tables[key][:, rows] - atoms.start
            else:
                out[key] = tables[key][rows]
    return out


def groups(layout: Layout, tables: Mapping[str, Any]) -> list[int]:
    r"""For every set the first one with an equal receptor, -1 without one.

    Args:
        layout: The layout of the batch.
        tables: Its values by key.
    """
    sets = layout.receptor_size.nonzero()[0].tolist()
    out = [-1] * layout.num_sets
    if not sets:
        return out
    content = {index: contents(layout, tables, index) for index in sets}
    first = content[sets[0]]
    if layout.device.type == 'cpu' and all(
        _equal(content[index], first) for index in sets
    ):
        for index in sets:
            out[index] = sets[0]
        return out
    prints = torch.stack([_fingerprint(content[index]) for index in sets])
    seen: dict[tuple[Any, ...], list[int]] = {}
    for index, fingerprint in zip(sets, prints.tolist(), strict=True):
        shapes = [tuple(value.shape) for value in content[index].values()]
        alike = seen.setdefault((*shapes, *fingerprint), [])
        for other in alike:
            if _equal(content[index], content[other]):
                out[index] = other
                break
        else:
            alike.append(index)
            out[index] = index
    return out


def _equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return all(
        value.shape == other[key].shape and torch.equal(value, other[key])
        for key, value in one.items()
    )


def named_groups(
    layout: Layout, tables: Mapping[str, Any], pose_set: Data
) -> list[int]:
    r"""As :func:`groups`; a name that two different receptors have is refused.

    Args:
        layout: The layout of the batch.
        tables: Its values by key.
        pose_set: The batch, for the names of receptors.
    """
    out = groups(layout, tables)
    names = pose_set.get('receptor_name') or []
    if names:
        names = [names] if isinstance(names, str) else names
        check_names(names, out, layout)
    return out


def check_names(
    names: Sequence[str], groups: Sequence[int], layout: Layout
) -> None:
    r"""Refuses a name that two different receptors have.

    Args:
        names: The name of each set's receptor; may be empty.
        groups: The first set with an equal receptor.
        layout: The layout of the batch, for messages.
    """
    group_of: dict[str, int] = {}
    for index, (name, group) in enumerate(zip(names, groups, strict=True)):
        if not name or group < 0:
            continue
        first = group_of.setdefault(name, group)
        if first != group:
            raise ValueError(
                f'{layout.set_name(first)} and {layout.set_name(index)} '
                f"both call their receptor '{name}', but the two differ. "
                f'Use one name for one content'
            )


def digest(content: Mapping[str, Tensor]) -> str:
    r"""A hash of all that a receptor holds.

    Args:
        content: Its rows by key.
    """
    out = hashlib.sha256()
    for key, value in sorted(content.items()):
        out.update(f'{key} {value.dtype} {list(value.shape)} '.encode())
        plain = value.detach().cpu().contiguous().reshape(-1)
        out.update(plain.view(torch.uint8).numpy().tobytes())
    return out.hexdigest()


def _fingerprint(content: Mapping[str, Tensor]) -> Tensor:
    """The sum of all bits by key: exact, so equal for equal content."""
    sums = []
    for value in content.values():
        value = value.detach()
        if value.is_complex():
            value = torch.view_as_real(value)
        if value.is_floating_point():
            value = value + 0.0  # turns -0.0 into 0.0, which it equals
            value = value.view(_BITS[value.element_size()])
        sums.append(value.sum(dtype=torch.long))
    return torch.stack(sums)
