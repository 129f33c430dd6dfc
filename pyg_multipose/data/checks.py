"""What a graph must be like to become part of a pose set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import is_sparse

from pyg_multipose.data.levels import (
    BOOKKEEPING,
    COUNTS,
    INDICES,
    Level,
    level_by_name,
)
from pyg_multipose.data.part import Part

#: In names of keys, and what PyG's batching and sets use them for.
_WORDS = ('index', 'batch', 'ptr')
_NAMES = ('face', 'adj', 'adj_t')


def check_keys(keys: Iterable[str], where: str) -> None:
    r"""Refuses names that PyG's batching treats by rules of its own.

    Args:
        keys: The names.
        where: What has them, for messages.
    """
    for key in keys:
        if key in BOOKKEEPING:
            raise ValueError(
                f"{where}: the key '{key}' is used for bookkeeping; rename it"
            )
        if key in INDICES:
            continue
        if key in _NAMES or any(word in key for word in _WORDS):
            raise ValueError(
                f"{where}: PyG changes or drops the values of '{key}' when it "
                f'batches graphs, by its name (names with {_WORDS}, and '
                f'{_NAMES}); rename it'
            )
        if not key.isidentifier():
            raise ValueError(
                f"{where}: the key '{key}' is no Python identifier; rename it"
            )


def check_free(pose_set: type[Data], key: str) -> None:
    r"""Refuses keys that a pose set could not be asked for.

    Args:
        pose_set: The class of pose sets.
        key: The key.
    """
    if hasattr(pose_set, key) and not hasattr(Data, key):
        raise ValueError(
            f"A pose set has '{key}' of its own; rename the key '{key}'"
        )


def check_level(key: str, level: str, where: str) -> None:
    r"""Refuses a level that a key cannot be on.

    Args:
        key: The key.
        level: The level that is declared.
        where: What has it, for messages.
    """
    if level not in get_args(Level):
        raise ValueError(
            f"Unknown level '{level}' of '{key}'; choose among "
            f'{list(get_args(Level))}'
        )
    by_name = level_by_name(key)
    if by_name not in (None, level):
        raise ValueError(
            f"'{key}' is on level '{by_name}' by its name, got '{level}'; "
            f'choose another name'
        )
    check_keys([key], where)


def check_part(part: Any, where: str) -> None:
    r"""Refuses what is no single graph, and keys that belong to the set.

    Args:
        part: The receptor or a pose.
        where: What it is, for messages.
    """
    if (
        not isinstance(part, Data)
        or isinstance(part, Batch)
        or all(key in part for key in COUNTS)
    ):
        raise ValueError(
            f'{where}: expected a torch_geometric Data, got '
            f'{type(part).__name__}'
        )
    keys = [key for key in part.stores[0] if key != 'num_nodes']
    check_keys(keys, where)
    for key in keys:
        if level_by_name(key) == 'set':
            raise ValueError(
                f"{where} has '{key}', but there is one for the whole set: "
                f'pass {key}=... and remove it from the poses'
            )
        if level_by_name(key) == 'moved':
            raise ValueError(
                f"{where} has '{key}', but keys that begin with 'moved_' "
                f'describe which atoms of a receptor are elsewhere in a set: '
                f'pass moved=... to PoseSet.from_complex, or rename it'
            )


def check_no_batch(part: Any) -> None:
    r"""Refuses a batch as a part of a batch.

    Args:
        part: What is being batched.
    """
    if isinstance(part, Batch):
        raise ValueError(
            f'A batch of {part.num_graphs} sets cannot be a part of another '
            f'batch. Batch the sets: Batch.from_data_list([pose_set for batch '
            f'in batches for pose_set in batch.to_data_list()])'
        )


def check_is_ligand(part: dict[str, Any], expected: bool, where: str) -> None:
    r"""Refuses a whole complex where a receptor or a ligand is expected.

    Args:
        part: The values of the receptor or of a pose of the ligand.
        expected: What :obj:`is_ligand` must be for all of its atoms.
        where: What it is, for messages.
    """
    given = part.get('is_ligand')
    if isinstance(given, Tensor) and bool((given != expected).any()):
        other = 'receptor' if expected else 'ligand'
        raise ValueError(
            f'{where} has {int((given != expected).sum())} {other} atoms by '
            f"its 'is_ligand'; from_complex takes the receptor and the "
            f'ligand apart. Use from_poses for whole complexes'
        )


def check_finite(pos: Tensor, where: str) -> None:
    r"""Refuses coordinates that are not finite.

    Args:
        pos: The positions of a receptor or a pose.
        where: What it is, for messages.
    """
    bad = ~pos.isfinite().reshape(len(pos), -1).all(dim=1)
    if bad.any():
        atom = int(bad.nonzero()[0])
        raise ValueError(
            f"{where}: 'pos' of atom {atom} is {pos[atom].tolist()}, expected "
            f'finite coordinates in Angstrom. Mend it or leave it out'
        )


def check_rows(
    value: Any, expected: int, what: str, key: str, where: str
) -> None:
    r"""Refuses what is no dense tensor with one row for each of something.

    Args:
        value: What a graph holds.
        expected: How many rows it must have.
        what: What they describe, for messages.
        key: Its name.
        where: Which graph holds it, for messages.
    """
    advice = (
        'Name it in pose_attrs if it is one value per pose'
        if what != 'pose'
        else 'A pose attribute is a number, a string or a tensor of shape [1] '
        'or [1, F]'
    )
    if not isinstance(value, Tensor) or is_sparse(value):
        raise ValueError(
            f"{where}: '{key}' is a {type(value).__name__}, expected a dense "
            f'tensor with one row per {what}. {advice}, or remove it'
        )
    got = value.size(0) if value.dim() else None
    if got != expected:
        level = level_by_name(key)
        if what == 'atom' and level is None:
            advice += (
                "; begin its name with 'edge_' or 'bond_' if it is one per "
                'edge or bond'
            )
        raise ValueError(
            f"{where}: '{key}' has shape {list(value.shape)}, expected "
            f'{expected} rows, one per {what}. {advice}'
        )


def check_same_keys(
    got: Iterable[str], expected: Iterable[str], where: str, like: str
) -> None:
    r"""Refuses a part that has other keys than another one.

    Args:
        got: Its keys.
        expected: Those of the other.
        where: What has them, for messages.
        like: What the other is, for messages.
    """
    extra, lacking = set(got) - set(expected), set(expected) - set(got)
    if extra or lacking:
        differ = [
            f'only {which} has {sorted(keys)}'
            for which, keys in ((where, extra), (like, lacking))
            if keys
        ]
        raise ValueError(
            f'{where} and {like} need the same keys, but '
            f'{" and ".join(differ)}. Add them to the other or remove them; '
            f'what a pose has once is named in pose_attrs'
        )


def check_like(value: Tensor, other: Tensor, key: str, where: str) -> None:
    r"""Refuses rows that do not fit those of another part of the set.

    Args:
        value: The rows.
        other: What they must be like.
        key: Their name.
        where: Which graph holds them, for messages.
    """
    for what, got, expected in (
        ('dtype', value.dtype, other.dtype),
        ('feature shape', list(value.shape[1:]), list(other.shape[1:])),
        ('device', value.device, other.device),
    ):
        if got != expected:
            raise ValueError(
                f"{where}: '{key}' has {what} {got}, but the part before it "
                f'{expected}; all parts of a set need the same'
            )


def check_index(ends: Any, size: int, key: str, where: str) -> None:
    r"""Refuses what is no table of edges among some atoms.

    Args:
        ends: What a graph holds.
        size: How many atoms it has.
        key: Its name.
        where: Which graph holds it, for messages.
    """
    if (
        not isinstance(ends, Tensor)
        or ends.dim() != 2
        or ends.size(0) != 2
        or ends.dtype != torch.long
    ):
        got = type(ends).__name__
        if isinstance(ends, Tensor):
            got = f'a tensor of shape {list(ends.shape)} and {ends.dtype}'
        raise ValueError(
            f"{where}: '{key}' is {got}, expected shape [2, num_rows] and "
            f'torch.int64'
        )
    if ends.numel():
        low, high = (int(end) for end in ends.aminmax())
        if low < 0 or high >= size:
            raise ValueError(
                f"{where}: '{key}' holds atoms {low} to {high}, but there "
                f'are {size} (0 to {size - 1})'
            )


def check_relation(part: Part, relation: str) -> None:
    r"""Refuses edges or bonds that are not among the atoms of a part.

    Args:
        part: A receptor or a pose.
        relation: :obj:`"edge"` or :obj:`"bond"`.
    """
    index, values, where = f'{relation}_index', part.values, part.where
    keys = part.on(relation)
    if keys and index not in keys:
        raise ValueError(
            f"{where}: {keys} describe the rows of '{index}', which it does "
            f'not have'
        )
    for key in sorted(keys, key=index.__ne__):  # the index first
        if key == index:
            check_index(values[key], part.size, key, where)
        else:
            rows = values[index].size(1)
            check_rows(values[key], rows, relation, key, where)


def check_counts(
    num_poses: int,
    num_receptors: int,
    set_size: np.ndarray,
    set_name: Callable[[int], str],
) -> None:
    r"""Refuses counts that contradict each other.

    Args:
        num_poses: Of how many poses there is a size.
        num_receptors: The same of receptors.
        set_size: Number of poses of each set.
        set_name: How messages call a set.
    """
    sizes = set_size.tolist()
    if 0 in sizes:
        raise ValueError(
            f'{set_name(sizes.index(0))} has no poses; a set needs at least '
            f'one. Leave it out of the batch'
        )
    for key, got, expected in (
        ('pose_size', num_poses, sum(sizes)),
        ('receptor_size', num_receptors, len(sizes)),
    ):
        if got != expected:
            raise ValueError(
                f"'{key}' has {got} entries, but 'set_size' tells of "
                f'{expected}'
            )
