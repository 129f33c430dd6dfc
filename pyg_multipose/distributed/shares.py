r"""The poses of a batch that each rank evaluates."""

from __future__ import annotations

import numpy as np
from torch_geometric.data import Batch

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.data.levels import Level, Levels
from pyg_multipose.loader.dealing import deal


def shares_of(layout: Layout, ranks: int) -> list[np.ndarray]:
    r"""Deals poses to ranks, evenly by their atoms.

    Poses of a set have as many each, so they are dealt in turn: docked poses
    come sorted, and those that matter are not all of one rank.

    Args:
        layout: Where the poses of a batch lie.
        ranks: The number of ranks.

    Returns:
        The numbers of the poses of each rank.
    """
    shares = deal(layout.pose_size, ranks)
    return [np.array(share, dtype=np.int64) for share in shares]


#: Poses that the name of a share tells.
_SHOWN = 12


def taken(batch: PoseSet, layout: Layout, poses: np.ndarray) -> PoseSet:
    r"""A batch of some of the poses, without sets that have none of them.

    The name of a set tells which of its poses these are, for messages.

    What is known of whole sets, such as a label, is left out, but names.

    Args:
        batch: A pose set or a batch of them.
        layout: Its layout, where the batch is.
        poses: Numbers of poses, at least one.
    """
    store = batch.stores[0]
    level: dict[str, Level] = {
        key: name for key, name in layout.levels.items() if name != 'set'
    }
    tables = {
        key: value
        for key, value in store.items()
        if key in level or key == 'num_nodes'
    }
    texts = {key: store.get(key) for key in ('name', 'receptor_name')}
    level.update(
        {key: 'set' for key, value in texts.items() if value is not None}
    )
    parts = []
    for index in np.unique(layout.set_of_pose[poses]).tolist():
        own = poses[layout.set_of_pose[poses] == index]
        ptr = layout.set_ptr[index]
        part = PoseSet()
        for key, value in layout.select(tables, own, index).items():
            part[key] = value
        for key, value in texts.items():
            if value is not None:
                part[key] = value if isinstance(value, str) else value[index]
        part['name'] = _called(part.get('name') or str(index), own - ptr)
        part['levels'] = str(Levels({**level, 'name': 'set'}))
        parts.append(part)
    return Batch.from_data_list(parts)


def _called(name: str, poses: np.ndarray) -> str:
    numbers = ', '.join(map(str, poses[:_SHOWN].tolist()))
    more = ', ...' if len(poses) > _SHOWN else ''
    return f'{name} (of its poses {numbers}{more})'
