"""Which poses an index means."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor


def pose_numbers(index: Any, count: int) -> list[int]:
    r"""The numbers of the poses that are selected.

    Args:
        index: A number, numbers, a slice or a boolean mask.
        count: How many poses there are.

    Raises:
        IndexError: If a number or a mask does not fit.
    """
    if isinstance(index, slice):
        return list(range(count)[index])
    if isinstance(index, int):
        index = [index]
    chosen = np.asarray(index.cpu() if isinstance(index, Tensor) else index)
    if chosen.dtype == bool:
        if chosen.shape != (count,):
            raise IndexError(
                f'A mask of shape {list(chosen.shape)} does not fit '
                f'{count} poses'
            )
        return chosen.nonzero()[0].tolist()
    if chosen.size == 0:
        return []
    if chosen.ndim > 1 or not np.issubdtype(chosen.dtype, np.integer):
        raise IndexError(
            f'Poses are selected by a list of integers, a slice or a '
            f'mask, got {index!r}'
        )
    outside = chosen[(chosen < -count) | (chosen >= count)]
    if outside.size:
        raise IndexError(
            f'Pose {outside[0]} asked for, but there are {count} (0 to '
            f'{count - 1})'
        )
    return (chosen.reshape(-1) % count).tolist()
