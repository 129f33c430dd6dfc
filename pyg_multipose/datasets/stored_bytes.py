"""How rows are stored, and how damage to them is seen."""

from __future__ import annotations

import sqlite3
import zlib
from hashlib import blake2b

from pyg_multipose.datasets.pose_set_schema import Row


def zipped(content: bytes | bytearray) -> bytes:
    r"""Compressed bytes.

    Args:
        content: The bytes.
    """
    # Most bytes of integers are zero, and poses repeat them.
    return zlib.compress(content, level=1)


def unzipped(content: bytes, where: str) -> bytearray:
    r"""The bytes again.

    Args:
        content: What :func:`zipped` gave.
        where: What they are, for the message.

    Raises:
        ValueError: If they are damaged.
    """
    try:
        # PyTorch wants memory that could be written.
        return bytearray(zlib.decompress(content))
    except zlib.error as error:
        raise damaged(where, error) from error


def hashed(*parts: bytes | bytearray) -> bytes:
    r"""A checksum of 16 bytes.

    Args:
        parts: What is summed up, in this order.
    """
    out = blake2b(digest_size=16)
    for part in parts:
        out.update(part)
    return out.digest()


def digest_of(row: Row, receptor: bytes) -> bytes:
    r"""A checksum of all that a set holds.

    Args:
        row: Its row.
        receptor: The checksum of its receptor.
    """
    sizes = repr((row.poses, row.sizes, row.receptor_sizes)).encode()
    return hashed(receptor, sizes, row.tables, row.text.encode())


def is_locked(error: Exception) -> bool:
    r"""Whether another process has been writing for too long.

    Args:
        error: What SQLite raised.
    """
    is_operational = isinstance(error, sqlite3.OperationalError)
    return is_operational and 'locked' in str(error)


def damaged(what: str, error: object = '') -> ValueError:
    r"""The error that tells of damage.

    Args:
        what: What is damaged.
        error: What was found. (default: :obj:`""`)
    """
    return ValueError(
        f'{what} is damaged{f": {error}" if error else ""}. Restore the '
        f'file, or build the dataset anew'
    )
