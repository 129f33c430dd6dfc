r"""The gradient of a table that functions are found from, in one pass."""

import torch
from torch import Tensor

from pyg_multipose.nn.messages.kernel import Kernel, can_run
from pyg_multipose.nn.messages.vectors import (
    LANES,
    load,
    spread,
    store,
    teach_numba,
)

#: Rows of a table that a function is found from.
POINTS = 6

#: As in `coupled_loops.py`.
REVISION = 'b18bd4a28196'


def spread_back(
    grad: Tensor, first: Tensor, weights: Tensor, size: int
) -> Tensor | None:
    r"""Adds every row to six rows that follow each other, with weights.

    Args:
        grad: The rows :math:`(R, F)`.
        first: The first of the six :math:`(R)`.
        weights: Their weights :math:`(R, 6)`.
        size: How many rows to return.

    Returns:
        Sums :math:`(K + 5, F)`, or :obj:`None` where torch has to do it: a
        kernel cannot, or arguments are bad, for which torch has the errors.
    """
    if (
        grad.dim() != 2
        or weights.dtype != grad.dtype
        or weights.size() != (first.numel(), POINTS)
        or first.dtype != torch.int64
        or not can_run(grad.dtype, grad, first, weights)
        or not _CHECK(torch.int64, first, size)
    ):
        return None
    out = grad.new_zeros(size, grad.size(1))
    flat = [x.contiguous().view(-1) for x in (out, grad)]
    at = first, weights.contiguous().view(-1)
    return out if _SPREAD(grad.dtype, *flat, *at, grad.size(1)) else None


def _check(first, size):  # type: ignore[no-untyped-def]
    for r in range(first.size):
        if not 0 <= first[r] <= size - POINTS:
            return False
    return True


# Each of the six rows has its term, so that all weights stay in registers.


def _spread(out, grad, first, w, width):  # type: ignore[no-untyped-def]
    whole = width - width % LANES
    for r in range(first.size):
        at, t, n = r * width, first[r] * width, r * POINTS
        a, b, c = spread(w, n), spread(w, n + 1), spread(w, n + 2)
        d, e, f = spread(w, n + 3), spread(w, n + 4), spread(w, n + 5)
        for u in range(0, whole, LANES):
            g, v = load(grad, at + u), t + u
            store(load(out, v) + a * g, out, v)
            store(load(out, v + width) + b * g, out, v + width)
            store(load(out, v + 2 * width) + c * g, out, v + 2 * width)
            store(load(out, v + 3 * width) + d * g, out, v + 3 * width)
            store(load(out, v + 4 * width) + e * g, out, v + 4 * width)
            store(load(out, v + 5 * width) + f * g, out, v + 5 * width)
        for u in range(whole, width):
            for k in range(POINTS):
                out[t + k * width + u] += w[n + k] * grad[at + u]
    return True


_CHECK = Kernel(_check, ['int64[::1]', 'int64'])
_SPREAD = Kernel(
    _spread,
    ['{0}[::1]', '{0}[::1]', 'int64[::1]', '{0}[::1]', 'int64'],
    prepare=teach_numba,
)
