"""Gradient mode `recompute`: predictions first, graphs only where needed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pyg_multipose.data.transfer import to_device
from pyg_multipose.gradient.evaluation import Evaluation
from pyg_multipose.gradient.model.predictions import joined
from pyg_multipose.gradient.modes.held import Held
from pyg_multipose.gradient.modes.refusals import (
    refuse_batched,
    refuse_double_backward,
    saved_tensors,
)
from pyg_multipose.gradient.modes.second_pass import SecondPass
from pyg_multipose.gradient.replay.seal import Seal


class Recompute(torch.autograd.Function):
    r"""Two passes: all poses without graph, then those with :math:`c_i \ne 0`.

    Equations (1) and (2): the gradient of the loss is
    :math:`\sum_i c_i \, \partial y_i / \partial \theta` with
    :math:`c_i = \partial L / \partial y_i`.

    Besides the predictions of some chunks it gives all tensors once more, for
    the graphs of chunks that are held: their gradients come together here,
    where they can be looked at.

    Args:
        evaluation: The call.
        held: What is known of chunks that are held.
        seal: What must not change, closed before backward begins.
        numbers: The chunks that are evaluated here.
        tensors: Those of the call.

    Returns:
        Predictions, a ticket to the second pass for chunks that are held, and
        the tensors that require grad.
    """

    @staticmethod
    def forward(
        ctx: Any,
        evaluation: Evaluation,
        held: Held,
        seal: Seal,
        numbers: range,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        """First pass over some of the chunks."""
        ctx.set_materialize_grads(False)
        ctx.evaluation, ctx.held, ctx.numbers = evaluation, held, numbers
        ctx.seal = seal
        ctx.save_for_backward(*tensors)
        pieces = [evaluation.first(number) for number in numbers]
        out = joined(pieces).clone() if pieces else torch.zeros(0)
        ticket = out.new_zeros(())
        if pieces and not evaluation.differentiable:
            # Of chunks that are held, plain autograd tells.
            ctx.mark_non_differentiable(out)
        aliases = [t.detach() for t in tensors if t.requires_grad]
        return out, ticket, *aliases

    @staticmethod
    def backward(
        ctx: Any, grad: Tensor | None, ticket: Tensor | None, *grads: Any
    ) -> tuple[Any, ...]:
        """Second pass, if there is anything to do for one."""
        evaluation: Evaluation = ctx.evaluation
        sums = _placed(grads, ctx.needs_input_grad[4:])
        passed, again, mixed = ctx.held.taken()
        if mixed and not _finite(sums):
            # A pose without weight spoiled the others in its chunk.
            sums, again = [None] * len(sums), {**again, **passed}
        if grad is not None or again:
            refuse_double_backward('recompute')
            refuse_batched('recompute', grad)
            tensors = list(saved_tensors(ctx))
            change = ctx.seal.change(tensors)
            if change:
                raise RuntimeError(
                    f'The single-pose model or its input changed between '
                    f'forward and backward: {change}. The second pass of '
                    f"gradient='recompute' cannot reproduce the first. Call "
                    f"backward before any change, or use gradient='full'"
                )
            if grad is not None:
                chunks = [evaluation.chunks[number] for number in ctx.numbers]
                sizes = [len(poses) for poses in chunks]
                parts = grad.split(sizes)
                again = {**again, **dict(zip(ctx.numbers, parts, strict=True))}
            second = SecondPass(evaluation, tensors, ctx.needs_input_grad[4:])
            found = second.run(_coefficients(evaluation, again))
            sums = [_sum(*pair) for pair in zip(sums, found, strict=True)]
        return None, None, None, None, *sums


def _placed(grads: tuple[Any, ...], needed: tuple[bool, ...]) -> list[Any]:
    """Gradients of all tensors, from those of tensors that require grad."""
    given = iter(grads)
    return [next(given) if need else None for need in needed]


def _finite(grads: list[Tensor | None]) -> bool:
    return all(bool(g.isfinite().all()) for g in grads if g is not None)


def _sum(one: Tensor | None, two: Tensor | None) -> Tensor | None:
    if one is None or two is None:
        return two if one is None else one
    return one + two


def _coefficients(
    evaluation: Evaluation, by_chunk: dict[int, Tensor]
) -> Tensor:
    """Those of all poses; zero where nothing is to be done."""
    assert evaluation.predictions is not None
    out = torch.zeros_like(evaluation.predictions)
    for number, part in by_chunk.items():
        rows = to_device(evaluation.chunks[number], out.device)
        out[rows] = part.to(out.dtype)
    return out
