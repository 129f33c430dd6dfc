r"""Where a campaign is cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

#: Shards that a campaign is to have at least, and the least and the most
#: weight of one.
_SHARDS, _LEAST, _MOST = 1024, 256, 16_384


def ranges_of(
    weight: Sequence[int] | np.ndarray[Any, Any], size: int | None = None
) -> np.ndarray[Any, Any]:
    r"""Cuts items in a row into shards of about one weight.

    Nothing but the weights decides, so that every machine cuts alike,
    and so does the next run.

    Args:
        weight: The weight of each item, such as its number of poses.
        size: The weight of a shard. (default: :obj:`None`, a 1024th of all,
            but from 256 to 16384)

    Returns:
        The first and the last item (excluded) of each shard, shape
        :obj:`[num_shards, 2]`.

    Raises:
        ValueError: If :obj:`size` is not positive.

    Example:
        >>> from pyg_multipose.campaign import ranges_of
        >>> ranges_of([3, 1, 1, 5, 2], size=5).tolist()
        [[0, 3], [3, 4], [4, 5]]
    """
    ends = np.cumsum(np.asarray(weight, dtype=np.int64))
    if not len(ends):
        return np.empty((0, 2), dtype=np.int64)
    if size is None:
        size = min(max(int(ends[-1]) // _SHARDS, _LEAST), _MOST)
    if size < 1:
        raise ValueError(f"'size' has to be positive, got {size}")
    starts, begin = [0], 0
    while True:
        last = int(np.searchsorted(ends, begin + size, side='right'))
        last = max(last, starts[-1] + 1)
        if last >= len(ends):
            break
        starts.append(last)
        begin = int(ends[last - 1])
    return np.stack([starts, [*starts[1:], len(ends)]], axis=1)
