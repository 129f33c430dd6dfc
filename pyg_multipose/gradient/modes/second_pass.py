"""The second pass: poses that matter are evaluated again, with a graph."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.data.transfer import to_device
from pyg_multipose.gradient.evaluation import Evaluation
from pyg_multipose.gradient.modes.accumulator import Accumulator
from pyg_multipose.gradient.plan.out_of_memory import WHOLE, smaller
from pyg_multipose.gradient.receptors.unsuited import UnsuitedError
from pyg_multipose.gradient.replay.comparison import Comparison, Mismatch
from pyg_multipose.gradient.replay.parameters import aliases

#: Chunks of the second pass: the number of the first pass, and the poses.
Chunks = list[tuple[int | None, np.ndarray]]


class SecondPass:
    r"""Replays chunks of a call and sums gradients.

    Args:
        evaluation: The call, whose first pass is over.
        tensors: Its tensors, as they were then.
        needed: Which of them need a gradient.
    """

    def __init__(
        self,
        evaluation: Evaluation,
        tensors: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> None:
        assert evaluation.predictions is not None
        self.evaluation = evaluation
        self.first = evaluation.predictions
        self.running = evaluation.chunks[0]
        self.largest = max(evaluation.nodes_of(evaluation.chunks))
        self.parameters, self.states, self.tables = evaluation.parts(
            aliases(tensors, needed)
        )
        # Of inputs, the leaf is a chunk's own.
        self.tables = {
            key: value.detach() if isinstance(value, Tensor) else value
            for key, value in self.tables.items()
        }
        self.wanted = [
            key
            for key, need in zip(
                evaluation.keys,
                needed[len(needed) - len(evaluation.keys) :],
                strict=True,
            )
            if need
        ]

    def run(self, grad: Tensor) -> list[Tensor | None]:
        r"""Gradients of all tensors.

        Args:
            grad: The coefficients of all poses; those with zero are left out.
        """
        matters = grad.ne(0)  # NaN and inf too
        if grad.dim() > 1:
            matters = matters.any(dim=1)
        matter = matters.cpu().numpy()
        if not self.evaluation.replay.whole_chunks:
            try:
                return self._run_regrouped(grad, matter)
            except (Mismatch, UnsuitedError):
                # Perhaps poses, or the way of the model, depend on the
                # chunk: keep it as it was.
                pass
        whole: Chunks = [
            (number, poses)
            for number, poses in enumerate(self.evaluation.chunks)
            if matter[poses].any()
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
        poses = matter.nonzero()[0]
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
                graphs, leaves = evaluation.composer.leaves(
                    poses, self.tables, self.wanted
                )
                again = evaluation.call(graphs, poses, self.states)
                rows = to_device(poses, grad.device)
                evaluation.check_leaves(again, [*shared, *leaves.values()])
                compared.add(again, self.first[rows], poses, number is None)
                if not again.requires_grad:
                    continue
                again.backward(grad[rows].to(again.dtype))
                any_backward = True
                evaluation.counts.backward += len(poses)
                sums.collect()
                for key, leaf in leaves.items():
                    if leaf.grad is not None:
                        where = evaluation.composer.rows(key, poses)
                        part = leaf.grad.to(where.device)
                        input_sums[key].index_add_(0, where, part)
        compared.check()
        return [
            *sums.totals(any_backward),
            *(input_sums.get(key) for key in evaluation.keys),
        ]
