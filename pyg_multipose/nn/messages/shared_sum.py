r"""Filtered messages of poses beside a receptor that is shared."""

from typing import Any

import torch
from torch import Tensor

from pyg_multipose.nn.messages.kernel import is_plain_call
from pyg_multipose.nn.messages.message_sum import (
    message_gradients,
    message_sum,
)
from pyg_multipose.nn.messages.senders import senders
from pyg_multipose.nn.messages.shared_kernel import (
    shared_gradients,
    shared_products,
)


def shared_sum(
    onto: Tensor,
    source: Tensor,
    alone: Tensor,
    edge_index: Tensor,
    filters: Tensor,
    rows: Tensor | None = None,
    atoms: Tensor | None = None,
) -> Tensor:
    r"""Adds filtered messages to sums at their targets.

    It is :func:`~pyg_multipose.nn.messages.message_sum.message_sum` of what
    :func:`~pyg_multipose.nn.messages.senders.senders` returns. For backward
    it keeps its arguments only; with numba, senders are never one table.

    Args:
        onto: Sums :math:`(n, F)`, which may be written to.
        source: What atoms of poses send :math:`(m, F)`.
        alone: What the atoms of the receptor send alone :math:`(R, F)`.
        edge_index: Sources and targets :math:`(2, E)`. Sources are rows of
            :obj:`source`, or, beyond these, of :obj:`alone`.
        filters: Filters :math:`(r, F)`.
        rows: The filter of every edge :math:`(E)`; :obj:`None`: edge
            :math:`e` has filter :math:`e`. (default: :obj:`None`)
        atoms: The receptor atom of every row of :obj:`source` :math:`(m)`, if
            differences are sent. (default: :obj:`None`)

    Returns:
        Sums :math:`(n, F)`.
    """
    tables = onto, source, alone, filters
    same = all(x.dtype == onto.dtype for x in tables)
    if same and onto.is_contiguous() and is_plain_call(*tables):
        arguments = *tables, *edge_index, rows, atoms
        if not torch.is_grad_enabled():
            return _add(*arguments)
        out: Tensor = _SharedSum.apply(*arguments)  # type: ignore
        return out
    sent = senders(source, alone, atoms)
    return message_sum(sent, edge_index, filters, onto.size(0), rows, onto)


def _add(
    onto: Tensor,
    source: Tensor,
    alone: Tensor,
    filters: Tensor,
    i: Tensor,
    k: Tensor,
    rows: Tensor | None,
    atoms: Tensor | None,
) -> Tensor:
    tables = onto, source, alone, filters
    if not shared_products(*tables, (i, k, rows, atoms)):
        sent, edge_index = senders(source, alone, atoms), torch.stack([i, k])
        message_sum(sent, edge_index, filters, onto.size(0), rows, onto)
    return onto


class _SharedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, onto: Tensor, *inputs: Any) -> Tensor:
        ctx.mark_dirty(onto)
        ctx.save_for_backward(*inputs)
        return _add(onto, *inputs)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,), needs = grads, ctx.needs_input_grad
        source, alone, filters, i, k, rows, atoms = ctx.saved_tensors
        found = None
        if not torch.is_grad_enabled():
            tables = grad.contiguous(), source, alone, filters
            found = shared_gradients(*tables, (i, k, rows, atoms), needs[1:4])
        if found is None:
            sent = senders(source, alone, atoms)
            more = needs[1] or needs[2], needs[3]
            edges = i, rows, k
            grad_sent, *rest = message_gradients(
                grad, sent, filters, edges, more
            )
            found = [*_parted(grad_sent, alone, atoms), *rest]
        return grad if needs[0] else None, *found, None, None, None, None


def _parted(
    grad: Tensor | None, alone: Tensor, atoms: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of both tables that send."""
    if grad is None:
        return None, None
    if atoms is None:
        first = grad.size(0) - alone.size(0)
        return grad[:first], grad[first:]
    zeros = grad.new_zeros(alone.size())
    return grad, zeros.index_add(0, atoms, grad, alpha=-1)
