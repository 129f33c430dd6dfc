r"""Places that results go to, looked at before the work begins."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def new_folder(path: str, force: bool = False) -> Path:
    r"""A folder for new files.

    Args:
        path: The folder; it is made.
        force: Whether it may hold files already. (default: :obj:`False`)

    Raises:
        FileExistsError: If it holds files.
        PermissionError: If it cannot be written to.
    """
    folder = Path(path)
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise FileExistsError(
            f"'{path}' holds files already; choose another --out"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise PermissionError(
            f"'{path}' cannot be written to ({error.strerror}); choose "
            f'another --out'
        ) from error
    return folder


def check_file(path: str) -> Path:
    r"""A file that is to be written, replaced if it is there.

    Args:
        path: The file.

    Raises:
        PermissionError: If its folder cannot be written to.
    """
    file = Path(path)
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise PermissionError(
            f"'{path}' cannot be written: '{file.parent}' is no folder that "
            f'may be written to; choose another --out'
        )
    return file
