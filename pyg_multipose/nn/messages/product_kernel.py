r"""Sums of products over edges, in one pass."""

import torch
from torch import Tensor

from pyg_multipose.nn.messages.kernel import Kernel, can_run
from pyg_multipose.nn.messages.vectors import (
    add_product,
    fetch_row,
    teach_numba,
)

#: As in `coupled_loops.py`.
REVISION = 'b18bd4a28196'


def product_sum(
    a: Tensor,
    b: Tensor,
    i: Tensor | None,
    j: Tensor | None,
    k: Tensor | None,
    size: int,
    onto: Tensor | None = None,
) -> Tensor | None:
    r"""Sums products at targets, without one of them in memory.

    .. math::
        \mathbf{o}_t = \sum_{e: k(e) = t} \mathbf{a}_{i(e)} \odot
        \mathbf{b}_{j(e)}

    The order of the sum is that of torch on a CPU.

    Args:
        a: Left factors :math:`(m, F)`.
        b: Right factors :math:`(r, F)`.
        i: The row of :obj:`a` of every edge :math:`(E)`; :obj:`None`: edge
            :math:`e` has row :math:`e`.
        j: The row of :obj:`b`, in the same way.
        k: The target, in the same way.
        size: The number of targets :math:`n`, where :obj:`k` is given.
        onto: Contiguous sums :math:`(n, F)` of the same type to which these
            are added, in place. (default: :obj:`None`, zeros)

    Returns:
        Sums :math:`(n, F)`, or :obj:`None` where torch has to do it: a kernel
        cannot, or arguments are bad, for which torch has the errors.
    """
    given = [index for index in (i, j, k) if index is not None]
    num_edges = given[0].numel() if given else a.size(0)
    if (
        not can_run(a.dtype, a, b, *given)
        or a.dtype != b.dtype
        or a.dim() != 2
        or b.dim() != 2
        or a.size(1) != b.size(1)
        or any(index.size() != (num_edges,) for index in given)
    ):
        return None
    none = a.new_empty(0, dtype=torch.long)
    indices = [none if x is None else x.long() for x in (i, j, k)]
    if k is None:
        out = a.new_empty(num_edges, a.size(1))
    elif onto is None:
        out = a.new_zeros(size, a.size(1))
    elif onto.dtype == a.dtype and onto.is_contiguous():
        out = onto
    else:
        return None
    sizes = a.size(0), b.size(0), out.size(0)
    if not _CHECK(torch.int64, *indices, num_edges, *sizes):
        return None
    flat = [table.contiguous().view(-1) for table in (out, a, b)]
    done = _KERNEL(a.dtype, *flat, *indices, num_edges, a.size(1))
    return out if done else None


def _check(i, j, k, num_edges, num_a, num_b, size):  # type: ignore[no-untyped-def]
    for e in range(num_edges):
        left = i[e] if i.size else e
        right = j[e] if j.size else e
        at = k[e] if k.size else e
        if not (0 <= left < num_a and 0 <= right < num_b and 0 <= at < size):
            return False
    return True


def _loop(out, a, b, i, j, k, num_edges, width):  # type: ignore[no-untyped-def]
    for e in range(num_edges):
        left = (i[e] if i.size else e) * width
        right = (j[e] if j.size else e) * width
        if k.size:
            if j.size and e + 1 < num_edges:
                fetch_row(b, j[e + 1], width)
            add_product(out, k[e] * width, a, left, b, right, width)
        else:
            for u in range(width):
                out[e * width + u] = a[left + u] * b[right + u]
    return True


_INDICES = 3 * ['int64[::1]']
_CHECK = Kernel(_check, [*_INDICES, *4 * ['int64']])
_KERNEL = Kernel(
    _loop,
    [*3 * ['{0}[::1]'], *_INDICES, *2 * ['int64']],
    prepare=teach_numba,
)
