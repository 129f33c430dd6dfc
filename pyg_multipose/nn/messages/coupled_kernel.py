r"""Sums of coupled products over edges, and their gradients, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.nn.messages.kernel import Kernel, can_run

if TYPE_CHECKING:
    from pyg_multipose.nn.messages.coupled_sum import Group

#: Source and target of every edge, and its row or :obj:`None`.
Edges = tuple[Tensor, Tensor, Tensor | None]


def coupled_products(
    x: Tensor,
    y: Tensor,
    w: Tensor,
    groups: tuple[Group, ...],
    edges: Edges,
    size: tuple[int, int],
    onto: Tensor | None = None,
) -> Tensor | None:
    r"""Sums coupled products target by target, edge by edge.

    Nothing is sorted or filled up, and what an edge needs stays in the cache.

    Args:
        x: What every atom sends :math:`(m, F)`.
        y: Features of edges :math:`(R, B)`.
        w: Weights :math:`(R, W)`.
        groups: The products.
        edges: The edges.
        size: The numbers of targets and of outputs.
        onto: Contiguous sums :math:`(n, O)` to which these are added, in
            place. (default: :obj:`None`, zeros)

    Returns:
        Sums :math:`(n, O)`, or :obj:`None` where torch has to do it: a kernel
        cannot, or indices are bad, for which torch has the errors.
    """
    arguments = _arguments(x, y, w, groups, edges, size)
    if arguments is None:
        return None
    dtype = arguments[0].dtype
    if onto is None:
        out = x.new_zeros(size, dtype=dtype)
    elif onto.dtype == dtype and onto.is_contiguous():
        out = onto
    else:
        return None
    return out if _SUM(dtype, out, *arguments) else None


def coupled_gradients(
    x: Tensor,
    y: Tensor,
    w: Tensor,
    grad: Tensor,
    groups: tuple[Group, ...],
    edges: Edges,
    needs: tuple[bool, bool, bool],
) -> tuple[Tensor | None, ...] | None:
    r"""The gradients of :func:`coupled_products`, in the same way.

    Args:
        x: As there.
        y: As there.
        w: As there.
        grad: The gradient of the sums :math:`(n, O)`.
        groups: As there.
        edges: As there.
        needs: Which gradients of :obj:`x`, :obj:`y` and :obj:`w` to return.

    Returns:
        These three, where not needed :obj:`None`; or :obj:`None` where torch
        has to do it.
    """
    size = (grad.size(0), grad.size(1))
    arguments = _arguments(x, y, w, groups, edges, size, grad)
    if arguments is None:
        return None
    dtype = arguments[0].dtype
    grads = [
        x.new_zeros(argument.size() if need else (0, 0), dtype=dtype)
        for argument, need in zip(arguments, needs, strict=False)
    ]
    if not _GRADIENTS(dtype, *grads, grad.to(dtype), *arguments):
        return None
    parts, grads[0] = grads[0], torch.zeros_like(x)
    if needs[0]:
        start = 0
        for group in groups:
            part = _part(grads[0], group)
            end = start + part[0].numel()
            part.copy_(parts[:, start:end].view_as(part))
            start = end
    return tuple(
        grad.to(x.dtype) if need else None
        for grad, x, need in zip(grads, (x, y, w), needs, strict=True)
    )


def wide_type(*tensors: Tensor) -> torch.dtype:
    r"""Returns the type in which sums are taken: float32, or a wider one.

    Args:
        *tensors: What is multiplied.
    """
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return dtype


def _part(x: Tensor, group: Group) -> Tensor:
    # A view (m, components, channels).
    return x[:, group.source].unflatten(1, group.shape).transpose(1, 2)


def _arguments(
    x: Tensor,
    y: Tensor,
    w: Tensor,
    groups: tuple[Group, ...],
    edges: Edges,
    size: tuple[int, int],
    *others: Tensor,
) -> list[Any] | None:
    dtype = wide_type(x, y, w)
    if not groups or not can_run(dtype, x, y, w, *edges, *others):
        return None
    places = []
    at_x = at_t = 0
    for group in groups:
        mul, A = group.shape
        K = group.coupling.size(1) // A
        for path in group.paths:
            at_w = group.weights.start + path.channels.start
            rows = path.rows.stop - path.rows.start
            if (
                path.out.start + rows * mul > size[1]
                or at_w + mul > w.size(1)
                or group.coupling.size(0) != y.size(1)
            ):
                return None  # The loops would read what is beyond.
            at = at_t + path.rows.start
            places.append((A, rows, mul, at_x, at_w, path.out.start, at, K))
        at_x += A * mul
        at_t += A * K
    source, target, row = edges
    row = target.new_empty(0) if row is None else row
    head, following = target.new_empty(size[0]), torch.empty_like(target)
    lists = [x.long() for x in (source, row, head, following)]
    num_rows = min(y.size(0), w.size(0))
    if not _LIST(dtype, *lists, target.long(), x.size(0), num_rows):
        return None
    return [
        torch.cat([_part(x, group).flatten(1) for group in groups], 1).to(
            dtype
        ),
        y.to(dtype),
        w.to(dtype),
        *lists,
        torch.cat([group.coupling for group in groups], 1).to(dtype),
        np.array(places, dtype=np.uint64),
    ]


def _list(source, row, head, following, target, num_atoms, num_rows):  # type: ignore[no-untyped-def]
    # The first edge of every target, and after every edge the next one of
    # its target; -1 where there is none.
    head[:] = -1
    for e in range(target.size - 1, -1, -1):
        if not (
            0 <= source[e] < num_atoms
            and 0 <= target[e] < head.size
            and 0 <= (row[e] if row.size else e) < num_rows
        ):
            return False
        following[e] = head[target[e]]
        head[target[e]] = e
    return True


# In both loops, `t` is the coupling of the features of one edge. Places are
# unsigned: then the compiler sees that runs of channels are contiguous.


def _sum(out, x, y, w, source, row, head, following, coupling, places):  # type: ignore[no-untyped-def]
    t = np.empty(coupling.shape[1], out.dtype)
    wx = np.empty(x.shape[1], out.dtype)
    total = np.empty(out.shape[1], out.dtype)
    for n in range(head.size):
        e = head[n]
        if e < 0:
            continue
        total[:] = 0
        while e >= 0:
            s = np.uint64(source[e])
            r = np.uint64(row[e] if row.size else e)
            t[:] = 0
            for b in range(coupling.shape[0]):
                feature = y[r, b]
                for i in range(t.size):
                    t[i] += feature * coupling[b, i]
            for p in range(places.shape[0]):
                A, K, mul, at_x, at_w, at_out, at_t, step = places[p]
                for a in range(A):
                    for u in range(mul):
                        wx[a * mul + u] = (
                            w[r, at_w + u] * x[s, at_x + a * mul + u]
                        )
                for k in range(K):
                    for a in range(A):
                        factor = t[at_t + a * step + k]
                        for u in range(mul):
                            total[at_out + k * mul + u] += (
                                factor * wx[a * mul + u]
                            )
            e = following[e]
        for p in range(places.shape[0]):
            A, K, mul, at_x, at_w, at_out, at_t, step = places[p]
            for u in range(mul):
                for k in range(K):
                    out[n, at_out + u * K + k] += total[at_out + k * mul + u]
    return True


def _gradients(  # type: ignore[no-untyped-def]
    grad_x,
    grad_y,
    grad_w,
    grad,
    x,
    y,
    w,
    source,
    row,
    head,
    following,
    coupling,
    places,
):
    t = np.empty(coupling.shape[1], grad.dtype)
    grad_t = np.empty(coupling.shape[1], grad.dtype)
    wx = np.empty(x.shape[1], grad.dtype)
    g = np.empty(grad.shape[1], grad.dtype)
    zero = grad.dtype.type(0)
    for n in range(head.size):
        e = head[n]
        if e < 0:
            continue
        for p in range(places.shape[0]):
            A, K, mul, at_x, at_w, at_out, at_t, step = places[p]
            for u in range(mul):
                for k in range(K):
                    g[at_out + k * mul + u] = grad[n, at_out + u * K + k]
        while e >= 0:
            s = np.uint64(source[e])
            r = np.uint64(row[e] if row.size else e)
            t[:] = 0
            for b in range(coupling.shape[0]):
                feature = y[r, b]
                for i in range(t.size):
                    t[i] += feature * coupling[b, i]
            for p in range(places.shape[0]):
                A, K, mul, at_x, at_w, at_out, at_t, step = places[p]
                if grad_x.size or grad_w.size:
                    for a in range(A):
                        wx[:mul] = 0
                        for k in range(K):
                            factor = t[at_t + a * step + k]
                            for u in range(mul):
                                wx[u] += factor * g[at_out + k * mul + u]
                        at = at_x + a * mul
                        if grad_w.size:
                            for u in range(mul):
                                grad_w[r, at_w + u] += wx[u] * x[s, at + u]
                        if grad_x.size:
                            for u in range(mul):
                                grad_x[s, at + u] += wx[u] * w[r, at_w + u]
                if grad_y.size:
                    for a in range(A):
                        at = at_x + a * mul
                        for u in range(mul):
                            wx[u] = w[r, at_w + u] * x[s, at + u]
                        for k in range(K):
                            total = zero
                            for u in range(mul):
                                total += wx[u] * g[at_out + k * mul + u]
                            grad_t[at_t + a * step + k] = total
            if grad_y.size:
                for b in range(coupling.shape[0]):
                    total = zero
                    for i in range(t.size):
                        total += coupling[b, i] * grad_t[i]
                    grad_y[r, b] += total
            e = following[e]
    return True


_MATRIX, _LISTS = ['{0}[:, ::1]'], 4 * ['int64[::1]']
_INPUTS = [*3 * _MATRIX, *_LISTS, *_MATRIX, 'uint64[:, ::1]']
# NaN and infinity stay what they are; sums may be taken in any order.
_FASTMATH = {'contract', 'nsz', 'reassoc'}
_LIST = Kernel(_list, [*_LISTS, 'int64[::1]', 'int64', 'int64'])
_SUM = Kernel(_sum, [*_MATRIX, *_INPUTS], _FASTMATH)
_GRADIENTS = Kernel(_gradients, [*4 * _MATRIX, *_INPUTS], _FASTMATH)
