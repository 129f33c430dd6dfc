"""What the pose sets of a dataset hold, and how they become bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.data.levels import COUNTS, INDICES, Levels
from pyg_multipose.data.receptors import contents

#: The sizes that tell how many rows each table has.
SIZES = ('nodes', 'edges', 'bonds', 'moved')
_SIZE_OF = {
    'node': 'nodes',
    'edge': 'edges',
    'bond': 'bonds',
    'pose': 'poses',
    'set': 'sets',
}


class Row(NamedTuple):
    r"""A pose set as it is stored.

    Args:
        name: The name of the set.
        receptor_name: The name of its receptor, may be empty.
        poses: The number of poses.
        sizes: Rows of all tables of :obj:`SIZES`.
        receptor_sizes: How many of these are the receptor's.
        receptor: The bytes of the receptor's rows.
        tables: The bytes of all other rows.
        text: The strings, as JSON.
    """

    name: str
    receptor_name: str
    poses: int
    sizes: tuple[int, ...]
    receptor_sizes: tuple[int, ...]
    receptor: bytes | bytearray
    tables: bytes | bytearray
    text: str


@dataclass(frozen=True)
class Schema:
    r"""The keys that all sets of a dataset have.

    Args:
        levels: The declaration that sets carry along.
        tensors: Level, dtype and shape of a row of each key with tensors,
            widest numbers first, so that all are aligned.
        texts: The keys with strings.
        num_nodes: Whether sets tell their number of nodes by a key.
    """

    levels: str
    tensors: dict[str, tuple[str, torch.dtype, tuple[int, ...]]]
    texts: tuple[str, ...]
    num_nodes: bool

    @classmethod
    def of(cls, pose_set: PoseSet, levels: Levels) -> Schema:
        r"""The schema of a set.

        Args:
            pose_set: The set.
            levels: The levels of its keys.
        """
        tensors, texts = {}, []
        values = pose_set.stores[0]
        for key, level in sorted(levels.items()):
            value = values[key]
            if isinstance(value, Tensor):
                index = key == f'{level}_index'
                size = value.shape[:1] if index else value.shape[1:]
                tensors[key] = (level, value.dtype, tuple(size))
            elif _is_text(value):
                texts.append(key)
            else:
                raise ValueError(
                    f"Set '{pose_set.get('name', '')}': '{key}' is a "
                    f'{type(value).__name__}, expected a tensor, a string or '
                    f'a list of strings; nothing else is stored'
                )
        tensors['pose_size'] = ('pose', torch.long, ())
        wide = sorted(tensors, key=lambda key: -tensors[key][1].itemsize)
        return cls(
            values['levels'],
            {key: tensors[key] for key in wide},
            tuple(texts),
            'num_nodes' in values,
        )

    def to_json(self) -> str:
        r"""The schema as text."""
        tensors = {
            key: [level, str(dtype).removeprefix('torch.'), size]
            for key, (level, dtype, size) in self.tensors.items()
        }
        return json.dumps({**vars(self), 'tensors': tensors})

    @classmethod
    def from_json(cls, text: str) -> Schema:
        r"""Reads what :meth:`to_json` wrote.

        Args:
            text: The text.
        """
        values = json.loads(text)
        tensors = {
            key: (level, getattr(torch, dtype), tuple(size))
            for key, (level, dtype, size) in values.pop('tensors').items()
        }
        texts = tuple(values.pop('texts'))
        return cls(tensors=tensors, texts=texts, **values)

    def check(self, other: Schema, name: str) -> None:
        r"""Refuses a set with another schema: a batch could not hold both.

        Args:
            other: The schema of the set.
            name: Its name.
        """
        if self == other:
            return
        mine, theirs = (set(one._described()) for one in (self, other))
        differ = [
            f'{who} {sorted(which)}'
            for who, which in (
                ('only the set has', theirs - mine),
                ('only the dataset has', mine - theirs),
            )
            if which
        ]
        raise ValueError(
            f"Set '{name}' differs from the sets of the dataset in its keys: "
            f'{" and ".join(differ)}. All sets of a dataset need the same '
            f'keys, levels, dtypes and widths, as those of a batch do'
        )

    # Sets and rows ###########################################################

    def pack(self, pose_set: PoseSet, layout: Layout) -> Row:
        r"""Makes a row of a set that has this schema.

        Args:
            pose_set: The set.
            layout: Its layout.
        """
        values = dict(pose_set.stores[0].items())
        receptor = contents(layout, values, 0)
        rest = {}
        for key in self.tensors:
            value, dim = values[key], _dim(key)
            start = receptor[key].size(dim) if key in receptor else 0
            rest[key] = value.narrow(dim, start, value.size(dim) - start)
        return Row(
            name=values.get('name', ''),
            receptor_name=values.get('receptor_name', ''),
            poses=layout.num_poses,
            sizes=(layout.num_nodes, *_relations(values)),
            receptor_sizes=(
                int(layout.receptor_size[0]),
                *_relations(receptor),
            ),
            receptor=self._bytes(receptor),
            tables=self._bytes(rest),
            text=json.dumps([values[key] for key in self.texts]),
        )

    def unpack(self, row: Row) -> PoseSet:
        r"""Makes a set of a row; it shares no memory with others.

        Args:
            row: The row.

        Raises:
            ValueError: If the bytes are not as many as they have to be.
        """
        receptor = dict(zip(SIZES, row.receptor_sizes, strict=True))
        fixed = dict(self._tensors(row.receptor, receptor))
        out: dict[str, Any] = dict(self.tables(row))
        for key, value in out.items():
            if key in fixed:
                out[key] = torch.cat([fixed[key], value], dim=_dim(key))
            elif isinstance(row.tables, bytes):
                out[key] = value.clone()  # else these are the set's own
        out['set_size'] = torch.tensor([row.poses])
        out['receptor_size'] = torch.tensor([receptor['nodes']])
        for key, text in zip(self.texts, json.loads(row.text), strict=True):
            out[key] = text
        if self.num_nodes:
            out['num_nodes'] = row.sizes[0]
        out['levels'] = self.levels
        made = PoseSet()
        # At once: one by one takes longer than to read them.
        made.stores[0]._mapping.update(out)
        return made

    def tables(self, row: Row) -> dict[str, Tensor]:
        r"""The tables of a row that are not the receptor's.

        Args:
            row: The row.

        Raises:
            ValueError: If the bytes are not as many as they have to be.
        """
        sizes = zip(SIZES, row.sizes, row.receptor_sizes, strict=True)
        own = {key: size - fixed for key, size, fixed in sizes}
        own['poses'], own['sets'] = row.poses, 1
        return dict(self._tensors(row.tables, own))

    # Inside ##################################################################

    def _described(self) -> Iterator[str]:
        for key, (level, dtype, size) in self.tensors.items():
            if key not in COUNTS:
                yield f'{key} ({level}, {dtype}, {list(size)})'
        yield from (f'{key} (text)' for key in self.texts)
        if self.num_nodes:
            yield 'num_nodes'
        yield from (f'{text} (declared)' for text in self.levels.split())

    def _bytes(self, values: Mapping[str, Tensor]) -> bytes:
        parts = []
        for key in self.tensors:
            if key in values:
                flat = values[key].detach().cpu().contiguous().view(-1)
                parts.append(flat.view(torch.uint8).numpy().tobytes())
        return b''.join(parts)

    def _tensors(
        self, buffer: bytes | bytearray, rows: Mapping[str, int]
    ) -> Iterator[tuple[str, Tensor]]:
        """Views of a buffer, of those keys whose number of rows is known."""
        start = 0
        for key, (level, dtype, size) in self.tensors.items():
            count = rows.get(_SIZE_OF.get(level, level))
            if count is None:
                continue
            index = key == f'{level}_index'
            shape = (*size, count) if index else (count, *size)
            number = prod(shape)
            end = start + number * dtype.itemsize
            if end > len(buffer):
                break
            value = torch.empty(0, dtype=dtype)
            if number:
                value = torch.frombuffer(
                    buffer, dtype=dtype, count=number, offset=start
                )
            yield key, value.view(shape)
            start = end
        else:
            if start == len(buffer):
                return
        raise ValueError(f'{len(buffer)} bytes do not fit its sizes')


def check_set(pose_set: Any, index: int) -> PoseSet:
    r"""Refuses what cannot be stored as a set.

    Args:
        pose_set: What was given.
        index: Its place among those given, for messages.
    """
    if not isinstance(pose_set, PoseSet) or isinstance(pose_set, Batch):
        raise ValueError(
            f'Item {index} is a {type(pose_set).__name__}, expected a single '
            f'PoseSet'
        )
    if not pose_set.get('name'):
        raise ValueError(
            f'Item {index} has no name; a dataset on disk tells sets apart '
            f"by 'name' and 'receptor_name'"
        )
    return pose_set


def _relations(values: Mapping[str, Tensor]) -> tuple[int, ...]:
    return tuple(
        values[key].size(1) if key in values else 0 for key in INDICES
    )


def _dim(key: str) -> int:
    return 1 if key in INDICES else 0


def _is_text(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return isinstance(value, str)
