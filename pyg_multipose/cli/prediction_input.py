r"""The sets that `predict` predicts: of a data set, or of files."""

from __future__ import annotations

import json
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from pyg_multipose import __version__
from pyg_multipose.campaign import (
    atomic_file,
    atomic_path,
    checksum,
    ranges_of,
)
from pyg_multipose.cli.data_set import (
    DataSet,
    is_data_set,
    open_data,
    receptor_of,
)
from pyg_multipose.data import PoseSet
from pyg_multipose.loader import set_sizes

#: The most sets of which a page is made: of a data set, and of files.
PAGES = 20_000, 2_000
#: The index of poses in files, and what a shard of them says.
INDEX, SAID = 'index.sqlite', 'said-{:06d}.json'
#: Bytes of a record, about; and the least and the most records of a shard.
_RECORD, _LEAST, _MOST, _SHARDS = 2048, 256, 16_384, 1024


class PredictionInput(ABC):
    r"""Sets in shards; copies that are sent to a process load for it anew."""

    def __getstate__(self) -> dict[str, Any]:
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]
        return {name: self.__dict__[name] for name in names}

    @property
    @abstractmethod
    def name(self) -> str:
        r"""What messages call it."""

    @property
    @abstractmethod
    def count(self) -> int:
        r"""How many shards there are."""

    @abstractmethod
    def fingerprint(self) -> dict[str, Any]:
        r"""What tells it from another one."""

    @abstractmethod
    def sets(self, shard: int) -> Iterator[PoseSet]:
        r"""The sets of a shard, in their order.

        Args:
            shard: Its number.
        """

    @abstractmethod
    def page_data(self, number: int) -> DataSet | None:
        r"""What a page is made of, unless there are too many sets.

        Args:
            number: How many sets there are.
        """

    def begin(self, folder: Path) -> None:
        r"""Looks through what is to be read.

        Args:
            folder: Where notes may be kept.
        """
        del folder  # a data set needs none

    def say(self, shard: int, folder: Path) -> list[str]:
        r"""Writes what is to be said of the reading of a shard.

        Args:
            shard: The shard that was read last.
            folder: Where to.

        Returns:
            The names of files.
        """
        return []

    def left_out(self, folder: Path) -> str:
        r"""What was left out in reading.

        Args:
            folder: Where :meth:`say` has written to.
        """
        return ''

    @cached_property
    def first(self) -> PoseSet | None:
        r"""The first set, if there is one."""
        for shard in range(self.count):
            for one in self.sets(shard):
                return one
        return None


@dataclass
class DataSetInput(PredictionInput):
    r"""The sets of a data set.

    Args:
        path: Where it is.
        size: The poses of a shard. (default: :obj:`None`, as they are many)
    """

    path: str
    size: int | None = None

    @property
    def name(self) -> str:
        r"""Where it is."""
        return self.path

    @cached_property
    def data(self) -> DataSet:
        r"""The data set."""
        return open_data(self.path)

    @cached_property
    def ranges(self) -> np.ndarray[Any, Any]:
        r"""The first and the last set (excluded) of each shard."""
        poses = set_sizes(self.data.sets)[:, 2].numpy()
        return ranges_of(poses, self.size)

    @property
    def count(self) -> int:
        r"""How many shards there are."""
        return len(self.ranges)

    def fingerprint(self) -> dict[str, Any]:
        r"""What tells it from another one."""
        sets: Any = self.data.sets
        known = getattr(sets, 'fingerprint', None)
        content = known() if known else f'{self.path} of {__version__}'
        return {'sets': len(sets), 'content': content}

    def sets(self, shard: int) -> Iterator[PoseSet]:
        r"""The sets of a shard, in their order.

        Args:
            shard: Its number.

        Yields:
            One after the other.
        """
        for number in range(*self.ranges[shard].tolist()):
            yield self.data.sets[number]

    @cached_property
    def first(self) -> PoseSet | None:
        r"""The first set."""
        return self.data.sets[0]

    def page_data(self, number: int) -> DataSet | None:
        r"""The data set, unless it is large.

        Args:
            number: How many sets there are.
        """
        return self.data if number <= PAGES[0] else None


