"""Chunks whose graphs are held until backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pyg_multipose.gradient.evaluation import Evaluation
from pyg_multipose.gradient.modes.refusals import is_transformed
from pyg_multipose.gradient.plan.planner import BACKWARD


class Held:
    r"""What is known of the chunks of a call whose graphs are held.

    A backward pass through such a graph takes all poses of its chunk along,
    those without weight too, whose derivative need not be finite: zero times
    infinity is not a number. Where few matter, it also costs more than to
    evaluate these again.

    Args:
        evaluation: The call.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self.whole = evaluation.replay
        self.counts = evaluation.counts
        #: Coefficients of chunks that went through their graph.
        self.passed: dict[int, Tensor] = {}
        #: Those of chunks whose poses are evaluated again.
        self.again: dict[int, Tensor] = {}
        #: Whether poses without weight went through a graph.
        self.mixed = False

    def taken(self) -> tuple[dict[int, Tensor], dict[int, Tensor], bool]:
        r"""All of this, which is over with it for this backward pass."""
        out = self.passed, self.again, self.mixed
        self.passed, self.again, self.mixed = {}, {}, False
        return out


class Route(torch.autograd.Function):
    r"""A chunk's predictions; its backward goes through the graph, or not.

    Args:
        held: Where to leave word.
        number: The number of the chunk.
        ticket: What leads to the second pass.
        out: The predictions, with their graph.
    """

    @staticmethod
    def forward(
        ctx: Any, held: Held, number: int, ticket: Tensor, out: Tensor
    ) -> Tensor:
        """Only a junction."""
        ctx.held, ctx.number = held, number
        return out.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        """Coefficients are zero where a pose does not matter."""
        held: Held = ctx.held
        if torch.is_grad_enabled() or is_transformed(grad):
            return None, None, None, grad  # plain autograd
        zero = grad.new_zeros(())
        held.passed[ctx.number] = grad
        if not grad.is_cpu:  # to look is to wait
            held.mixed = not held.whole.whole_chunks
            held.counts.backward += len(grad)
            return None, None, zero, grad
        left = grad.ne(0).reshape(len(grad), -1).any(dim=1)
        matter = int(left.sum())
        if matter < len(grad) and not held.whole.whole_chunks:
            if matter * (1 + BACKWARD) < len(grad) * BACKWARD:
                held.again[ctx.number] = held.passed.pop(ctx.number)
                return None, None, zero, None
            held.mixed = True
        held.counts.backward += len(grad)
        return None, None, zero, grad
