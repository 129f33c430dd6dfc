"""A dataset of pose sets in several files."""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor
from torch_geometric.data import Dataset

from pyg_multipose.campaign import atomic_file
from pyg_multipose.data import PoseSet
from pyg_multipose.datasets.pose_set_database import PoseSetDatabase

#: The folder of shards, and which of them make the dataset.
SHARDS, LIST = 'shards', 'shards.json'
#: The form of the list.
VERSION = 1
#: Files that are open at once.
_OPEN = 32


def shard_file(root: str | os.PathLike[str], shard: int, count: int) -> Path:
    r"""The file of a shard; one alone is that of a dataset of one file.

    Args:
        root: The folder of the dataset.
        shard: The number of the shard.
        count: How many there are.
    """
    if count == 1:
        return Path(root, 'processed', 'sqlite.db')
    return Path(root, SHARDS, f'{shard:06d}.sqlite')


class PoseSetShards(Dataset):
    r"""The pose sets in several files as one sequence.

    It is what :obj:`multipose prepare` writes of a large input; each file is
    as that of a :class:`~pyg_multipose.datasets.PoseSetDataset`, and
    :obj:`root/shards.json` lists them.
    Sets are read one by one, and no more than a few files are open, so that
    any number of sets takes the same memory; it works with a loader, several
    workers, slices, and :class:`~pyg_multipose.loader.PoseSetSampler`, which
    gets the sizes from tables, without loading a set.

    Args:
        root: The folder of the dataset.
        transform: A function that takes a
            :class:`~pyg_multipose.data.PoseSet` and returns another; applied
            at every access. (default: :obj:`None`)

    Raises:
        FileNotFoundError: If there is no such dataset, or a file is gone.
        ValueError: If a file has another size than it had when the dataset
            was finished, or is from a newer version.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyg_multipose.datasets import (
        ...     MproMoonshot,
        ...     PoseSetDataset,
        ...     PoseSetShards,
        ... )
        >>> sets = MproMoonshot('test')[:3]
        >>> with tempfile.TemporaryDirectory() as root:
        ...     for name, part in [('a', sets[:2]), ('b', sets[2:])]:
        ...         _ = PoseSetDataset(Path(root, name)).extend(part)
        ...     files = ['a/processed/sqlite.db', 'b/processed/sqlite.db']
        ...     PoseSetShards.write_list(root, files)
        ...     dataset = PoseSetShards(root)
        ...     len(dataset), list(dataset.names) == sets.names
        ...     dataset.set_sizes()  # nodes, edges, poses
        ...     len(set(dataset.digests())), len(dataset.fingerprint())
        ...     dataset.receptor_names()
        (3, True)
        tensor([[743,   0,   8],
                [694,   0,   9],
                [766,   0,   9]])
        (3, 32)
        {...}
    """

    #: Whether a set is the same whenever it is read, but for a transform.
    constant_sets = True

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[PoseSet], Any] | None = None,
    ) -> None:
        super().__init__(transform=transform)
        self._folder = Path(root)
        file = self._folder / LIST
        if not file.is_file():
            raise FileNotFoundError(
                f"'{root}' holds no dataset in shards: there is no '{LIST}'"
            )
        try:
            values = json.loads(file.read_text(encoding='utf-8'))
            if values['version'] != VERSION:
                raise ValueError(
                    f'it has version {values["version"]}, but this release '
                    f'reads {VERSION}'
                )
            self._files = [
                self._folder / one['file'] for one in values['shards']
            ]
            counts = [int(one['sets']) for one in values['shards']]
            sizes = [int(one['bytes']) for one in values['shards']]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"'{file}' cannot be read: {error}") from error
        for path, size in zip(self._files, sizes, strict=True):
            _check_file(path, size)
        self._ends = list(accumulate(counts))
        self._dbs: OrderedDict[int, PoseSetDatabase] = OrderedDict()

    @staticmethod
    def write_list(
        root: str | os.PathLike[str], files: Sequence[str | os.PathLike[str]]
    ) -> None:
        r"""Makes a dataset of the files of several.

        Args:
            root: The folder of the dataset.
            files: The files, from there, in the order of their sets. All
                hold sets with the same keys, and different ones.

        Raises:
            ValueError: If a file is none of pose sets, or has other keys.
        """
        shards = []
        first = None
        for name in files:
            path = Path(root, name)
            db = PoseSetDatabase(str(path))
            schema = db.sets
            if schema is None:
                raise ValueError(f"'{path}' holds no pose sets")
            first = first or schema
            first.check(schema, f'all of {name}')
            count = len(db)
            db.close()
            shards.append(
                {
                    'file': Path(name).as_posix(),
                    'sets': count,
                    'bytes': path.stat().st_size,
                }
            )
        values = {'version': VERSION, 'shards': shards}
        with atomic_file(Path(root, LIST), 'w', encoding='utf-8') as file:
            json.dump(values, file, indent=1)

    def len(self) -> int:
        r"""The number of sets."""
        return self._ends[-1] if self._ends else 0

    def get(self, idx: int) -> PoseSet:
        r"""A set, without the transform.

        Args:
            idx: Its number.
        """
        idx = int(idx)
        shard = bisect_right(self._ends, idx)
        if idx < 0 or shard == len(self._ends):
            raise IndexError(f'There is no set {idx}, there are {self.len()}')
        db = self._db(shard)
        row = db.get(idx - (self._ends[shard - 1] if shard else 0))
        schema = db.sets
        assert schema is not None
        return schema.unpack(row)

    def __getitems__(self, indices: list[int]) -> list[Any]:
        return [self[index] for index in indices]

    @property
    def names(self) -> Sequence[str]:
        r"""The name of each set, aligned with the items, read as needed."""
        if self._indices is None:
            return _Names(self)
        names = _Names(self)
        return [names[index] for index in self.indices()]

    def set_sizes(self) -> Tensor:
        r"""Nodes, edges and poses of each set as it is stored.

        Returns:
            A tensor of shape :obj:`[num_sets, 3]`.
        """
        parts = [self._db(number).sizes() for number in range(len(self._ends))]
        sizes = torch.cat(parts) if parts else torch.empty(0, 3).long()
        if self._indices is None:
            return sizes
        return sizes[torch.tensor(self.indices(), dtype=torch.long)]

    def digests(self) -> list[bytes]:
        r"""The checksum of each set, with that of its receptor."""
        parts = [
            self._db(number).digests() for number in range(len(self._ends))
        ]
        found = [digest for part in parts for digest in part]
        if self._indices is None:
            return found
        return [found[index] for index in self.indices()]

    def fingerprint(self) -> str:
        r"""A checksum of all sets of the files, and of their order."""
        out = blake2b(digest_size=16)
        for number in range(len(self._ends)):
            out.update(self._db(number).fingerprint().encode())
        return out.hexdigest()

    @property
    def num_shards(self) -> int:
        r"""The number of files."""
        return len(self._files)

    def receptor_names(self) -> set[str]:
        r"""The names of receptors that sets have."""
        return {
            name
            for number in range(len(self._ends))
            for name in self._db(number).receptor_names()
        }

    def _db(self, number: int) -> PoseSetDatabase:
        if number in self._dbs:
            self._dbs.move_to_end(number)
            return self._dbs[number]
        db = PoseSetDatabase(str(self._files[number]))
        self._dbs[number] = db
        if len(self._dbs) > _OPEN:
            self._dbs.popitem(last=False)[1].close()
        return db


class _Names(Sequence[str]):
    """Names of sets, of one file at a time."""

    def __init__(self, sets: PoseSetShards) -> None:
        self._sets = sets
        self._held: tuple[int, list[str]] = (-1, [])

    def __len__(self) -> int:
        return self._sets.len()

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        index = index + len(self) if index < 0 else index
        if not 0 <= index < len(self):
            raise IndexError(f'There is no set {index}, there are {len(self)}')
        ends = self._sets._ends
        shard = bisect_right(ends, index)
        if self._held[0] != shard:
            self._held = shard, self._sets._db(shard).names()
        return self._held[1][index - (ends[shard - 1] if shard else 0)]

    def __iter__(self) -> Iterator[str]:
        for shard in range(len(self._sets._ends)):
            yield from self._sets._db(shard).names()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def _check_file(path: Path, size: int) -> None:
    if not path.is_file():
        raise FileNotFoundError(
            f"'{path}' is gone, a shard of its dataset; restore it, or "
            f'prepare the dataset anew'
        )
    if path.stat().st_size != size:
        raise ValueError(
            f"'{path}' has {path.stat().st_size} bytes instead of {size}: it "
            f'was cut off or changed. Restore it, or prepare the dataset anew'
        )
