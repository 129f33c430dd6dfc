"""What transforms of pose sets ask of their arguments."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from torch_geometric.data import Batch

from pyg_multipose.data import PoseSet


def check_set(data: Any, name: str) -> PoseSet:
    r"""Refuses what is not a single pose set.

    Args:
        data: What a transform was given.
        name: The name of the transform.
    """
    if not isinstance(data, PoseSet) or isinstance(data, Batch):
        raise ValueError(
            f'{name} works on a PoseSet, got {type(data).__name__}; apply it '
            f'before sets are batched, e.g., as transform of a dataset'
        )
    return data


def set_name(pose_set: PoseSet) -> str:
    r"""How messages call a set."""
    return f"set '{pose_set['name']}'" if pose_set.get('name') else 'the set'


def check_count(number: Any, name: str) -> int:
    r"""Refuses what is not a positive integer."""
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(
            f"'{name}' has to be a positive integer, got {number!r}"
        )
    return number


def check_length(length: Any, name: str) -> float:
    r"""Refuses what is not a positive, finite number of Angstrom."""
    number = isinstance(length, Real) and not isinstance(length, bool)
    if not number or not 0 < float(length) < math.inf:
        raise ValueError(
            f"'{name}' has to be a positive, finite number of Angstrom, got "
            f'{length!r}'
        )
    return float(length)
