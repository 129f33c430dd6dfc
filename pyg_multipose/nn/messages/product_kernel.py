r"""Sums of products over edges, in one pass."""

import torch
from torch import Tensor

from pyg_multipose.nn.messages.kernel import Kernel, can_run


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

    The order of the sum and its roundings are those of torch on a CPU.

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
    done = _KERNEL(a.dtype, out, a, b, *indices, num_edges)
    return out if done else None


def _loop(out, a, b, i, j, k, num_edges):  # type: ignore[no-untyped-def]
    # All indices before anything is written to.
    for e in range(num_edges):
        left = i[e] if i.size else e
        right = j[e] if j.size else e
        at = k[e] if k.size else e
        if not (
            0 <= left < a.shape[0]
            and 0 <= right < b.shape[0]
            and 0 <= at < out.shape[0]
        ):
            return False
    for e in range(num_edges):
        left = i[e] if i.size else e
        right = j[e] if j.size else e
        if k.size:
            at = k[e]
            for u in range(a.shape[1]):
                out[at, u] += a[left, u] * b[right, u]
        else:
            for u in range(a.shape[1]):
                out[e, u] = a[left, u] * b[right, u]
    return True


_KERNEL = Kernel(_loop, [*3 * ['{0}[:, ::1]'], *3 * ['int64[::1]'], 'int64'])
