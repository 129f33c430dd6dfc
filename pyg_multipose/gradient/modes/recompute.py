"""Gradient mode `recompute`: predictions first, graphs only where needed."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.data.transfer import to_device
from pyg_multipose.gradient.evaluation import Evaluation
from pyg_multipose.gradient.model.predictions import joined
from pyg_multipose.gradient.modes.accumulator import Accumulator
from pyg_multipose.gradient.plan.out_of_memory import WHOLE, smaller
from pyg_multipose.gradient.replay.comparison import Comparison, Mismatch
from pyg_multipose.gradient.replay.foreign_leaf import check_closure
from pyg_multipose.gradient.replay.parameters import aliases

#: Chunks of the second pass: the number of the first pass, and the poses.
Chunks = list[tuple[int | None, np.ndarray]]


class Recompute(torch.autograd.Function):
    r"""Two passes: all poses without graph, then those with :math:`c_i \ne 0`.

    Equations (1) and (2): the gradient of the loss is
    :math:`\sum_i c_i \, \partial y_i / \partial \theta` with
    :math:`c_i = \partial L / \partial y_i`.
    """

    @staticmethod
    def forward(
        ctx: Any, evaluation: Evaluation, numbers: range, *tensors: Tensor
    ) -> Tensor:
        """First pass over some of the chunks."""
        first, *others = numbers
        predictions = joined(
            [evaluation.probed(first), *map(evaluation.recorded, others)]
        )
        ctx.evaluation, ctx.numbers = evaluation, numbers
        ctx.save_for_backward(predictions, *tensors)
        out = predictions.clone()
        if not evaluation.differentiable:
            ctx.mark_non_differentiable(out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        """Second pass."""
        refuse_double_backward('recompute')
        evaluation: Evaluation = ctx.evaluation
        first, *tensors = saved_tensors(ctx)
        if not evaluation.unchanged(tensors):
            raise RuntimeError(
                'Parameters, buffers or inputs of the single-pose model '
                'changed between forward and backward, so the second pass of '
                "gradient='recompute' cannot reproduce the first. Call "
                "backward before the optimizer's step, or use gradient='full'"
            )
        second = SecondPass(ctx, first, tensors)
        return None, None, *second.run(grad)


class SecondPass:
    """The backward of some chunks: replays them and sums gradients."""

    def __init__(self, ctx: Any, first: Tensor, tensors: list[Tensor]) -> None:
        evaluation: Evaluation = ctx.evaluation
        self.evaluation = evaluation
        self.first = first
        self.chunks: Chunks = [
            (number, evaluation.chunks[number]) for number in ctx.numbers
        ]
        self.start = int(self.chunks[0][1][0])  # the first pose
        self.running = self.chunks[0][1]
        self.largest = max(
            evaluation.nodes_of([poses for _, poses in self.chunks])
        )
        count = len(evaluation.slots.tensors)
        needed = ctx.needs_input_grad[2:]
        self.parameters = aliases(tensors[:count], needed[:count])
        start, count = count, count + evaluation.num_states
        self.states = aliases(tensors[start:count], needed[start:count])
        inputs = dict(zip(evaluation.keys, tensors[count:], strict=True))
        self.tables = {**evaluation.tables, **inputs}
        self.wanted = [
            key
            for key, need in zip(evaluation.keys, needed[count:], strict=True)
            if need
        ]

    def run(self, grad: Tensor) -> list[Tensor | None]:
        """Gradients of all tensors, for the coefficients `grad`."""
        matters = grad.ne(0)  # NaN and inf too
        if grad.dim() > 1:
            matters = matters.any(dim=1)
        matter = matters.cpu().numpy()
        if not self.evaluation.replay.whole_chunks:
            try:
                return self._run_regrouped(grad, matter)
            except Mismatch:
                # Perhaps poses depend on their chunk: keep it as it was.
                pass
        whole = [
            (number, poses)
            for number, poses in self.chunks
            if matter[poses - self.start].any()
        ]
        try:
            return self._run(grad, whole)
        except torch.OutOfMemoryError as error:
            smaller(self.evaluation, self.running, self.largest, error, WHOLE)
            raise

    def _run_regrouped(
        self, grad: Tensor, matter: np.ndarray
    ) -> list[Tensor | None]:
        """Only the poses that matter, in chunks no larger than before."""
        most = self.largest
        while True:
            try:
                return self._run(grad, self._regrouped(matter, most))
            except torch.OutOfMemoryError as error:
                most = smaller(self.evaluation, self.running, most, error)
            # Out of the handler, nothing holds the pass that failed.
            self.evaluation.counts.most_nodes = most
            torch.cuda.empty_cache()
            warnings.warn(
                f'Out of memory; the second pass starts again with chunks of '
                f'at most {most} atoms, and so will the next ones',
                stacklevel=2,
            )

    def _regrouped(self, matter: np.ndarray, most_nodes: int) -> Chunks:
        poses = matter.nonzero()[0] + self.start
        chunks = self.evaluation.split(most_nodes, poses=poses)
        return [(None, poses) for poses in chunks]

    def _run(self, grad: Tensor, chunks: Chunks) -> list[Tensor | None]:
        evaluation = self.evaluation
        shared = [*self.parameters, *self.states]
        sums = Accumulator(shared)
        input_sums = {
            key: torch.zeros_like(self.tables[key], requires_grad=False)
            for key in self.wanted
        }
        any_backward = False
        compared = Comparison(evaluation, self.first)
        for leaf in shared:
            leaf.grad = None  # of a chunk that ran out of memory
        with evaluation.replay.second_pass(), evaluation.on(self.parameters):
            for number, poses in chunks:
                self.running = poses
                evaluation.replay.enter(number)
                graphs, leaves = evaluation.graphs(
                    poses, self.tables, self.wanted
                )
                again = evaluation.call(graphs, poses, self.states)
                rows = to_device(poses - self.start, grad.device)
                check_closure(
                    evaluation.model, again, [*shared, *leaves.values()]
                )
                compared.add(again, self.first[rows], poses, number is None)
                if not again.requires_grad:
                    continue
                again.backward(grad[rows].to(again.dtype))
                any_backward = True
                evaluation.counts.backward += len(poses)
                sums.collect()
                for key, leaf in leaves.items():
                    if leaf.grad is not None:
                        where = evaluation.rows(key, poses)
                        part = leaf.grad.to(where.device)
                        input_sums[key].index_add_(0, where, part)
        compared.check()
        return [
            *sums.totals(any_backward),
            *(input_sums.get(key) for key in evaluation.keys),
        ]


def saved_tensors(ctx: Any) -> tuple[Tensor, ...]:
    r"""What was saved, unless it was changed in place.

    Args:
        ctx: The context of an autograd Function.
    """
    try:
        return ctx.saved_tensors
    except RuntimeError as error:
        if 'inplace' not in str(error):
            raise  # a second backward without retain_graph
        raise RuntimeError(
            f'A parameter or an input of the single-pose model changed '
            f'between forward and backward; call backward before the '
            f"optimizer's step. ({error})"
        ) from None


def refuse_double_backward(mode: str) -> None:
    r"""Raises under :obj:`create_graph=True`.

    (:func:`once_differentiable` stays silent when the upstream gradient does
    not require grad, as in every loss on forces.)

    Args:
        mode: The gradient mode.
    """
    if torch.is_grad_enabled():
        raise RuntimeError(
            f"gradient='{mode}' (as asked for, or as 'auto' chose) does not "
            f'support double backward (create_graph=True, for example forces '
            f"in the loss). Use MultiPoseReadout(..., gradient='full')"
        )
