"""Which poses go through the model together."""

from __future__ import annotations

import numpy as np
import torch

from pyg_multipose.data import Layout
from pyg_multipose.data.layout import Poses

#: Atoms of a chunk if nothing is asked for. Small chunks stay in a CPU's
#: cache; a GPU wants enough work to hide the launch of its kernels.
NODES_ON_CPU = 512
NODES_ON_GPU = 32768
#: Ligand atoms, where the receptor is not evaluated with every pose.
LIGAND_NODES_ON_CPU = 256


def split(
    layout: Layout,
    max_nodes: int | None,
    device: torch.device,
    within_sets: bool = False,
    poses: Poses | None = None,
    size: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> list[np.ndarray]:
    r"""Cuts poses into chunks of at most :obj:`max_nodes` atoms.

    Poses stay in order, and a pose with more atoms goes alone.
    The boundaries depend on the batch and on :obj:`max_nodes` only.

    Args:
        layout: Where the poses lie.
        max_nodes: The most atoms of a chunk, receptor included.
        device: Where the model runs.
        within_sets: Whether chunks end where sets end.
            (default: :obj:`False`)
        poses: Numbers of the poses. (default: :obj:`None`, all)
        size: Atoms that each pose counts for, :obj:`[num_poses]`.
            (default: :obj:`None`, those of its complex)
        groups: Poses of two groups never share a chunk, :obj:`[num_poses]`.
            (default: :obj:`None`, one group)
    """
    if max_nodes is None:
        max_nodes = NODES_ON_CPU if device.type == 'cpu' else NODES_ON_GPU
    every = np.arange(layout.num_poses)
    chosen = every if poses is None else np.asarray(poses, dtype=np.int64)
    if within_sets:
        groups = layout.set_of_pose
    # Lists: to walk through arrays takes several times longer.
    size = layout.nodes_per_pose if size is None else size
    sizes = size[chosen].tolist()
    parts = [0] * len(sizes) if groups is None else groups[chosen].tolist()
    chunks: list[np.ndarray] = []
    start, total = 0, 0
    for end, nodes in enumerate(sizes):
        ends = end > start and parts[end] != parts[end - 1]
        if end > start and (total + nodes > max_nodes or ends):
            chunks.append(chosen[start:end])
            start, total = end, 0
        total += nodes
    if len(chosen):
        chunks.append(chosen[start:])
    return chunks