@dataclass
class FilesInput(PredictionInput):
    r"""Poses in files, read in parts.

    Args:
        paths: Files or folders of poses.
        receptor: A structure, or a data set whose receptor is taken.
        group_by: As of :func:`~pyg_multipose.io.read_poses`.
        pattern: As above.
        template: As above.
        hydrogens: As above.
        size: The poses of a shard.
        index_file: Where the records are listed, once they have been looked
            through.
    """

    paths: list[str]
    receptor: str | None = None
    group_by: str | None = None
    pattern: str | None = None
    template: str | None = None
    hydrogens: bool = False
    size: int | None = None
    index_file: Path | None = None

    @property
    def name(self) -> str:
        r"""Where they are."""
        return ', '.join(self.paths)

    @cached_property
    def reading(self) -> Any:
        r"""How they are read."""
        from pyg_multipose.io import read_receptor
        from pyg_multipose.io.poses.reading import Reading

        receptor = name = None
        if self.receptor is not None and is_data_set(self.receptor):
            receptor, name = receptor_of(open_data(self.receptor))
        elif self.receptor is not None:
            receptor = read_receptor(self.receptor, hydrogens=self.hydrogens)
        return Reading(
            group_by=self.group_by,
            pattern=self.pattern,
            template=self.template,
            receptor=receptor,
            receptor_name=name,
            hydrogens=self.hydrogens,
        )

    @cached_property
    def index(self) -> Any:
        r"""Which records make which sets."""
        from pyg_multipose.io.poses.index import Index

        assert self.index_file is not None
        return Index(self.index_file, self.reading.formats)

    @cached_property
    def streams(self) -> Any:
        r"""The files, where they were left."""
        from pyg_multipose.io.poses.streams import Streams

        return Streams(self.index)

    @property
    def count(self) -> int:
        r"""How many shards there are."""
        return len(self.index.shards)

    @cached_property
    def _found(self) -> tuple[Any, Any]:
        """The files, and what was noted in finding them."""
        from pyg_multipose.io.tally import Tally

        report = Tally()
        return self.reading.sources(self.paths, report), report

    def fingerprint(self) -> dict[str, Any]:
        r"""What tells them from others: options, names and sizes."""
        files = blake2b(digest_size=8)
        total = 0
        for source in self._found[0]:
            stat = source.path.stat()
            total += stat.st_size
            values = (source.file, stat.st_size, stat.st_mtime_ns)
            files.update(repr(values).encode())
        out = asdict(self)
        del out['index_file'], out['size']
        for key in ('receptor', 'template'):
            path = out[key]
            if path is not None and Path(path).is_file():
                out[key] = {'file': path, 'blake2b': checksum(path)}
            elif path is not None:
                out[key] = {'data': DataSetInput(path).fingerprint()}
        return {
            **out,
            'files': len(self._found[0]),
            'bytes': total,
            'names, sizes and times': files.hexdigest(),
        }

    def begin(self, folder: Path) -> None:
        r"""Looks through the files, unless that was done already.

        Args:
            folder: Where the index of their records is kept.
        """
        path = folder / INDEX
        note = path.with_suffix('.json')
        self.index_file = path
        if path.is_file() and note.is_file():
            if json.loads(note.read_text('utf-8')) == checksum(path):
                return
        sources, report = self._found
        total = sum(source.path.stat().st_size for source in sources)
        size = self.size
        if size is None:
            size = min(max(total // _RECORD // _SHARDS, _LEAST), _MOST)
        with atomic_path(path) as part:
            self.reading.index(sources, report, part, size)
        with atomic_file(note, 'w', encoding='utf-8') as file:
            json.dump(checksum(path), file)

    def sets(self, shard: int) -> Iterator[PoseSet]:
        r"""The sets of a shard, in their order.

        Args:
            shard: Its number.

        Yields:
            One after the other.
        """
        part = self.reading.part(self.index, self.streams, shard)
        gone = sorted(set(part.names) - set(part.poses.names))
        self._said = shard, {'values': part.values, 'gone': gone}
        for number in range(len(part.poses)):
            yield part.poses[number]

    def say(self, shard: int, folder: Path) -> list[str]:
        r"""Writes what is to be said of the reading of a shard.

        Args:
            shard: The shard that was read last.
            folder: Where to.
        """
        number, said = self._said
        assert number == shard
        name = SAID.format(shard)
        with atomic_file(folder / name, 'w', encoding='utf-8') as file:
            json.dump(said, file)
        return [name]

    def left_out(self, folder: Path) -> str:
        r"""What was left out in reading; what is to be warned of is so.

        Args:
            folder: Where :meth:`say` has written to.
        """
        whole = self.reading.whole(self.index)
        for shard in range(self.count):
            file = folder / SAID.format(shard)
            said = json.loads(file.read_text('utf-8'))
            whole.add(said['values'], said['gone'])
        for text in whole.close():
            warnings.warn(text, stacklevel=2)
        return f'Poses: {whole.report}'

    def page_data(self, number: int) -> DataSet | None:
        r"""The sets, read again one shard at a time, unless they are many.

        Args:
            number: How many sets there are.
        """
        if number > PAGES[1]:
            return None
        every = [one for n in range(self.count) for one in self.sets(n)]
        return DataSet(self.name, every, [one.name for one in every])


def input_of(
    data: str | Sequence[str], hydrogens: bool, **options: Any
) -> PredictionInput:
    r"""What is to be predicted.

    Args:
        data: A data set, or files or folders of poses.
        hydrogens: Whether hydrogens of files are atoms.
        options: Those of :class:`FilesInput`.

    Raises:
        ValueError: If options do not fit.
        FileNotFoundError: If a file is missing.
    """
    paths = [data] if isinstance(data, str) else list(data)
    if len(paths) == 1 and is_data_set(paths[0]):
        if options.get('receptor') is not None:
            raise ValueError(
                f"--receptor is for poses; '{paths[0]}' is a data set and has "
                f'its own'
            )
        return DataSetInput(_absolute(paths[0]), options.get('size'))
    for name in ('receptor', 'template'):
        if options.get(name) is not None:
            options[name] = _absolute(options[name])
    paths = [_absolute(path) for path in paths]
    return FilesInput(paths, hydrogens=hydrogens, **options)


def _absolute(path: str) -> str:
    """The same for processes that work in another folder."""
    return os.path.abspath(path) if os.path.exists(path) else path
