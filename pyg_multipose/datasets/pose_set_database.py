"""Pose sets in a file of SQLite, each receptor once."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Database

from pyg_multipose.datasets.pose_set_schema import SIZES, Row, Schema
from pyg_multipose.datasets.stored_bytes import (
    damaged,
    digest_of,
    hashed,
    is_locked,
    unzipped,
    zipped,
)

#: What SQLite calls the kind of a file and its version.
APPLICATION_ID = 0x504F5345
VERSION = 2
#: Bytes; several sets fit into a page.
PAGE_SIZE = 16_384
#: Receptors that are held; sets in a row often have the same one.
_RECEPTORS = 16
#: Seconds to wait for another process that writes.
_TIMEOUT = 60.0

_COUNTS = ', '.join(f'{size} INTEGER NOT NULL' for size in SIZES)
_TABLES = (
    'CREATE TABLE meta (schema TEXT NOT NULL)',
    'CREATE TABLE receptors (id INTEGER PRIMARY KEY, digest BLOB NOT NULL '
    f'UNIQUE, {_COUNTS}, content BLOB NOT NULL)',
    # Apart from their tables: these are read row by row, those all at once.
    'CREATE TABLE sets (id INTEGER PRIMARY KEY, name TEXT NOT NULL, '
    'receptor_name TEXT NOT NULL, receptor INTEGER NOT NULL REFERENCES '
    f'receptors, digest BLOB NOT NULL, poses INTEGER NOT NULL, {_COUNTS}, '
    'UNIQUE (name, receptor_name))',
    'CREATE TABLE contents (id INTEGER PRIMARY KEY REFERENCES sets, '
    'content BLOB NOT NULL, text TEXT NOT NULL)',
)


class PoseSetDatabase(Database):
    r"""A file of pose sets.

    A connection is opened when it is needed, by each process for itself.

    Args:
        path: The file; it is made when the first sets are added.
    """

    def __init__(self, path: str) -> None:
        super().__init__(
            schema={
                **dict.fromkeys(('name', 'receptor_name', 'text'), str),
                **dict.fromkeys(('poses', *SIZES), int),
                'content': {'dtype': torch.uint8, 'size': (-1,)},
            }
        )
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._inherited: sqlite3.Connection | None = None
        self._pid = 0
        self._sets: Schema | None = None
        self._receptors: OrderedDict[int, Any] = OrderedDict()
        #: The bytes of the last receptor that was written, and their hash.
        self._hashed: tuple[Any, bytes] = (None, b'')

    def __getstate__(self) -> dict[str, Any]:
        forgotten = {'_receptors': OrderedDict(), '_hashed': (None, b'')}
        return {**self.__dict__, **_CLOSED, **forgotten}

    # Connections #############################################################

    def connect(self) -> None:
        r"""Opens the file, and refuses it if it is none of pose sets."""
        # SQLite wants a connection from before a fork not even closed.
        self._inherited, self._pid = self._connection, os.getpid()
        self._connection = None
        try:
            connection = sqlite3.connect(
                self.path, timeout=_TIMEOUT, isolation_level=None
            )
            # All at once: another process may be about to begin the file.
            connection.execute('BEGIN')
            found = self._identified(connection)
            connection.execute('COMMIT')
            if found is None:
                connection.execute(f'PRAGMA page_size = {PAGE_SIZE}')
            self._sets = found
        except (sqlite3.Error, KeyError, TypeError) as error:
            if is_locked(error):
                raise self._busy('open', error) from error
            raise ValueError(
                f"'{self.path}' is not a file of pose sets, or is damaged: "
                f'{error}'
            ) from error
        self._connection = connection

    def _identified(self, connection: sqlite3.Connection) -> Schema | None:
        """The schema of the file, or None if it is empty."""
        read = connection.execute
        (tables,) = read('SELECT COUNT(*) FROM sqlite_master').fetchone()
        (kind,) = read('PRAGMA application_id').fetchone()
        (version,) = read('PRAGMA user_version').fetchone()
        if tables and kind != APPLICATION_ID:
            raise ValueError(
                f"'{self.path}' is not a file of pose sets, but another one "
                f'of SQLite'
            )
        if not tables:
            return None
        if version != VERSION:
            newer = version > VERSION
            raise ValueError(
                f"'{self.path}' has version {version}, but this release "
                f'reads {VERSION}; '
                f'{"upgrade pyg_multipose" if newer else "build it anew"}'
            )
        (text,) = read('SELECT schema FROM meta').fetchone()
        return Schema.from_json(text)

    def _busy(self, what: str, error: object) -> ValueError:
        return ValueError(
            f"Cannot {what} '{self.path}': {error}. Another process has been "
            f'writing to it for {_TIMEOUT:.0f} seconds; wait until it is done '
            f'and try again, what is there already is left out'
        )

    def close(self) -> None:
        r"""Closes the connection of this process."""
        if self._connection is not None and self._pid == os.getpid():
            self._connection.close()
        self.__dict__.update(_CLOSED)

    @property
    def connection(self) -> sqlite3.Connection:
        r"""The connection of this process."""
        if self._connection is None or self._pid != os.getpid():
            self.connect()
        assert self._connection is not None
        return self._connection

    @property
    def sets(self) -> Schema | None:
        r"""The schema of the sets, or :obj:`None` if there are none."""
        if self._sets is None and os.path.exists(self.path):
            self.connect()
        return self._sets

    # Reading #################################################################

    def __len__(self) -> int:
        if self.sets is None:
            return 0
        ((last,),) = self._rows('SELECT MAX(id) FROM sets')
        return 0 if last is None else last + 1

    def get(self, index: int) -> Row:
        r"""The row of a set.

        Args:
            index: Its number.
        """
        index = int(index)  # SQLite knows no integers of NumPy
        where = f"set {index} of '{self.path}'"
        rows = self._rows(
            'SELECT name, receptor_name, receptor, digest, poses, '
            f'{", ".join(SIZES)}, content, text FROM sets JOIN contents '
            'USING (id) WHERE id = ?',
            (index,),
        )
        if not rows:
            raise IndexError(f'There is no {where}, which has {len(self)}')
        name, receptor_name, number, digest, poses, *rest = rows[0]
        *sizes, content, text = rest
        known, receptor_sizes, receptor = self._receptor(number)
        row = Row(
            name,
            receptor_name,
            poses,
            tuple(sizes),
            receptor_sizes,
            receptor,
            unzipped(content, f"{where} ('{name}')"),
            text,
        )
        if digest_of(row, known) != digest:
            raise damaged(f"{where} ('{name}')")
        return row

    def names(self) -> list[str]:
        r"""The name of every set."""
        return [name for (name,) in self._column('name')]

    def receptor_names(self) -> list[str]:
        r"""The distinct names of receptors."""
        return [name for (name,) in self._column('DISTINCT receptor_name')]

    def digests(self) -> list[bytes]:
        r"""The checksum of every set."""
        return [digest for (digest,) in self._column('digest')]

    def sizes(self) -> Tensor:
        r"""Nodes, edges and poses of every set, shape [num_sets, 3]."""
        query = 'SELECT nodes, edges, poses FROM sets ORDER BY id'
        # One by one: a million rows as objects would take 200 MB.
        rows = self._iterate(query) if self.sets is not None else ()
        values = np.fromiter(itertools.chain.from_iterable(rows), np.int64)
        return torch.from_numpy(values).view(-1, 3)

    def fingerprint(self) -> str:
        r"""A checksum of all sets and of their order."""
        out = blake2b(digest_size=16)
        if self.sets is not None:
            out.update(self.sets.to_json().encode())
            for (digest,) in self._iterate(
                'SELECT digest FROM sets ORDER BY id'
            ):
                out.update(digest)
        return out.hexdigest()

    def _iterate(self, query: str) -> Iterator[Any]:
        try:
            yield from self.connection.execute(query)
        except sqlite3.DatabaseError as error:
            raise damaged(f"'{self.path}'", error) from error

    def costs(self) -> Tensor:
        r"""Atoms of all poses of every set, shape [num_sets]."""
        receptor = 'SELECT nodes FROM receptors WHERE id = receptor'
        rows = self._column(f'nodes - ({receptor})')
        return torch.tensor(rows, dtype=torch.long).view(-1)

    def _column(self, columns: str) -> list[Any]:
        """Of every set; nothing, if there is none."""
        if self.sets is None:
            return []
        return self._rows(f'SELECT {columns} FROM sets ORDER BY id')

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self.connection.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            if is_locked(error):
                raise self._busy('read', error) from error
            raise damaged(f"'{self.path}'", error) from error

    def _receptor(self, number: int) -> Any:
        """Digest, sizes and bytes of a receptor."""
        if number in self._receptors:
            self._receptors.move_to_end(number)
            return self._receptors[number]
        where = f"receptor {number} of '{self.path}'"
        query = 'SELECT * FROM receptors WHERE id = ?'
        rows = self._rows(query, (number,))
        if not rows:
            raise damaged(where)
        _, digest, *sizes, content = rows[0]
        content = unzipped(content, where)
        if hashed(content) != digest:
            raise damaged(where)
        receptor = digest, tuple(sizes), content
        self._receptors[number] = receptor
        if len(self._receptors) > _RECEPTORS:
            self._receptors.popitem(last=False)
        return receptor

    # Writing #################################################################

    def insert(self, index: int, data: Row) -> None:
        r"""Adds a set at the end.

        Args:
            index: The number of sets before.
            data: Its row.
        """
        if index != len(self):
            raise IndexError(
                f"Sets are added to the end of '{self.path}', at "
                f'{len(self)}, got {index}'
            )
        assert self.sets is not None
        self.add([data], self.sets)

    def add(self, rows: Sequence[Row], schema: Schema) -> int:
        r"""Adds sets in one transaction: all of them or none.

        Sets that are there already are left out.

        Args:
            rows: Their rows.
            schema: Their schema.

        Returns:
            How many were added.

        Raises:
            ValueError: If a set has the name of another one, if another
                process has begun the file with other keys, or if it goes on
                writing.
        """
        os.makedirs(os.path.dirname(self.path) or '.', exist_ok=True)
        with self._transaction() as connection:
            if self._sets is None:
                self._begin(connection, schema, rows)
            (last,) = connection.execute('SELECT MAX(id) FROM sets').fetchone()
            start = index = 0 if last is None else last + 1
            for row in rows:
                index += self._add_row(connection, row, index)
        self._sets = schema
        return index - start

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self.connection
        try:
            connection.execute('BEGIN IMMEDIATE')
        except sqlite3.OperationalError as error:
            if is_locked(error):
                raise self._busy('write to', error) from error
            raise ValueError(
                f"Cannot write to '{self.path}': {error}"
            ) from error
        try:
            yield connection
            connection.execute('COMMIT')
        except BaseException:
            if connection.in_transaction:
                connection.execute('ROLLBACK')
            raise

    def _begin(
        self,
        connection: sqlite3.Connection,
        schema: Schema,
        rows: Sequence[Row],
    ) -> None:
        """Makes the tables, unless another process just did."""
        found = self._identified(connection)
        if found is not None:
            found.check(schema, rows[0].name)
            return
        for table in _TABLES:
            connection.execute(table)
        connection.execute('INSERT INTO meta VALUES (?)', (schema.to_json(),))
        connection.execute(f'PRAGMA application_id = {APPLICATION_ID}')
        connection.execute(f'PRAGMA user_version = {VERSION}')

    def _add_row(
        self, connection: sqlite3.Connection, row: Row, index: int
    ) -> bool:
        if row.receptor is not self._hashed[0]:  # sets in a row share one
            self._hashed = row.receptor, hashed(row.receptor)
        known = self._hashed[1]
        digest = digest_of(row, known)
        found = connection.execute(
            'SELECT id, digest FROM sets WHERE name = ? AND receptor_name = ?',
            (row.name, row.receptor_name),
        ).fetchone()
        if found is not None:
            if found[1] == digest:
                return False
            raise ValueError(
                f"Set '{row.name}' (receptor '{row.receptor_name}') is in "
                f"'{self.path}' already, as number {found[0]}, with other "
                f'content. Give it another name, or build a new dataset'
            )
        query = 'SELECT id FROM receptors WHERE digest = ?'
        number = connection.execute(query, (known,)).fetchone()
        if number is None:
            values = (known, *row.receptor_sizes, zipped(row.receptor))
            number = (_insert(connection, 'receptors', None, *values),)
        names = (row.name, row.receptor_name)
        values = (*names, *number, digest, row.poses, *row.sizes)
        _insert(connection, 'sets', index, *values)
        content = zipped(row.tables)
        _insert(connection, 'contents', index, content, row.text)
        return True


_CLOSED = {'_connection': None, '_inherited': None, '_pid': 0}


def _insert(connection: sqlite3.Connection, table: str, *values: Any) -> Any:
    marks = ', '.join('?' * len(values))
    query = f'INSERT INTO {table} VALUES ({marks})'
    return connection.execute(query, values).lastrowid
