r"""What is stored of the sets of a shard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from typing import Any

import torch
from torch import Tensor

from pyg_multipose.datasets.packer import Packer
from pyg_multipose.datasets.pose_set_database import PoseSetDatabase
from pyg_multipose.datasets.pose_set_schema import Row, Schema
from pyg_multipose.transforms.pocket_cut import (
    PocketCut,
    keep_receptor,
    near_receptor,
)


def packed_rows(
    poses: Any,
    kept: Sequence[tuple[int, Mapping[str, Tensor]]],
    table: list[list[Any]],
    receptor: Any,
    radius: float | None,
    near: Tensor | None,
) -> Iterator[tuple[Row, Schema]]:
    r"""Packs sets; only the first is built, unless atoms have moved.

    Args:
        poses: The sets.
        kept: The places of those that are wanted, and their labels.
        table: Gets a row for the table of sets for each.
        receptor: Their receptor.
        radius: How near atoms of a pocket are, in Angstrom.
        near: Which atoms of the receptor are; changed in place.

    Yields:
        The row of each, and the keys that it has.
    """
    from pyg_multipose.io import scaffolds

    names, smiles = poses.names, poses.smiles
    packer: Packer | None = None
    for number, values in kept:
        if packer is None or poses.moves:
            pose_set = poses[number]
            for key, value in values.items():
                pose_set.put(key, value, 'set')
            packer = Packer(pose_set)
            row = packer.first
            if near is not None and radius is not None:
                near[PocketCut(radius).near(pose_set)] = True
        else:
            tables = {**poses.tables(number), **values}
            row = packer.row(names[number], tables)
            if near is not None and radius is not None:
                near_receptor(receptor['pos'], tables['pos'], radius, near)
        y = float(values.get('y', torch.nan))
        relation = int(values.get('y_relation', 0))
        text = smiles[number]
        scaffold = scaffolds([text])[0]
        label = '' if isnan(y) else y
        table.append([row.name, text, scaffold, row.poses, label, relation])
        yield row, packer.schema


def cut_rows(
    db: PoseSetDatabase, keep: Tensor
) -> Iterator[tuple[Row, Schema]]:
    r"""Cuts the receptor of sets that are stored.

    Args:
        db: The sets.
        keep: Which of its atoms are kept.

    Yields:
        The row of each, and the keys that it has.
    """
    schema = db.sets
    if schema is None:
        raise OSError(f"'{db.path}' is gone; the same command again goes on")
    packer: Packer | None = None
    for number in range(len(db)):
        row = db.get(number)
        if packer is None or 'moved_index' in schema.tensors:
            packer = Packer(keep_receptor(schema.unpack(row), keep))
            row = packer.first
        else:
            row = packer.moved(row, schema)
        yield row, packer.schema
