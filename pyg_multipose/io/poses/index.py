"""Which records of which files make which sets, on disk."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pyg_multipose.io.ligand.format import Format
from pyg_multipose.io.poses.advice import likeness
from pyg_multipose.io.poses.facts import Facts, FileFacts
from pyg_multipose.io.source.diffdock import parse_name
from pyg_multipose.io.source.sources import Source

#: The form of the file.
VERSION = 1
_TABLES = (
    'CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)',
    'CREATE TABLE files (id INTEGER PRIMARY KEY, path TEXT NOT NULL, file '
    'TEXT NOT NULL, format TEXT NOT NULL, folder TEXT NOT NULL, is_copy '
    'INTEGER NOT NULL, has_output INTEGER NOT NULL, seen INTEGER NOT NULL, '
    'named INTEGER NOT NULL, scored INTEGER NOT NULL, first TEXT, like_first '
    'INTEGER NOT NULL)',
    # Records in a row of one id.
    'CREATE TABLE runs (id INTEGER PRIMARY KEY, name TEXT NOT NULL, file '
    'INTEGER NOT NULL, record INTEGER NOT NULL, count INTEGER NOT NULL, '
    'place INTEGER)',
    'CREATE TABLE sets (id INTEGER PRIMARY KEY, name TEXT NOT NULL)',
    'CREATE TABLE shards (id INTEGER PRIMARY KEY, first INTEGER NOT NULL, '
    'count INTEGER NOT NULL, records INTEGER NOT NULL)',
    'CREATE TABLE alike (id INTEGER PRIMARY KEY, name TEXT NOT NULL, likeness '
    'TEXT NOT NULL)',
)
#: Kilobytes of a file that are held in memory.
_CACHE = 16_384


class Run(NamedTuple):
    r"""Records in a row of one id.

    Args:
        name: The id.
        file: The number of their file.
        record: The number of the first one.
        length: How many there are.
        place: The byte where the first one begins, if that is of use.
    """

    name: str
    file: int
    record: int
    length: int
    place: int | None


@dataclass
class IndexWriter:
    r"""Notes records in their order, and cuts them into shards at the end.

    Args:
        path: The file to write, which is not there yet.
    """

    path: Path

    def __post_init__(self) -> None:
        self._connection = sqlite3.connect(self.path, isolation_level=None)
        # What is not finished is thrown away.
        self._connection.execute('PRAGMA journal_mode = OFF')
        self._connection.execute('PRAGMA synchronous = OFF')
        self._connection.execute(f'PRAGMA cache_size = -{_CACHE}')
        self._connection.execute('BEGIN')
        for table in _TABLES:
            self._connection.execute(table)
        self._run: Run | None = None

    def add_record(
        self, name: str, file: int, record: int, place: int | None
    ) -> None:
        r"""Notes a record.

        Args:
            name: Its id.
            file: The number of its file.
            record: Its number.
            place: The byte where it begins, if that is known.
        """
        run = self._run
        if run is not None and run[:2] == (name, file):
            if record == run.record + run.length:
                self._run = run._replace(length=run.length + 1)
                return
        self._end_run()
        self._run = Run(name, file, record, 1, place)

    def add_file(self, source: Source, facts: FileFacts) -> None:
        r"""Notes a file, all of whose records have been noted.

        Args:
            source: The file.
            facts: What its records say of each other.
        """
        self._end_run()
        values = (
            source.number,
            os.path.abspath(source.path),
            source.file,
            source.format.name,
            source.folder,
            source.is_copy,
            source.has_output,
            *astuple(facts),
        )
        marks = ', '.join('?' * len(values))
        self._connection.execute(f'INSERT INTO files VALUES ({marks})', values)

    def close(
        self, size: int, facts: Facts, report: Mapping[str, Any]
    ) -> None:
        r"""Cuts the sets into shards, in the order of their first records.

        Args:
            size: How many records a shard has at most, unless one set has
                more.
            facts: What all records say together.
            report: What was left out so far, as a part of a tally.
        """
        self._end_run()
        execute = self._connection.execute
        execute('CREATE INDEX runs_of_a_name ON runs (name)')
        rows = execute(
            'SELECT name, SUM(count) FROM runs GROUP BY name ORDER BY MIN(id)'
        )
        shard, first, number, records = 0, 0, 0, 0
        add_shard = 'INSERT INTO shards VALUES (?, ?, ?, ?)'
        for number, (name, count) in enumerate(rows):
            if records and records + count > size:
                execute(add_shard, (shard, first, number - first, records))
                shard, first, records = shard + 1, number, 0
            records += count
            execute('INSERT INTO sets VALUES (?, ?)', (number, name))
        if records:
            count = number + 1 - first
            execute(add_shard, (shard, first, count, records))
            facts.num_ids = number + 1
        self._connection.create_function('likeness', 1, likeness)
        execute(
            'INSERT INTO alike SELECT id, name, likeness(name) FROM sets '
            'WHERE likeness(name) IN (SELECT likeness(name) FROM sets '
            'GROUP BY 1 HAVING COUNT(*) > 1)'
        )
        values = {'facts': facts.to_json(), 'report': report}
        for key, value in {'version': VERSION, **values}.items():
            text = json.dumps(value)
            execute('INSERT INTO meta VALUES (?, ?)', (key, text))
        execute('COMMIT')
        self._connection.close()

    def _end_run(self) -> None:
        if self._run is not None:
            self._connection.execute(
                'INSERT INTO runs VALUES (NULL, ?, ?, ?, ?, ?)', self._run
            )
        self._run = None


class Index:
    r"""What an :class:`IndexWriter` has written.

    Args:
        path: The file.
        formats: The formats that records may have.

    Raises:
        ValueError: If it is no index, or is damaged.
    """

    def __init__(self, path: Path, formats: Iterable[type[Format]]) -> None:
        self.path = path
        self._formats = {format_.name: format_ for format_ in formats}
        try:
            self._connection = sqlite3.connect(
                f'{path.absolute().as_uri()}?mode=ro', uri=True
            )
            (version,) = self._meta('version')
            if version != VERSION:
                raise ValueError(f'version {version}, expected {VERSION}')
            (facts,), (self.report,) = (
                self._meta('facts'),
                self._meta('report'),
            )
            self.facts = Facts.from_json(facts)
            self.shards = self._rows(
                'SELECT first, count, records FROM shards ORDER BY id'
            )
        except (sqlite3.Error, ValueError, KeyError) as error:
            raise ValueError(
                f"'{path}' is no index of poses, or is damaged ({error}); "
                f'delete it'
            ) from error

    def _meta(self, key: str) -> list[Any]:
        rows = self._rows('SELECT value FROM meta WHERE key = ?', key)
        return [json.loads(text) for (text,) in rows]

    def _rows(self, query: str, *values: Any) -> list[Any]:
        return self._connection.execute(query, values).fetchall()

    def runs(self, shard: int) -> list[Run]:
        r"""The records of a shard, in the order of their files.

        Args:
            shard: Its number.
        """
        first, count, _ = self.shards[shard]
        rows = self._rows(
            'SELECT runs.name, file, record, runs.count, place FROM sets JOIN '
            'runs USING (name) WHERE sets.id >= ? AND sets.id < ? '
            'ORDER BY runs.id',
            first,
            first + count,
        )
        return [Run(*row) for row in rows]

    def names(self, shard: int) -> list[str]:
        r"""The ids of a shard, in their order.

        Args:
            shard: Its number.
        """
        first, count, _ = self.shards[shard]
        query = 'SELECT name FROM sets WHERE id >= ? AND id < ? ORDER BY id'
        return [name for (name,) in self._rows(query, first, first + count)]

    def source(self, number: int) -> tuple[Source, FileFacts]:
        r"""A file, and what its records say of each other.

        Args:
            number: Its number.
        """
        ((path, file, name, folder, is_copy, has_output, *facts),) = (
            self._rows(
                'SELECT path, file, format, folder, is_copy, has_output, '
                'seen, named, scored, first, like_first FROM files '
                'WHERE id = ?',
                number,
            )
        )
        source = Source(
            Path(path),
            file,
            self._formats[name],
            folder,
            parse_name(Path(path).name),
            bool(is_copy),
            bool(has_output),
            number,
        )
        return source, FileFacts(*facts)

    def seen(self, file: str) -> int:
        r"""How many records a file has.

        Args:
            file: How the report calls it.
        """
        query = 'SELECT seen FROM files WHERE file = ?'
        return sum(seen for (seen,) in self._rows(query, file))

    def alike(self, gone: set[str]) -> Iterator[list[str]]:
        r"""Ids that may be one.

        Args:
            gone: Ids without any pose.

        Yields:
            All that may be one, in their order.
        """
        rows = self._connection.execute(
            'SELECT name, alike.likeness FROM alike JOIN (SELECT likeness, '
            'MIN(id) AS first FROM alike GROUP BY likeness) USING (likeness) '
            'ORDER BY first, id'
        )
        last: str | None = None
        group: list[str] = []
        for name, like in rows:
            if like != last:
                yield from [group] if len(group) > 1 else []
                last, group = like, []
            if name not in gone:
                group.append(name)
        yield from [group] if len(group) > 1 else []

    def split_files(self, runs: Sequence[Run]) -> set[int]:
        r"""The files of which other shards have records, too.

        Args:
            runs: The records of a shard.
        """
        here: dict[int, int] = {}
        for run in runs:
            here[run.file] = here.get(run.file, 0) + run.length
        return {
            number
            for number, count in here.items()
            if self.source(number)[1].named != count
        }
