"""How many bytes the graph of a pose takes."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from pyg_multipose.gradient.evaluation import Evaluation
from pyg_multipose.gradient.model.requirements import modules_of
from pyg_multipose.gradient.model.twin import NoTwinError, aside, twin
from pyg_multipose.gradient.plan.counts import Counts
from pyg_multipose.gradient.receptors.cache import ReceptorCache
from pyg_multipose.gradient.replay.parameters import Parameters

Kind = tuple[object, ...]


def kind_of(evaluation: Evaluation) -> Kind:
    r"""Calls of one kind take about as many bytes per atom.

    Args:
        evaluation: A call.
    """
    return (
        evaluation.model.training,
        evaluation.replay.autocast_dtype,
        tuple(evaluation.differentiable_keys),
        evaluation.receptors is not None,
        evaluation.whole_poses,
        # Edges weigh more than atoms: dense graphs are another kind.
        round(math.log2(1 + evaluation.edges_per_node)),
    )


def gradient_bytes(evaluation: Evaluation, states: float) -> int:
    r"""Bytes of one gradient of parameters and states for each set.

    Args:
        evaluation: A call.
        states: Bytes of the states of receptors.
    """
    size = states + sum(
        tensor.numel() * max(tensor.element_size(), 4)
        for tensor in evaluation.parameters.tensors
        if tensor.requires_grad
    )
    return math.ceil(size) * evaluation.layout.num_sets


def bytes_per_node(evaluation: Evaluation) -> float:
    r"""Bytes that plain autograd saves for each atom, measured on a chunk.

    Parameters and the batch's own tensors do not count.
    A copy of the model runs, so there is no trace of it.

    Args:
        evaluation: What will be evaluated; not yet run.

    Raises:
        NoTwinError: If the model cannot be copied.
    """
    copied = _twin(evaluation)
    poses = evaluation.chunks[0]
    while True:
        try:
            total = _saved(copied, partial(copied.predict, poses))
            return total / int(copied.pose_nodes[poses].sum())
        except torch.OutOfMemoryError:
            if len(poses) == 1:
                raise
        poses = poses[: len(poses) // 2]
        torch.cuda.empty_cache()


def receptor_bytes(evaluation: Evaluation) -> tuple[float, float]:
    r"""Bytes for each atom of a shared receptor: of its graph, and its state.

    Measured on one receptor, as in :func:`bytes_per_node`.

    Args:
        evaluation: What will be evaluated, with a receptor at least.

    Raises:
        NoTwinError: If the model cannot be copied.
    """
    copied = _twin(evaluation)
    assert copied.receptors is not None
    index = copied.receptors.sets[0]
    graph = copied.layout.compose_receptor(copied.tables, index)
    total = _saved(copied, partial(copied.sharer.encode_receptor, graph))
    atoms = copied.layout.receptor_size[copied.receptors.sets]
    state = sum(
        tensor.numel() * max(tensor.element_size(), 4)
        for tensor in copied.states
        if tensor.requires_grad
    )
    return total / int(atoms[0]), state / int(atoms.sum())


def _twin(evaluation: Evaluation) -> Evaluation:
    """The same call of a copy of the model, which leaves no trace."""
    out = copy.copy(evaluation)
    out.sharer = twin(evaluation.sharer)
    holds = evaluation.sharer is not evaluation.model
    out.model = out.sharer.model if holds else out.sharer
    out.parameters = Parameters(modules_of(out.model.modules()))
    out.counts = Counts(evaluation.layout.num_poses)
    device = evaluation.layout.device
    if out.receptors is not None and not out.receptors.encoded:
        out.receptors = out.receptors.fresh()
        with aside(device, out.model), torch.enable_grad():
            out.receptors.encode(out.sharer, ReceptorCache())
    return out


def _saved(evaluation: Evaluation, run: Callable[[], Any]) -> int:
    """What autograd saves in a run of a copy."""
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

    hooks = torch.autograd.graph.saved_tensors_hooks(note, lambda t: t)
    device = evaluation.layout.device
    with aside(device, evaluation.model), torch.enable_grad(), hooks:
        # Alive until all is counted: an address counts once.
        try:
            graph = run()
        except RuntimeError as error:
            if 'saved tensor hooks' not in str(error):
                raise
            raise NoTwinError(
                f'what its graph takes cannot be measured ({error})'
            ) from error
        for leaf in pytree.tree_leaves(graph):
            if isinstance(leaf, Tensor):
                note(leaf)
    total = sum(sizes.values())
    del graph
    return total
