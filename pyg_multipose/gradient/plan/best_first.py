"""Promising poses first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from pyg_multipose.data import Layout


def in_order(
    layout: Layout, tables: Mapping[str, Any], key: str
) -> np.ndarray:
    r"""The poses of every set, sorted by a score that is known beforehand.

    Args:
        layout: The layout of the batch.
        tables: Its values by key.
        key: A key of one number for each pose. The lowest comes first, or
            the highest if the key begins with a minus; missing ones (NaN)
            come last.

    Returns:
        Numbers of poses :obj:`[num_poses]`, set by set.

    Raises:
        ValueError: If there is no such key.
    """
    name = key.removeprefix('-')
    value = tables.get(name)
    if (
        layout.levels.get(name) != 'pose'
        or not isinstance(value, Tensor)
        or value.numel() != layout.num_poses
    ):
        raise ValueError(
            f"best_first='{key}' needs one number for each pose under the "
            f"key '{name}'; the keys of poses are "
            f'{layout.levels.on("pose")}. Name it in pose_attrs when the '
            f"set is built, or add it by PoseSet.put('{name}', value, 'pose')"
        )
    score = value.detach().double().reshape(-1).cpu().numpy()
    if key.startswith('-'):
        score = -score
    return np.lexsort((score, layout.set_of_pose))
