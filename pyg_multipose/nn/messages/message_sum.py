r"""Filtered messages, summed without a product for every edge in memory."""

from typing import Any

import torch
from torch import Tensor

from pyg_multipose.nn.messages.function import ApartFunction, apply
from pyg_multipose.nn.messages.product_kernel import product_sum


def message_sum(
    source: Tensor,
    edge_index: Tensor,
    filters: Tensor,
    dim_size: int,
    rows: Tensor | None = None,
    onto: Tensor | None = None,
) -> Tensor:
    r"""Multiplies what atoms send by filters, and sums it at the targets.

    .. math::
        \mathbf{A}_i = \sum_{e = (j, i)} \mathbf{s}_j \odot
        \mathbf{W}_{r(e)}

    For backward it keeps its arguments only, so nothing grows with the number
    of edges but indices; PyTorch would keep two more tensors
    :math:`(E, F)`. It may be differentiated any number of times. With numba
    it takes one pass over the edges.

    Args:
        source: What every atom sends :math:`(m, F)`.
        edge_index: Rows of :obj:`source` and targets :math:`(2, E)`.
        filters: Filters :math:`(R, F)`.
        dim_size: The number of targets :math:`n`.
        rows: The filter of every edge :math:`r(e)`, :math:`(E)`;
            :obj:`None`: edge :math:`e` has filter :math:`e`.
            (default: :obj:`None`)
        onto: Sums :math:`(n, F)` to which these are added, which may be done
            in place. (default: :obj:`None`, zeros)

    Returns:
        Sums :math:`(n, F)`, in the wider type of the two.
    """
    dtype = torch.promote_types(source.dtype, filters.dtype)
    if onto is not None and (onto.dtype != dtype or not onto.is_contiguous()):
        more = message_sum(source, edge_index, filters, dim_size, rows)
        return onto + more
    out: Tensor = apply(
        _ProductSum,
        source.to(dtype),
        filters.to(dtype),
        edge_index[0],
        rows,
        edge_index[1],
        dim_size,
        onto,
    )
    return out


def message_gradients(
    grad: Tensor,
    source: Tensor,
    filters: Tensor,
    edges: tuple[Tensor | None, Tensor | None, Tensor | None],
    needs: tuple[bool, bool],
) -> tuple[Tensor | None, Tensor | None]:
    r"""The gradients of :func:`message_sum`, differentiable themselves.

    Args:
        grad: The gradient of the sums :math:`(n, F)`.
        source: As there.
        filters: As there.
        edges: The source, the filter and the target of every edge.
        needs: Which gradients of :obj:`source` and :obj:`filters` to return.

    Returns:
        These two, where not needed :obj:`None`.
    """
    i, j, k = edges
    sizes = source.size(0), filters.size(0)
    return (
        apply(_ProductSum, grad, filters, k, j, i, sizes[0], None)
        if needs[0]
        else None,
        apply(_ProductSum, grad, source, k, i, j, sizes[1], None)
        if needs[1]
        else None,
    )


#: Edges of one block on a CPU, whose messages then stay in its cache.
_BLOCK = 1024


class _ProductSum(ApartFunction):
    # out[k] = sum_e a[i_e] * b[j_e] over the edges with k_e = k. Under a
    # product with a gradient g[k_e] all three play one part, so both
    # derivatives are sums of this kind, too: of g and b, and of g and a.
    @staticmethod
    def forward(
        a: Tensor,
        b: Tensor,
        i: Tensor | None,
        j: Tensor | None,
        k: Tensor | None,
        size: int,
        onto: Tensor | None = None,
    ) -> Tensor:
        fused = product_sum(a, b, i, j, k, size, onto)
        if fused is not None:
            return fused
        if k is None:
            return _rows(a, i) * _rows(b, j)
        out = a.new_zeros(size, a.size(1)) if onto is None else onto
        blocks = [slice(None)]
        if a.device.type == 'cpu' and not torch.compiler.is_compiling():
            starts = range(0, k.numel(), _BLOCK)
            blocks = [slice(start, start + _BLOCK) for start in starts]
        for at in blocks:
            left, right = _rows(a, i, at), _rows(b, j, at)
            # In place where it is a copy:
            product = left * right if i is None else left.mul_(right)
            out.index_add_(0, k[at], product)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        a, b, *indices, _, onto = inputs
        ctx.save_for_backward(a, b, *indices)
        ctx.has_onto = onto is not None
        if onto is not None:
            ctx.mark_dirty(onto)

    @staticmethod
    def backward(ctx: Any, *grad: Any) -> Any:
        a, b, i, j, k = ctx.saved_tensors
        needs = ctx.needs_input_grad[:2]
        grads = message_gradients(grad[0], a, b, (i, j, k), needs)
        grad_onto = grad[0] if ctx.has_onto else None
        return *grads, None, None, None, None, grad_onto


def _rows(x: Tensor, index: Tensor | None, at: slice = slice(None)) -> Tensor:
    return x[at] if index is None else x.index_select(0, index[at])
