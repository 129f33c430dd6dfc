r"""A campaign that is being prepared: its shards, and what they say."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from pyg_multipose import __version__
from pyg_multipose.campaign import (
    Manifest,
    atomic_file,
    atomic_path,
    checksum,
    remove_leftovers,
)
from pyg_multipose.campaign.manifest import RUN, differences
from pyg_multipose.cli.joining import Joining
from pyg_multipose.cli.packing import cut_rows, packed_rows
from pyg_multipose.datasets.pose_set_database import PoseSetDatabase
from pyg_multipose.datasets.pose_set_schema import Row, Schema
from pyg_multipose.datasets.pose_set_shards import SHARDS, shard_file

#: What is in the folder of shards: the index, and what a shard says.
INDEX, PART = 'index.sqlite', '{:06d}.json'
#: Where shards with all of the receptor are, until the pocket is known.
WHOLE = 'whole'
#: Options that decide nothing of the result.
_FREE = ('config', 'out', 'dry_run', 'shard', 'processes', 'scheduler')


@dataclass
class Preparation:
    r"""Prepares the shards of a campaign; can be pickled.

    Args:
        options: Those of the command, as plain data.
        folder: Where everything goes.
        writes: Whether sets are written; else they are only looked at.
        run: What decides the result, once it is known.
    """

    options: dict[str, Any]
    folder: Path
    writes: bool = True
    run: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def receptor(self) -> Any:
        r"""The receptor, if there is one."""
        if not self.options['receptor']:
            return None
        from pyg_multipose.io import read_receptor

        return read_receptor(
            self.options['receptor'], hydrogens=self.options['hydrogens']
        )

    @property
    def receptor_name(self) -> str | None:
        r"""What it is called."""
        path = self.options['receptor']
        name = path and Path(path).name.partition('.')[0]
        return self.options['receptor_name'] or name or None

    @cached_property
    def joining(self) -> Joining:
        r"""The labels, and how sets get them."""
        return Joining(self.options, self.receptor_name)

    @cached_property
    def reading(self) -> Any:
        r"""How poses are read."""
        from pyg_multipose.io.poses.reading import Reading

        return Reading(
            group_by=self.options['group_by'],
            pattern=self.options['pattern'],
            template=self.options['template'],
            receptor=self.receptor,
            receptor_name=self.receptor_name,
            hydrogens=self.options['hydrogens'],
        )

    @cached_property
    def index(self) -> Any:
        r"""Which records make which sets."""
        from pyg_multipose.io.poses.index import Index

        return Index(self.shards / INDEX, self.reading.formats)

    @cached_property
    def streams(self) -> Any:
        r"""The files, where they were left."""
        from pyg_multipose.io.poses.streams import Streams

        return Streams(self.index)

    @cached_property
    def manifest(self) -> Manifest:
        r"""Which shards are done."""
        return Manifest(self.shards, self.run)

    @cached_property
    def first(self) -> Manifest:
        r"""Which shards were read; with a pocket, they have to be cut."""
        if self.options['pocket'] is None:
            return self.manifest
        return Manifest(self.shards / WHOLE, self.run)

    @property
    def count(self) -> int:
        r"""How many shards there are."""
        return len(self.index.shards)

    def __post_init__(self) -> None:
        #: The folder of shards.
        self.shards = self.folder / SHARDS

    def __getstate__(self) -> dict[str, Any]:
        names = ('options', 'folder', 'writes', 'run', 'shards')
        return {name: self.__dict__[name] for name in names}

    # Beginning ###############################################################

    def begin(self) -> None:
        r"""Looks through the poses, unless that was done already.

        Raises:
            ValueError: If the folder is of another run.
            OSError: If a file is missing, or the place cannot be written to.
        """
        from pyg_multipose.io.tally import Tally

        # What is wrong with labels is said before anything is done.
        assert self.joining is not None
        report = Tally()
        sources = self.reading.sources(self.options['poses'], report)
        self.run = self._described(sources)
        self._check_run()
        _LOADED.clear()
        self.manifest.begin()
        if self.first is not self.manifest:
            self.first.begin()
        one = self.folder / 'processed'
        for folder in (self.folder, self.shards, self.first.folder, one):
            remove_leftovers(folder)
        path = self.shards / INDEX
        note = path.with_suffix('.json')
        if note.is_file() and path.is_file():
            known = json.loads(note.read_text('utf-8'))
            if known == checksum(path):
                return
            warnings.warn(
                f"'{path}' was damaged; it is made again", stacklevel=2
            )
        with atomic_path(path) as part:
            self.reading.index(
                sources, report, part, self.options['shard_size']
            )
        with atomic_file(note, 'w', encoding='utf-8') as file:
            json.dump(checksum(path), file)

    def _described(self, sources: Sequence[Any]) -> dict[str, Any]:
        files = blake2b(digest_size=8)
        total = 0
        for source in sources:
            stat = source.path.stat()
            total += stat.st_size
            values = (source.file, stat.st_size, stat.st_mtime_ns)
            files.update(repr(values).encode())
        out = {k: v for k, v in self.options.items() if k not in _FREE}
        for key in ('receptor', 'labels', 'template'):
            if out[key] is not None:
                out[key] = {'file': out[key], 'blake2b': checksum(out[key])}
        out['poses'] = {
            'paths': self.options['poses'],
            'files': len(sources),
            'bytes': total,
            'names, sizes and times': files.hexdigest(),
        }
        return {'package': __version__, **out}

    def _check_run(self) -> None:
        """Refuses another run, unless none of its shards was done."""
        file = self.shards / RUN
        if not file.is_file():
            return
        found = json.loads(file.read_text('utf-8')).get('run')
        if found == self.run:
            return
        for folder in (self.shards, self.shards / WHOLE):
            if any(folder.glob('shard-*.json')):
                differ = '; '.join(differences(found, self.run))
                raise FileExistsError(
                    f"'{self.folder}' holds files of another run: {differ}. "
                    f'Choose another --out, or delete it'
                )
        shutil.rmtree(self.shards)

    def missing(self, shards: Sequence[int]) -> list[int]:
        r"""Those of some shards that are not read.

        Args:
            shards: Their numbers.
        """
        left = self.manifest.missing(shards)
        return (
            left if self.first is self.manifest else self.first.missing(left)
        )

    def __call__(self, shard: int) -> dict[str, int]:
        r"""Reads a shard.

        Args:
            shard: Its number.

        Returns:
            How many sets it has.
        """
        return _loaded(self)._named_errors(shard, Preparation._read)

    def cut(self, shard: int) -> dict[str, int]:
        r"""Cuts the receptor of a shard that was read to the pocket.

        Args:
            shard: Its number.

        Returns:
            How many sets it has.
        """
        return _loaded(self)._named_errors(shard, Preparation._cut)

    def _named_errors(
        self, shard: int, work: Callable[[Preparation, int], Any]
    ) -> Any:
        try:
            return work(self, shard)
        except (OSError, ValueError, sqlite3.Error) as error:
            if isinstance(error, sqlite3.Error):
                error = OSError(str(error))
            if self.count == 1:
                raise error
            kind = OSError if isinstance(error, OSError) else ValueError
            raise kind(
                f'Shard {shard} of {self.count}: {error}. What was done '
                f'before is kept; the same command goes on there'
            ) from error

    def _read(self, shard: int) -> dict[str, int]:
        with warnings.catch_warnings():
            # What is to be warned of is so at the end, of all shards.
            warnings.simplefilter('ignore')
            part = self.reading.part(self.index, self.streams, shard)
            kept = self.joining.values(part.poses)
        rows: list[list[Any]] = []
        near = None
        if self.options['pocket'] is not None:
            near = torch.zeros(len(self.receptor['z']), dtype=torch.bool)
        packed = packed_rows(
            part.poses, kept, rows, self.receptor, self.options['pocket'], near
        )
        self._write(self.first, shard, packed, len(kept))
        values = {
            **part.values,
            'names': part.poses.names,
            'gone': sorted(set(part.names) - set(part.poses.names)),
            'rows': rows,
            'near': None if near is None else near.nonzero().view(-1).tolist(),
        }
        name = PART.format(shard)
        with atomic_file(self.shards / name, 'w', encoding='utf-8') as file:
            json.dump(values, file)
        counts = {'sets': len(rows), 'poses': sum(row[3] for row in rows)}
        self._record(self.first, shard, counts)
        return counts

    def _cut(self, shard: int) -> dict[str, int]:
        if self.manifest.fault(shard) is None:  # by another process
            return self.manifest.counts(shard)
        db = PoseSetDatabase(str(self._file(self.first, shard)))
        counts = self.first.counts(shard)
        cut = cut_rows(db, self.pocket)
        self._write(self.manifest, shard, cut, counts['sets'])
        db.close()
        self._record(self.manifest, shard, counts)
        self.forget(shard)
        return counts

    def forget(self, shard: int) -> None:
        r"""Removes the file of a shard with all of the receptor, if any.

        Args:
            shard: Its number.
        """
        if self.first is not self.manifest:
            self._file(self.first, shard).unlink(missing_ok=True)

    @cached_property
    def pocket(self) -> Any:
        r"""The atoms of the receptor in residues near any pose."""
        near = torch.zeros(len(self.receptor['z']), dtype=torch.bool)
        for shard in range(self.count):
            near[self.values(shard)['near']] = True
        if not near.any():
            raise ValueError(
                f'No atom of the receptor is within {self.options["pocket"]} '
                f'Angstrom of any pose. Are ligands and receptor in one frame?'
            )
        residue = self.receptor['residue']
        return torch.isin(residue, residue[near].unique())

    def _file(self, manifest: Manifest, shard: int) -> Path:
        if manifest is self.manifest:
            return shard_file(self.folder, shard, self.count)
        return manifest.folder / f'{shard:06d}.sqlite'

    def _write(
        self,
        manifest: Manifest,
        shard: int,
        rows: Iterator[tuple[Row, Schema]],
        count: int,
    ) -> None:
        if not count or not self.writes:
            for _ in rows:
                pass
            return
        path = self._file(manifest, shard)
        path.parent.mkdir(exist_ok=True)
        try:
            with atomic_path(path) as part:
                db = PoseSetDatabase(str(part))
                # What is not finished is thrown away.
                db.connection.execute('PRAGMA journal_mode = OFF')
                db.connection.execute('PRAGMA synchronous = OFF')
                try:
                    while batch := list(islice(rows, 1000)):
                        db.add([row for row, _ in batch], batch[0][1])
                finally:
                    db.close()
        except sqlite3.Error as error:
            raise OSError(
                f"'{path}' cannot be written: {error}. Make room, or choose "
                f'another place'
            ) from error

    def _record(
        self, manifest: Manifest, shard: int, counts: dict[str, int]
    ) -> None:
        files = [self.shards / PART.format(shard)]
        if self.writes and counts['sets']:
            files.append(self._file(manifest, shard))
        names = [os.path.relpath(file, manifest.folder) for file in files]
        manifest.record(shard, names, counts)

    def values(self, shard: int) -> dict[str, Any]:
        r"""What a shard that was read says.

        Args:
            shard: Its number.
        """
        path = self.shards / PART.format(shard)
        return json.loads(path.read_text('utf-8'))

    # The end #################################################################

    def names(self) -> Iterator[str]:
        r"""The ids of all sets that were read, also of those left out."""
        for shard in range(self.count):
            yield from self.values(shard)['names']

    def is_read(self) -> bool:
        r"""Whether all shards have been read."""
        done = (one.is_done(self.count) for one in (self.first, self.manifest))
        return any(done)


#: The one that a process works at, with all that it has loaded.
_LOADED: dict[str, Preparation] = {}


def _loaded(preparation: Preparation) -> Preparation:
    """A copy that was sent to a process has loaded nothing yet."""
    key = preparation.manifest.digest + str(preparation.folder)
    if key not in _LOADED:
        _LOADED.clear()
        _LOADED[key] = preparation
    return _LOADED[key]
