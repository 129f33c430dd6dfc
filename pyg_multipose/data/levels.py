"""Which level (node, edge, bond, pose, set) each key of a pose set is on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Literal, get_args

from torch_geometric.data import Data

Level = Literal['node', 'edge', 'bond', 'pose', 'set']

#: Levels with an index of their own, :obj:`edge_index` and :obj:`bond_index`.
RELATIONS = ('edge', 'bond')
#: The counts that say where everything lies.
COUNTS = ('receptor_size', 'pose_size', 'set_size')
#: Keys that are not data: counts, this declaration, and PyG's batching.
BOOKKEEPING = (*COUNTS, 'levels', 'batch', 'ptr', 'num_nodes')
#: Keys whose level everybody knows; all others are declared.
_KNOWN: dict[str, Level] = {
    'x': 'node',
    'z': 'node',
    'pos': 'node',
    'feat': 'node',
    'node_type': 'node',
    'is_ligand': 'node',
    'y': 'set',
    'name': 'set',
    'receptor_name': 'set',
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
        text = data['levels']
        if not isinstance(text, str):
            for index, other in enumerate(text):
                if other != text[0]:
                    _raise_mixed(text[0], other, set_name, index)
            text = text[0]
        declared = parse(text)
        out: dict[str, Level] = {}
        for key in data.stores[0].keys():
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
        return cls(out)

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


def level_by_name(key: str) -> Level | None:
    r"""The level that a key's name tells, if it does.

    :obj:`edge_...` and :obj:`bond_...` are rows of these tables; :obj:`x`,
    :obj:`z`, :obj:`pos` and their like are atoms, as everywhere in PyG.
    """
    for relation in RELATIONS:
        if key.startswith(f'{relation}_'):
            return relation  # type: ignore[return-value]
    return _KNOWN.get(key)


@lru_cache(maxsize=256)
def parse(text: str) -> dict[str, Level]:
    r"""Reads a declaration as :meth:`Levels.__str__` writes it."""
    pairs = (item.rsplit(':', 1) for item in text.split())
    return {key: level for key, level in pairs}  # type: ignore[misc]


def _raise_mixed(
    first: str, other: str, set_name: Callable[[int], str], index: int
) -> None:
    differ = sorted(parse(first).items() ^ parse(other).items())
    raise ValueError(
        f'{set_name(0)} and {set_name(index)} of the batch differ in '
        f'{sorted({key for key, _ in differ})}: the sets of a batch need the '
        f"same keys on the same levels (PyG's batching keeps only the keys "
        f'of the first)'
    )
