"""Checks the graphs of a pose set and joins them into its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import is_sparse

from pyg_multipose.data.levels import BOOKKEEPING, RELATIONS, level_by_name


def check_keys(keys: Iterable[str], called: str) -> None:
    r"""Refuses names that PyG's batching treats by rules of its own."""
    indices = {f'{name}_index' for name in RELATIONS}
    for key in keys:
        if key in BOOKKEEPING and key != 'num_nodes':
            raise ValueError(
                f"{called}: the key '{key}' is used for bookkeeping; rename it"
            )
        if key in indices:
            continue
        if (
            'index' in key
            or 'batch' in key
            or key in ('face', 'adj', 'adj_t')
            or not key.isidentifier()
        ):
            raise ValueError(
                f"{called}: PyG changes the values of keys such as '{key}' "
                f"when it batches graphs (names with 'index', 'batch', "
                f"'face', 'adj'), or it is no identifier; rename it"
            )


def joined(
    parts: Sequence[Data],
    pose_attrs: Sequence[str],
    has_receptor: bool,
    called: str,
) -> tuple[list[int], dict[str, Tensor]]:
    r"""Joins the atoms of the receptor (if any) and of all poses.

    Returns:
        The number of atoms of each part, and the node tables.
    """
    sizes: list[int] = []
    tables: dict[str, list[Tensor]] = {}
    for number, part in enumerate(parts):
        where = part_name(number, has_receptor, called)
        if not isinstance(part, Data) or isinstance(part, Batch):
            raise ValueError(
                f'{where}: expected a torch_geometric Data, got '
                f'{type(part).__name__}'
            )
        keys = list(part.keys())
        check_keys(keys, where)
        if 'y' in keys:
            raise ValueError(
                f"{where} has a label 'y', but the label belongs to the set: "
                f'pass y=... and remove it from the poses'
            )
        size = part.num_nodes
        if not size and not (has_receptor and number == 0):
            raise ValueError(f'{where} has no atoms')
        sizes.append(int(size or 0))
        node_keys = [
            key
            for key in keys
            if key not in pose_attrs
            and key not in ('num_nodes', 'is_ligand' if has_receptor else '')
            and level_by_name(key) not in RELATIONS
        ]
        if number == 0:
            tables = {key: [] for key in node_keys}
        missing = set(tables) ^ set(node_keys)
        if missing:
            first = part_name(0, has_receptor, called)
            raise ValueError(
                f'{where} and {first} differ in {sorted(missing)}: all need '
                f'the same keys. Name those with one value per pose in '
                f'pose_attrs'
            )
        for key in node_keys:
            value = part[key]
            _check_rows(value, sizes[-1], 'atoms', key, where)
            _check_like(value, tables[key], key, where)
            tables[key].append(value)
        _check_finite(part, where)
    return sizes, {key: torch.cat(values) for key, values in tables.items()}


def relation_tables(
    parts: Sequence[Data],
    sizes: Sequence[int],
    has_receptor: bool,
    called: str,
) -> dict[str, Tensor]:
    r"""Joins edges and bonds; a part may have none while others have some."""
    out: dict[str, Tensor] = {}
    for relation in RELATIONS:
        keys: dict[str, list[Tensor]] = {}
        for part in parts:
            for key in part.keys():
                if key.startswith(f'{relation}_'):
                    keys.setdefault(key, [])
        if not keys:
            continue
        index = f'{relation}_index'
        if index not in keys:
            raise ValueError(
                f"{called}: {sorted(keys)} describe the rows of '{index}', "
                f'which no pose has'
            )
        shift = 0
        for number, part in enumerate(parts):
            where = part_name(number, has_receptor, called)
            have = [key for key in keys if key in part]
            if have and len(have) != len(keys):
                raise ValueError(
                    f'{where} has {have}, but other parts of the set have '
                    f'{list(keys)}: give all or none'
                )
            if have:
                ends = part[index]
                _check_index(ends, sizes[number], index, where)
                keys[index].append(ends + shift)
                for key in have:
                    if key == index:
                        continue
                    _check_rows(part[key], ends.size(1), 'rows', key, where)
                    _check_like(part[key], keys[key], key, where)
                    keys[key].append(part[key])
            shift += sizes[number]
        for key, values in keys.items():
            out[key] = torch.cat(values, dim=-1 if key == index else 0)
    return out


