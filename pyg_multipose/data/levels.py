"""Which level (node, edge, bond, ...) each key of a pose set is on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, get_args

from torch import Tensor
from torch_geometric.data import Data

Level = Literal['node', 'edge', 'bond', 'moved', 'pose', 'set']

#: Levels that graphs have an index for, :obj:`edge_index` and
#: :obj:`bond_index`.
GRAPH_RELATIONS: tuple[Level, ...] = ('edge', 'bond')
#: The same of pose sets: :obj:`moved_index` says which atoms of a receptor
#: are elsewhere in a pose, see :mod:`pyg_multipose.data.moved_rows`.
RELATIONS: tuple[Level, ...] = (*GRAPH_RELATIONS, 'moved')
#: The keys of all of these.
INDICES = tuple(f'{name}_index' for name in RELATIONS)
#: The counts that say where everything lies.
COUNTS = ('receptor_size', 'pose_size', 'set_size')
#: Keys that are not data: counts, this declaration, and PyG's batching.
BOOKKEEPING = (*COUNTS, 'levels', 'batch', 'ptr', 'num_nodes')
#: Keys from which PyG infers the number of nodes of a graph.
SIZED = ('x', 'pos', 'feat', 'node_type')
#: Keys whose level everybody knows; all others are declared.
_KNOWN: dict[str, Level] = {
    **dict.fromkeys((*SIZED, 'z', 'is_ligand'), 'node'),
    **dict.fromkeys(('y', 'name', 'receptor_name'), 'set'),
}


class Levels(Mapping[str, Level]):
    r"""The level of every key; declared, never guessed from sizes.

    A pose set carries its declarations as a string (key :obj:`levels`), so
    that they survive batching, pickling and :meth:`to_dict`.

    Args:
        levels: The level of each key.
    """

    def __init__(self, levels: Mapping[str, Level]) -> None:
        self._levels = dict(levels)

    @classmethod
    def of(cls, data: Data, set_name: Callable[[int], str] = str) -> Levels:
        r"""Reads the levels of all keys of a pose set or a batch.

        Args:
            data: The pose set or batch.
            set_name: How to call a set in messages.

        Raises:
            ValueError: If the sets of a batch declare different keys, or if
                a key is on no known level.
        """
        store = data.stores[0]
        keys = tuple(store.keys())
        missing = [key for key in (*COUNTS, 'levels') if key not in keys]
        if missing:
            raise ValueError(
                f'The pose set lacks {missing}: build it by '
                f'PoseSet.from_poses or PoseSet.from_complex, and leave these '
                f'keys out of exclude_keys'
            )
        text = store['levels']
        if not isinstance(text, str):
            for index, other in enumerate(text):
                if other != text[0]:
                    _raise_mixed(text[0], other, set_name, index)
            text = text[0]
        return _levels(text, keys)

    def __getitem__(self, key: str) -> Level:
        return self._levels[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._levels)

    def __len__(self) -> int:
        return len(self._levels)

    def __str__(self) -> str:
        return ' '.join(
            f'{key}:{level}' for key, level in sorted(self._levels.items())
        )

    def on(self, level: str) -> list[str]:
        r"""The keys on a level."""
        return [key for key, of_key in self.items() if of_key == level]


@lru_cache(maxsize=1024)
def level_by_name(key: str) -> Level | None:
    r"""The level that a key's name tells, if it does.

    :obj:`edge_...`, :obj:`bond_...` and :obj:`moved_...` are rows of these
    tables; :obj:`x`, :obj:`z`, :obj:`pos` and their like are atoms, as
    everywhere in PyG.
    """
    for relation in RELATIONS:
        if key.startswith(f'{relation}_'):
            return relation
    return _KNOWN.get(key)


@lru_cache(maxsize=256)
def _levels(text: str, keys: tuple[str, ...]) -> Levels:
    declared = parse(text)
    if 'moved_index' in declared and 'moved_index' not in keys:
        raise ValueError(
            "The pose set lacks ['moved_index'], by which rows of its poses "
            'are atoms of the receptor. Leave this key out of exclude_keys'
        )
    out: dict[str, Level] = {}
    for key in keys:
        if key in BOOKKEEPING or key.endswith(('_batch', '_ptr')):
            continue
        level = declared.get(key, level_by_name(key))
        if level is None:
            raise ValueError(
                f"The level of '{key}' is not declared. Set it by "
                f"pose_set.put('{key}', value, level=...) with one of "
                f'{list(get_args(Level))}'
            )
        out[key] = level
    return Levels(out)


@lru_cache(maxsize=256)
def parse(text: str) -> dict[str, Level]:
    r"""Reads a declaration as :meth:`Levels.__str__` writes it."""
    pairs = (item.rsplit(':', 1) for item in text.split())
    return {key: level for key, level in pairs}  # type: ignore[misc]


def num_rows(value: Any, key: str, level: str) -> int | None:
    r"""How many atoms, edges, poses, ... a value describes, if it tells.

    Args:
        value: The value of a key.
        key: The key.
        level: Its level.
    """
    if isinstance(value, Tensor):
        if value.dim() == 0:
            return 0
        return value.size(-1 if key == f'{level}_index' else 0)
    if level == 'set':
        return None
    if level == 'pose' and isinstance(value, list):
        # Strings; in a batch one list for each set.
        return sum(len(v) if isinstance(v, list) else 1 for v in value)
    raise ValueError(
        f"'{key}' (level '{level}') is a {type(value).__name__}, expected a "
        f'tensor{" or a list of strings" if level == "pose" else ""}'
    )


def without(text: str, key: str) -> str:
    r"""A declaration without one key."""
    return str(Levels({k: v for k, v in parse(text).items() if k != key}))


def _raise_mixed(
    first: str, other: str, set_name: Callable[[int], str], index: int
) -> None:
    has = [set(text.split()) for text in (first, other)]
    only = [
        f'only {name} has {", ".join(sorted(mine - theirs))}'
        for name, mine, theirs in (
            (set_name(0), has[0], has[1]),
            (set_name(index), has[1], has[0]),
        )
        if mine - theirs
    ]
    hint = ''
    if any('is_ligand' in which for which in only):
        hint = (
            '. Sets made by from_complex have is_ligand; to batch conformers '
            'with them, give the poses is_ligand too, all True, before '
            'from_poses'
        )
    elif any('moved_index' in which for which in only):
        hint = (
            '. A set of which no atom has moved has moved_index, too, if it '
            'is made by from_complex(..., moved=[None] * num_poses)'
        )
    raise ValueError(
        f'The sets of a batch need the same keys on the same levels, but '
        f"{' and '.join(only)}. (PyG's batching keeps only the keys of the "
        f'first set){hint}'
    )
