r"""Whether all ranks of a training have the same data."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import torch.distributed as dist

from pyg_multipose.distributed.ranks import num_ranks

if TYPE_CHECKING:
    from pyg_multipose.train.pose_set_data_module import PoseSetDataModule


def fingerprint(data: PoseSetDataModule) -> dict[str, str]:
    r"""A checksum of each of the things that make batches, by its name.

    Sets count by their sizes, and what :class:`InputRecord` has looked at;
    they are not loaded for this.

    Args:
        data: The data, after its setup.
    """
    told = {
        'parts': {part: sets.index for part, sets in data.parts.items()},
        'sizes': {
            part: sets.sizes(with_edges=False).tolist()
            for part, sets in data.parts.items()
        },
        'sets': None if data.inputs is None else data.inputs.to_dict(),
        'settings': {
            'seed': data.seed,
            'deal': data.deal,
            'cutoff': data.cutoff,
            'unit': data.unit,
            **data.budgets,
        },
    }
    return {
        name: hashlib.sha256(
            json.dumps(value, sort_keys=True).encode()
        ).hexdigest()
        for name, value in told.items()
    }


def check_same_data(data: PoseSetDataModule) -> None:
    r"""Refuses ranks with different data; all of them have to call this.

    Args:
        data: The data, after its setup.

    Raises:
        ValueError: If they differ, on every rank.
    """
    ranks = num_ranks()
    if ranks == 1:
        return
    found: list[dict[str, str]] = [{} for _ in range(ranks)]
    dist.all_gather_object(found, fingerprint(data))
    for rank, other in enumerate(found):
        names = [name for name in other if other[name] != found[0][name]]
        if names:
            raise ValueError(
                f'Ranks 0 and {rank} of {ranks} have different data: {names} '
                f'differ. All ranks need the same sets in the same order, '
                f'split and batched by the same arguments'
            )
