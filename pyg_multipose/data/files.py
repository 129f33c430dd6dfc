"""Pose sets on disk: tensors and a schema, no pickled code."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from pyg_multipose.data.layout import Layout
from pyg_multipose.data.levels import INDICES
from pyg_multipose.data.receptors import contents, digest

FORMAT = 'pyg_multipose.PoseSet'
VERSION = 1


def write(
    sets: Sequence[Data], is_batch: bool, path: str | os.PathLike
) -> None:
    r"""Writes pose sets; each receptor once, under the hash of its content.

    Args:
        sets: The sets.
        is_batch: Whether they are those of a batch; noted for the reader.
        path: The file.
    """
    receptors: dict[str, dict[str, Tensor]] = {}
    tables: list[dict[str, Tensor]] = []
    about: list[dict[str, Any]] = []
    for pose_set in sets:
        values = dict(pose_set.stores[0].items())
        rest = {k: v for k, v in values.items() if isinstance(v, Tensor)}
        receptor = contents(Layout(pose_set), values, 0)
        for key, value in receptor.items():
            size = rest[key].size(_dim(key)) - value.size(_dim(key))
            rest[key] = rest[key].narrow(_dim(key), -size, size)
        name = digest(receptor)
        receptors.setdefault(name, _stored(receptor))
        tables.append(_stored(rest))
        others = {k: v for k, v in values.items() if k not in rest}
        about.append({'receptor': name, 'values': others})
    schema = {
        'format': FORMAT,
        'version': VERSION,
        'is_batch': is_batch,
        'sets': about,
    }
    torch.save(
        {
            'schema': json.dumps(schema),
            'receptors': receptors,
            'sets': tables,
        },
        path,
    )


def read(path: str | os.PathLike) -> tuple[list[dict[str, Any]], bool]:
    r"""Reads what :meth:`write` wrote.

    Args:
        path: The file.

    Returns:
        The values of every set by key, and whether they are a batch.
    """
    foreign = f"'{os.fspath(path)}' is not a file of pose sets"
    with open(path, 'rb') as file:
        try:
            content = torch.load(file, map_location='cpu', weights_only=True)
            schema = json.loads(content['schema'])
            found = schema['format']
        except Exception as error:  # whatever other bytes make PyTorch raise
            raise ValueError(
                f'{foreign}: it holds something else, or is damaged'
            ) from error
    if found != FORMAT:
        raise ValueError(f"{foreign}: its format is '{found}'")
    if schema['version'] > VERSION:
        raise ValueError(
            f"'{os.fspath(path)}' has version {schema['version']}, but this "
            f'release reads up to {VERSION}; upgrade pyg_multipose'
        )
    sets: list[dict[str, Any]] = []
    for about, rest in zip(schema['sets'], content['sets'], strict=True):
        values = {**about['values'], **rest}
        for key, value in content['receptors'][about['receptor']].items():
            values[key] = torch.cat([value, rest[key]], dim=_dim(key))
        sets.append(values)
    return sets, schema['is_batch']


def _stored(tables: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies: of a slice, PyTorch writes all that it is a slice of."""
    return {k: v.detach().cpu().clone() for k, v in tables.items()}


def _dim(key: str) -> int:
    return -1 if key in INDICES else 0
