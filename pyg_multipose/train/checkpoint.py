r"""What a checkpoint holds beside weights, as plain data."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import torch

import pyg_multipose
from pyg_multipose.train.calibration import ConformalInterval
from pyg_multipose.train.data_record import DataRecord
from pyg_multipose.train.input_record import InputRecord
from pyg_multipose.train.safetensors_file import SUFFIX, read_safetensors

#: What a checkpoint holds beside the weights is under this key.
KEY = 'pyg_multipose'
#: The form of that.
VERSION = 1


def note(
    checkpoint: dict[str, Any],
    unit: str,
    inputs: InputRecord | None,
    calibration: ConformalInterval | None = None,
    data: DataRecord | None = None,
) -> None:
    r"""Adds what the weights need beside them.

    Args:
        checkpoint: What is saved.
        unit: The unit of predictions.
        inputs: What the sets of the training look like.
        calibration: The interval of predictions. (default: :obj:`None`)
        data: Which data the training was on. (default: :obj:`None`)
    """
    told = {'inputs': inputs, 'calibration': calibration, 'data': data}
    checkpoint[KEY] = {
        'version': VERSION,
        'package': pyg_multipose.__version__,
        'unit': unit,
        **{
            name: None if one is None else one.to_dict()
            for name, one in told.items()
        },
    }


def noted(checkpoint: Any, where: str) -> dict[str, Any]:
    r"""What :func:`note` has added.

    Args:
        checkpoint: What was saved.
        where: What to call it.

    Raises:
        ValueError: If there is nothing, or it is of another version.
    """
    known = checkpoint.get(KEY) if isinstance(checkpoint, dict) else None
    if not isinstance(known, dict):
        raise ValueError(
            f'{where} is not of a MultiPoseModule: it does not say what it '
            f'was trained on'
        )
    if known['version'] != VERSION:
        raise ValueError(
            f'{where} has version {known["version"]}, expected {VERSION}; it '
            f'is of pyg_multipose {known["package"]}'
        )
    return known


def read_checkpoint(
    path: str | os.PathLike[str], map_location: Any
) -> dict[str, Any]:
    r"""Reads a checkpoint without running any code of it.

    Args:
        path: The file.
        map_location: As of :func:`torch.load`.

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If it is no checkpoint, is damaged or holds code.
    """
    where = f"'{os.fspath(path)}'"
    if not os.path.isfile(path):
        raise FileNotFoundError(_no_file(Path(path)))
    if where.endswith(f"{SUFFIX}'"):
        checkpoint = read_safetensors(path, map_location)
        noted(checkpoint, where)
        return checkpoint
    try:
        with zipfile.ZipFile(path) as archive:
            # PyTorch does not compare the content with its checksums.
            wrong = archive.testzip()
        if wrong is not None:
            raise zipfile.BadZipFile(wrong)
        checkpoint = torch.load(path, map_location, weights_only=True)
    except OSError:
        raise
    except Exception as error:
        # What PyTorch says of it advises to run the code.
        raise ValueError(
            f'{where} is no checkpoint, is damaged, or holds code, which is '
            f'not run ({type(error).__name__}); pass a file that '
            f'MultiPoseModule or multipose fit has written'
        ) from error
    noted(checkpoint, where)
    return checkpoint


def _no_file(path: Path) -> str:
    """What to say where there is no file of that name."""
    folder = path if path.is_dir() else path.parent
    found = [
        f"'{one}'"
        for one in sorted(folder.glob('*'))
        if one.suffix in ('.ckpt', SUFFIX)
    ]
    kind = 'is a folder, not' if path.is_dir() else 'does not exist; expected'
    what = f' such as {" or ".join(found)}' if found else ''
    return f"'{path}' {kind} the file of a checkpoint{what}; " + (
        'pass that' if found else 'multipose fit writes one, last.ckpt'
    )
