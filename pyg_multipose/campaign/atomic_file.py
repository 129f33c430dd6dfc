r"""Files that are there as a whole, or not at all."""

from __future__ import annotations

import errno
import itertools
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

#: How much of a file is read at a time.
_BLOCK = 1 << 20
#: What the place of a file, and not what is written, is at fault for.
_PLACES = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EISDIR,
    errno.ENOENT,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
#: A file that is being written: by which process, and where it runs.
_PART = re.compile(r'\..+\.(\d+)-\d+@(.*)\.part')
_count = itertools.count()


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    r"""A name to write to, which becomes the file when all went well.

    It is in the same folder. Whatever ends the process meanwhile, the file is
    as it was before; :func:`remove_leftovers` removes what is left.

    Args:
        path: The file; one that is there is replaced.

    Yields:
        The name to write to.

    Raises:
        OSError: If the place cannot be written to, or is full.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyg_multipose.campaign import atomic_path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic_path(Path(folder, 'a.txt')) as part:
        ...         _ = part.write_text('all of it')
        ...     [file.name for file in Path(folder).iterdir()]
        ['a.txt']
    """
    path = Path(path)
    who = f'{os.getpid()}-{next(_count)}@{socket.gethostname()}'
    part = path.with_name(f'.{path.name}.{who}.part')
    try:
        yield part
        with open(part, 'rb+') as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        ours = (None, str(part), os.fspath(part))
        if error.errno not in _PLACES or error.filename not in ours:
            raise
        failure = type(error)(
            f"'{path}' cannot be written: {os.strerror(error.errno)}. What "
            f'was there before is there still; make room, or choose another '
            f'place, and run the same again'
        )
        failure.errno = error.errno
        raise failure from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_file(
    path: str | os.PathLike[str], mode: str = 'wb', **kwargs: Any
) -> Iterator[IO[Any]]:
    r"""An open file, which is there as a whole or not at all.

    Args:
        path: The file; one that is there is replaced.
        mode: As of :func:`open`. (default: :obj:`"wb"`)
        kwargs: As of :func:`open`.

    Yields:
        What to write to.

    Raises:
        OSError: As of :func:`atomic_path`.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyg_multipose.campaign import atomic_file
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, 'a.txt')
        ...     with atomic_file(path, 'w') as file:
        ...         print('half', path.exists(), file=file)
        ...     path.read_text()
        'half False\n'
    """
    with atomic_path(path) as part, open(part, mode, **kwargs) as file:
        yield file


def checksum(path: str | os.PathLike[str]) -> str:
    r"""The BLAKE2b checksum of a file, 32 hexadecimal digits.

    Args:
        path: The file.

    Example:
        >>> import tempfile
        >>> from pyg_multipose.campaign import checksum
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     checksum(file.name)
        'cae66941d9efbd404e4d88758ea67670'
    """
    out = blake2b(digest_size=16)
    with open(path, 'rb') as file:
        while block := file.read(_BLOCK):
            out.update(block)
    return out.hexdigest()


def remove_leftovers(folder: str | os.PathLike[str]) -> list[Path]:
    r"""Removes what processes left that ended while they wrote.

    Only those of this machine, which can be seen to have ended.

    Args:
        folder: Where to look.

    Returns:
        What was removed.

    Example:
        >>> import tempfile
        >>> from pyg_multipose.campaign import remove_leftovers
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     remove_leftovers(folder)
        []
    """
    out = []
    for path in Path(folder).glob('.*.part'):
        found = _PART.fullmatch(path.name)
        if found and found[2] == socket.gethostname():
            if not _lives(int(found[1])):
                path.unlink(missing_ok=True)
                out.append(path)
    return out


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
