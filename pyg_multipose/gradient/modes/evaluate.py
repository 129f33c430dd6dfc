"""The primitive: a single-pose model over many poses, differentiable."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.data import Layout
from pyg_multipose.data.transfer import to_device
from pyg_multipose.gradient.evaluation import Evaluation
from pyg_multipose.gradient.model.finite import screen
from pyg_multipose.gradient.model.predictions import joined
from pyg_multipose.gradient.modes.gate import Gate, all_matter, negligible
from pyg_multipose.gradient.modes.held import Held, Route
from pyg_multipose.gradient.modes.recompute import Recompute
from pyg_multipose.gradient.modes.refusals import is_transformed
from pyg_multipose.gradient.plan.counts import Counts
from pyg_multipose.gradient.replay.seal import Seal


def evaluate(
    evaluation: Evaluation,
    keep: int | None = None,
    tolerance: float | None = None,
    draws: Tensor | None = None,
) -> Tensor:
    r"""Predictions of all poses, with the graphs of some chunks held.

    Mode `full` is :obj:`keep=None`, mode `recompute` is :obj:`keep=0`; what
    lies between holds as many graphs as fit.

    Args:
        evaluation: What to evaluate.
        keep: The number of chunks whose graphs are held; the rest is
            evaluated again in backward, if it matters.
            (default: :obj:`None`, all, by plain autograd and nothing else)
        tolerance: The share of the mass of a set that may be dropped.
            (default: :obj:`None`, epsilon)
        draws: Uniform random numbers of shape :obj:`[num_sets, K]`, by which
            at most :math:`K` poses of a set are drawn for backward.
            (default: :obj:`None`, all that matter)

    Returns:
        Predictions of shape :obj:`[num_poses]` or :obj:`[num_poses, F]`.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.nn import SumAggregation
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.gradient import Evaluation, evaluate
        >>> poses = [Data(x=torch.full((2, 1), x)) for x in (1.0, 3.0, 2.0)]
        >>> pose_set = PoseSet.from_poses(poses)
        >>> _ = pose_set.x.requires_grad_()
        >>> evaluation = Evaluation(SumAggregation(), pose_set, 'x, batch')
        >>> out = evaluate(evaluation, keep=0)
        >>> out.detach()
        tensor([2., 6., 4.])
        >>> out.backward(torch.tensor([0.0, 0.75, 0.25]))
        >>> pose_set.x.grad.view(-1)
        tensor([0.0000, 0.0000, 0.7500, 0.7500, 0.2500, 0.2500])
    """
    evaluation.encode()
    if keep is None and draws is None:
        return _plain(evaluation, tolerance)
    count = len(evaluation.chunks)
    start = 0 if keep is None else max(count - keep, 0)
    # Graphs that are held come last, so that autograd goes through them
    # first, and they are gone when the second pass needs room.
    rest, kept = range(start), range(start, count)
    held, seal = Held(evaluation), Seal(evaluation)
    with evaluation.replay.first_pass(again=True):
        out, ticket, *aliases = Recompute.apply(
            evaluation, held, seal, rest, *evaluation.tensors
        )
        given = iter(aliases)
        parameters, states, tables = evaluation.parts(
            [next(given) if t.requires_grad else t for t in evaluation.tensors]
        )
        with evaluation.on(parameters):
            graphs = [
                evaluation.recorded(number, states, tables) for number in kept
            ]
            pieces = [out, *graphs] if rest else graphs
            evaluation.predictions = joined([p.detach() for p in pieces])
            screen(evaluation, evaluation.predictions)
            if not evaluation.finite.all():
                again = partial(
                    evaluation.predict, states=states, tables=tables
                )
                graphs = [
                    _without_masked(evaluation, number, graph, again)
                    for number, graph in zip(kept, graphs, strict=True)
                ]
    seal.close()
    chunks = evaluation.chunks
    poses = [np.concatenate(chunks[:start])] if rest else []
    poses += chunks[start:]
    graphs = [
        Route.apply(held, number, ticket, graph)
        if graph.requires_grad
        else graph
        for number, graph in zip(kept, graphs, strict=True)
    ]
    pieces = [out, *graphs] if rest else graphs
    evaluation.release()
    return Gate.apply(
        evaluation.layout,
        tolerance,
        draws,
        evaluation.counts,
        poses,
        *pieces,
    )


def _plain(evaluation: Evaluation, tolerance: float | None) -> Tensor:
    """Plain autograd and nothing else."""
    with evaluation.replay.first_pass():
        pieces = [
            evaluation.recorded(number)
            for number in range(len(evaluation.chunks))
        ]
        screen(evaluation, joined([piece.detach() for piece in pieces]))
        if not evaluation.finite.all():
            pieces = [
                _without_masked(evaluation, number, piece, evaluation.predict)
                for number, piece in enumerate(pieces)
            ]
    out = joined(pieces)
    if out.requires_grad:
        counts, layout = evaluation.counts, evaluation.layout
        out.register_hook(partial(_count, counts, layout, tolerance))
    return out


# A hook must not hold the evaluation: it stays as long as the loss does.
def _count(
    counts: Counts,
    layout: Layout,
    tolerance: float | None,
    gradient: Tensor | None,
) -> None:
    """Counts a backward pass of all poses, for what it matters."""
    if gradient is not None and is_transformed(gradient):
        return  # many gradients at once
    counts.note_backward(gradient)
    if gradient is None or layout.num_poses == layout.num_sets:
        return
    counts.mattered = len(gradient)
    if not all_matter(gradient, layout, tolerance):
        counts.mattered -= int(negligible(gradient, layout, tolerance).sum())


def predict(evaluation: Evaluation) -> Tensor:
    r"""Predictions of all poses without gradient; nothing else is held.

    Args:
        evaluation: What to evaluate.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.nn import SumAggregation
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.gradient import Evaluation, predict
        >>> poses = [Data(x=torch.full((2, 1), x)) for x in (1.0, 3.0, 2.0)]
        >>> pose_set = PoseSet.from_poses(poses)
        >>> predict(Evaluation(SumAggregation(), pose_set, 'x, batch'))
        tensor([2., 6., 4.])
    """
    evaluation.encode()
    graph = torch.is_grad_enabled()
    for state in evaluation.states if graph else ():
        # Nothing asks for a gradient, so it leads to a leaf nobody knows of.
        evaluation.check_leaves(state, [])
    with evaluation.replay.first_pass(), torch.no_grad():
        # A leaf that nobody knows of would be lost here too.
        pieces = [
            evaluation.first(number, graph)
            for number in range(len(evaluation.chunks))
        ]
        out = joined(pieces)
        screen(evaluation, out)
    return out


def _without_masked(
    evaluation: Evaluation,
    number: int,
    piece: Tensor,
    predict: Callable[[np.ndarray], Tensor],
) -> Tensor:
    """A held graph without the poses that are masked: 0 times NaN is NaN."""
    poses = evaluation.chunks[number]
    finite = evaluation.finite[poses]
    if finite.all():
        return piece
    if not finite.any():
        return piece.detach()
    rows = to_device(finite.nonzero()[0], piece.device)
    return piece.detach().index_put((rows,), predict(poses[finite]))
