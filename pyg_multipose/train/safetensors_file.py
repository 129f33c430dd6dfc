r"""A model in a file of safetensors: weights, and texts about them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch

from pyg_multipose.campaign import atomic_file

#: The end of the name of such a file.
SUFFIX = '.safetensors'
#: What of a checkpoint goes into texts.
_TEXTS = ('hyper_parameters', 'pyg_multipose')
#: Tensors among these are stored as tensors of this name.
_AMONG = '@'


def write_safetensors(
    checkpoint: dict[str, Any], path: str | os.PathLike[str]
) -> None:
    r"""Writes what a checkpoint knows of a model, without its training.

    Args:
        checkpoint: What was read of a checkpoint.
        path: The file.

    Raises:
        ImportError: If safetensors is not installed.
        OSError: If the place cannot be written to.
    """
    save = _library().save
    tensors = {
        name: value.detach().cpu().contiguous().clone()
        for name, value in checkpoint['state_dict'].items()
    }
    texts = {}
    for key in _TEXTS:
        plain = _without_tensors(checkpoint[key], key, tensors)
        texts[key] = json.dumps(plain)
    with atomic_file(path) as file:
        file.write(save(tensors, texts))


def read_safetensors(
    path: str | os.PathLike[str], map_location: Any
) -> dict[str, Any]:
    r"""What :func:`write_safetensors` has written, as a checkpoint.

    Args:
        path: The file.
        map_location: A device.

    Raises:
        ImportError: If safetensors is not installed.
        FileNotFoundError: If there is no file.
        ValueError: If it is none of ours, or is damaged.
    """
    library = _library()
    content = Path(path).read_bytes()
    try:
        tensors = library.load(content)
        size = int.from_bytes(content[:8], 'little')
        texts = json.loads(content[8 : 8 + size])['__metadata__']
        plain = {key: json.loads(texts[key]) for key in _TEXTS}
    except Exception as error:
        raise ValueError(
            f"'{os.fspath(path)}' is no model of 'multipose export', or is "
            f'damaged ({type(error).__name__}: {error})'
        ) from error
    tensors = {name: one.to(map_location) for name, one in tensors.items()}
    out = {key: _with_tensors(value, tensors) for key, value in plain.items()}
    out['state_dict'] = {
        name: value
        for name, value in tensors.items()
        if not name.startswith(_AMONG)
    }
    return out


def _library() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise ImportError(
            'Files of safetensors need that package: pip install '
            "'pyg_multipose[train]'"
        ) from error
    return safetensors.torch


def _without_tensors(value: Any, name: str, tensors: dict[str, Any]) -> Any:
    """The same with the names of tensors, which are put among them."""
    if isinstance(value, torch.Tensor):
        tensors[_AMONG + name] = value.detach().cpu().contiguous().clone()
        return {_AMONG: name}
    if isinstance(value, dict):
        return {
            key: _without_tensors(one, f'{name}.{key}', tensors)
            for key, one in value.items()
        }
    return value


def _with_tensors(value: Any, tensors: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        if set(value) == {_AMONG}:
            return tensors[_AMONG + value[_AMONG]]
        return {key: _with_tensors(one, tensors) for key, one in value.items()}
    return value
