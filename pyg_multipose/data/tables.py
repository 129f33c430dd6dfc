"""The tables of a pose set, joined from a receptor and poses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric import EdgeIndex, Index
from torch_geometric.data import Data

from pyg_multipose.data.checks import (
    check_finite,
    check_is_ligand,
    check_like,
    check_part,
    check_relation,
    check_rows,
    check_same_keys,
)
from pyg_multipose.data.levels import (
    COUNTS,
    GRAPH_RELATIONS,
    SIZED,
    Level,
    Levels,
    level_by_name,
)
from pyg_multipose.data.moved_atoms import (
    MovedAtoms,
    MovedPart,
    with_moved,
)
from pyg_multipose.data.part import Part

#: Nothing is declared.
_NONE: Mapping[str, Level] = {}


def joined(
    receptor: Data | None,
    poses: Sequence[Data],
    y: float | Tensor | None,
    name: str | None,
    pose_attrs: Iterable[str],
    receptor_name: str | None,
    moved: Sequence[MovedAtoms | MovedPart | None] | None = None,
    declared: Mapping[str, Level] = _NONE,
) -> dict[str, Any]:
    r"""Checks the graphs of a set and joins them into its tables.

    Args:
        receptor: The receptor, if all poses share one.
        poses: The poses; without a receptor, whole graphs.
        y: The label of the set.
        name: The name of the set.
        pose_attrs: The keys with one value per pose.
        receptor_name: The name of the receptor.
        moved: Which atoms of the receptor are elsewhere, one for each pose.
            (default: :obj:`None`, all are where they are in all poses)
        declared: The levels of keys whose names do not tell them.
            (default: :obj:`{}`, their rows are atoms)

    Returns:
        All values of the set by key, counts and levels included.
    """
    for text in (name, receptor_name):
        if text is not None and not isinstance(text, str):
            raise ValueError(
                f'The name of a set or a receptor is a string, got {text!r}'
            )
    called = f"set '{name}'" if name else 'the set'
    if isinstance(poses, Data):
        raise ValueError(
            f'{called}: expected a list of Data, one per pose, got a single '
            f'{type(poses).__name__}'
        )
    attrs = [pose_attrs] if isinstance(pose_attrs, str) else list(pose_attrs)
    ligands = [
        _part(pose, attrs, f'{called}, pose {number}', declared)
        for number, pose in enumerate(poses)
    ]
    if not ligands:
        raise ValueError(
            f'{called} has no poses; a set needs at least one. Leave '
            f'compounds without poses out of the dataset'
        )
    for ligand in ligands:
        if not ligand.size:
            raise ValueError(f'{ligand.where} has no atoms')
    for key in attrs:
        if level_by_name(key) is not None:
            raise ValueError(
                f"{called}: '{key}' is on level '{level_by_name(key)}' by its "
                f'name and cannot be a pose attribute; rename it'
            )
    fixed: list[Part] = []
    if receptor is not None:
        fixed = [_part(receptor, attrs, f'{called}, receptor', declared)]
        for part in (*fixed, *ligands):
            of_ligand = part is not fixed[0]
            check_is_ligand(part.values, of_ligand, part.where)
            part.values['is_ligand'] = torch.full(
                (part.size,), of_ligand, device=_device(part.values)
            )
            part.level['is_ligand'] = 'node'

    keys = _checked_node_keys([*fixed, *ligands])
    for part in (*fixed, *ligands):
        for relation in GRAPH_RELATIONS:
            check_relation(part, relation)
    pairs = None
    if moved is not None:
        alone = fixed[0] if fixed else None
        ligands, pairs = with_moved(alone, ligands, moved, keys)
    out: dict[str, Any] = _node_tables([*fixed, *ligands], keys)
    levels: dict[str, Level] = dict.fromkeys(out, 'node')
    for relation in GRAPH_RELATIONS:
        tables = _relation_tables(fixed, ligands, relation)
        out.update(tables)
        levels.update(dict.fromkeys(tables, relation))
    if pairs is not None:
        out['moved_index'], levels['moved_index'] = pairs, 'moved'
    for key in attrs:
        out[key], levels[key] = _pose_values(ligands, key), 'pose'
    if y is not None:
        out['y'] = _label(y, called)
    out['name'], out['receptor_name'] = name or '', receptor_name or ''
    levels.update({key: 'set' for key in out if key not in levels})

    size = [part.size for part in ligands]
    counts = (sum(part.size for part in fixed), size, len(ligands))
    device = _device(out)
    for key, count in zip(COUNTS, counts, strict=True):
        out[key] = torch.tensor(count, device=device).view(-1)
    if not any(key in out for key in SIZED):
        out['num_nodes'] = sum(part.size for part in (*fixed, *ligands))
    out['levels'] = str(Levels(levels))
    return out


def _part(
    data: Any,
    attrs: Sequence[str],
    where: str,
    declared: Mapping[str, Level],
) -> Part:
    check_part(data, where)
    values = {key: _plain(value) for key, value in data.stores[0].items()}
    size = values.pop('num_nodes', None)
    level: dict[str, Level] = {}
    for key in values:
        of_key = level_by_name(key) or declared.get(key, 'node')
        level[key] = 'pose' if key in attrs else of_key
    if size is None:
        known = (values.get(key) for key in (*SIZED, 'z'))
        others = (values[key] for key in values if level[key] == 'node')
        size = next(
            (
                value.size(0)
                for value in (*known, *others)
                if isinstance(value, Tensor) and value.dim()
            ),
            None,
        )
    if size is None:
        raise ValueError(
            f'{where} does not tell how many atoms it has; it needs x, z, '
            f'pos or num_nodes, got {list(values)}'
        )
    return Part(where, values, int(size), level)


def _checked_node_keys(parts: Sequence[Part]) -> list[str]:
    """The keys of atoms, which all parts have in one form."""
    keys = parts[0].on('node')
    for part in parts:
        check_same_keys(part.on('node'), keys, part.where, parts[0].where)
        for key in keys:
            check_rows(part.values[key], part.size, 'atom', key, part.where)
            check_like(part.values[key], parts[0].values[key], key, part.where)
    return keys


def _node_tables(
    parts: Sequence[Part], keys: Sequence[str]
) -> dict[str, Tensor]:
    """The atoms of the receptor (if any) and of all poses."""
    out = {
        key: torch.cat([part.values[key] for part in parts]) for key in keys
    }
    if 'pos' in out and not bool(out['pos'].isfinite().all()):
        for part in parts:
            check_finite(part.values['pos'], part.where)
    return out


def _relation_tables(
    fixed: Sequence[Part], ligands: Sequence[Part], relation: str
) -> dict[str, Tensor]:
    """Edges or bonds; a receptor may have none while the poses have some."""
    index = f'{relation}_index'
    tables: dict[str, list[Tensor]] = {}
    first: Part | None = None
    shift = 0
    for part in (*fixed, *ligands):
        keys = part.on(relation)
        if part not in fixed:
            like = ligands[0]
            check_same_keys(keys, like.on(relation), part.where, like.where)
        if keys and first is None:
            first, tables = part, {key: [] for key in keys}
        if keys and first is not None:
            check_same_keys(keys, tables, part.where, first.where)
            for key in keys:
                value = part.values[key]
                if key == index:
                    value = value + shift
                else:
                    check_like(value, first.values[key], key, part.where)
                tables[key].append(value)
        for key, value in part.bonds.items() if relation == 'bond' else ():
            if key == index:  # the receptor's rows come first
                value = torch.where(value < 0, -1 - value, value + shift)
            tables[key].append(value)
        shift += part.size
    return {
        key: torch.cat(values, dim=-1 if key == index else 0)
        for key, values in tables.items()
    }


def _pose_values(ligands: Sequence[Part], key: str) -> list[str] | Tensor:
    """An attribute that has one value per pose."""
    values: list[Any] = []
    for part in ligands:
        if key not in part.values:
            raise ValueError(
                f"{part.where} has no '{key}', which pose_attrs names; got "
                f'{list(part.values)}'
            )
        value = part.values[key]
        if isinstance(value, str) != isinstance(ligands[0].values[key], str):
            raise ValueError(
                f"{part.where}: '{key}' is {value!r}, but a pose before it "
                f'has {ligands[0].values[key]!r}; expected a string in all '
                f'poses or in none'
            )
        if not isinstance(value, str):
            value = _tensor(value)
            check_rows(value, 1, 'pose', key, part.where)
            check_like(value, values[0] if values else value, key, part.where)
        values.append(value)
    return values if isinstance(values[0], str) else torch.cat(values)


def _label(y: Any, called: str) -> Tensor:
    label = _tensor(y)
    shape = list(label.shape) if isinstance(label, Tensor) else None
    if shape is None or shape[0] != 1 or len(shape) > 2:
        raise ValueError(
            f"{called}: 'y' is the label of the whole set, a number or a "
            f'tensor of shape [1] or [1, F], got {shape or repr(y)}'
        )
    if not label.is_floating_point():
        label = label.to(torch.get_default_dtype())
    return label


def _tensor(value: Any) -> Any:
    """A number as a tensor of shape [1]; what is no number, as it is."""
    if not isinstance(value, Tensor):
        try:
            value = torch.as_tensor(value)
        except (TypeError, ValueError, RuntimeError):
            return value
    return value.view(1) if value.dim() == 0 else value


def _plain(value: Any) -> Any:
    """A set holds plain tensors, not PyG's kinds of an index."""
    return value.as_tensor() if isinstance(value, EdgeIndex | Index) else value


def _device(values: dict[str, Any]) -> torch.device | None:
    tensors = (value for value in values.values() if torch.is_tensor(value))
    return next((value.device for value in tensors), None)
