"""How many bytes the graph of a pose takes."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_multipose.gradient.evaluation import Evaluation


def bytes_per_node(evaluation: Evaluation) -> float:
    r"""Bytes that plain autograd saves for each atom, measured on a chunk.

    Parameters and the batch's own tensors do not count.
    The run leaves no trace: random state and buffers are put back.

    Args:
        evaluation: What will be evaluated; not yet run.
    """
    outside = {
        tensor.untyped_storage().data_ptr() for tensor in evaluation.tensors
    }
    sizes: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in outside:
            sizes[storage.data_ptr()] = storage.nbytes()
        # Not the tensor: an output that its own graph holds is never freed.
        return tensor.detach()

    poses = evaluation.chunks[0]
    hooks = torch.autograd.graph.saved_tensors_hooks(note, lambda t: t)
    try:
        with torch.enable_grad(), hooks:
            # Alive until all is counted: an address counts once.
            graph = evaluation.predict(poses)
    finally:
        evaluation.replay.rewind()
        evaluation.counts.forward -= len(poses)
    nodes = int(evaluation.layout.nodes_per_pose[poses].sum())
    total = sum(sizes.values())
    del graph
    return total / nodes