def pose_values(poses: Sequence[Data], key: str, called: str) -> Any:
    r"""Collects an attribute that has one value per pose."""
    check_keys([key], called)
    if level_by_name(key) is not None:
        raise ValueError(
            f"{called}: '{key}' is on level '{level_by_name(key)}' by its "
            f'name and cannot be a pose attribute; rename it'
        )
    values: list[Any] = []
    for number, pose in enumerate(poses):
        where = part_name(number, False, called)
        if key not in pose:
            raise ValueError(
                f"{where} has no '{key}', which pose_attrs names; got "
                f'{list(pose.keys())}'
            )
        value = pose[key]
        if not isinstance(value, str):
            value = torch.as_tensor(value)
            value = value.view(1) if value.dim() == 0 else value
            _check_rows(value, 1, 'row', key, where)
            tensors = [v for v in values if isinstance(v, Tensor)]
            _check_like(value, tensors, key, where)
        values.append(value)
    text = sum(isinstance(value, str) for value in values)
    if text == len(values):
        return values
    if text:
        raise ValueError(
            f"{called}: '{key}' is a string in {text} of {len(values)} poses "
            f'and a number in the others'
        )
    return torch.cat(values)


def part_name(number: int, has_receptor: bool, called: str) -> str:
    r"""How messages call the receptor or a pose of a set."""
    if has_receptor and number == 0:
        return f'{called}, receptor'
    return f'{called}, pose {number - int(has_receptor)}'


def _check_rows(
    value: Any, expected: int, what: str, key: str, where: str
) -> None:
    if not isinstance(value, Tensor) or is_sparse(value):
        raise ValueError(
            f"{where}: '{key}' is a {type(value).__name__}, expected a dense "
            f'tensor with {expected} rows. Name it in pose_attrs if it is one '
            f'value per pose, or remove it'
        )
    got = value.size(0) if value.dim() else 0
    if got != expected:
        raise ValueError(
            f"{where}: '{key}' has shape {list(value.shape)}, expected "
            f'{expected} {what}. Name it in pose_attrs if it is one value per '
            f"pose; begin its name with 'edge_' or 'bond_' if it is one per "
            f'edge or bond'
        )


def _check_like(
    value: Tensor, others: Sequence[Tensor], key: str, where: str
) -> None:
    if not others:
        return
    for what, got, expected in (
        ('dtype', value.dtype, others[0].dtype),
        ('feature shape', list(value.shape[1:]), list(others[0].shape[1:])),
        ('device', value.device, others[0].device),
    ):
        if got != expected:
            raise ValueError(
                f"{where}: '{key}' has {what} {got}, but the part before it "
                f'{expected}; all poses of a set need the same'
            )


def _check_index(ends: Any, size: int, key: str, where: str) -> None:
    if not isinstance(ends, Tensor) or ends.dim() != 2 or ends.size(0) != 2:
        got = list(ends.shape) if isinstance(ends, Tensor) else type(ends)
        raise ValueError(
            f"{where}: '{key}' has shape {got}, expected [2, num_rows]"
        )
    if ends.numel() and (int(ends.min()) < 0 or int(ends.max()) >= size):
        raise ValueError(
            f"{where}: '{key}' holds atoms {int(ends.min())} to "
            f'{int(ends.max())}, but there are {size} (0 to {size - 1})'
        )


def _check_finite(part: Data, where: str) -> None:
    pos = part.get('pos')
    if isinstance(pos, Tensor) and not bool(pos.isfinite().all()):
        bad = (~pos.isfinite()).reshape(len(pos), -1).any(dim=1)
        raise ValueError(
            f"{where}: 'pos' of atom {int(bad.nonzero()[0])} is "
            f'{pos[int(bad.nonzero()[0])].tolist()}, expected finite '
            f'coordinates in Angstrom. Drop the pose'
        )
