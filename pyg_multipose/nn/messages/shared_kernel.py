r"""Sums of messages beside a receptor that is shared, in one pass."""

import torch
from torch import Tensor

from pyg_multipose.nn.messages.kernel import Kernel, can_run
from pyg_multipose.nn.messages.vectors import (
    add_change,
    add_product,
    fetch_row,
    teach_numba,
)

#: As in `coupled_loops.py`.
REVISION = 'b18bd4a28196'


def shared_products(
    onto: Tensor,
    source: Tensor,
    alone: Tensor,
    filters: Tensor,
    edges: tuple[Tensor, Tensor, Tensor | None, Tensor | None],
) -> bool:
    r"""Adds messages to sums, in place, of sources that are in two tables.

    Args:
        onto: Sums :math:`(n, F)`, contiguous.
        source: What atoms of poses send :math:`(m, F)`.
        alone: What atoms of the receptor send alone :math:`(R, F)`.
        filters: Filters :math:`(r, F)`.
        edges: Sources, targets, rows of filters and receptor atoms of
            sources, as of
            :func:`~pyg_multipose.nn.messages.shared_sum.shared_sum`.

    Returns:
        Whether this was done; else nothing was, and torch has to do it: a
        kernel cannot, or arguments are bad, for which torch has the errors.
    """
    tables = onto, source, alone, filters
    lists = _lists(tables, edges)
    if lists is None:
        return False
    flat = [table.contiguous().view(-1) for table in tables]
    return _SUM(onto.dtype, *flat, *lists, *source.size())


def shared_gradients(
    grad: Tensor,
    source: Tensor,
    alone: Tensor,
    filters: Tensor,
    edges: tuple[Tensor, Tensor, Tensor | None, Tensor | None],
    needs: tuple[bool, bool, bool],
) -> list[Tensor | None] | None:
    r"""The gradients of :func:`shared_products`, in one pass.

    Args:
        grad: The gradient of the sums :math:`(n, F)`.
        source: As there.
        alone: As there.
        filters: As there.
        edges: As there.
        needs: Which gradients of the three to return.

    Returns:
        These three, where not needed :obj:`None`; or :obj:`None` where torch
        has to do it.
    """
    tables = grad, source, alone, filters
    lists = _lists(tables, edges)
    if lists is None:
        return None
    atoms = edges[3]
    wanted = needs[0] or (needs[1] and atoms is not None), *needs[1:]
    grads = [
        x.new_zeros(x.size() if need else (0, x.size(1)))
        for x, need in zip(tables[1:], wanted, strict=True)
    ]
    flat = [table.contiguous().view(-1) for table in (*grads, *tables)]
    if not _GRADIENTS(grad.dtype, *flat, *lists, *source.size()):
        return None
    if needs[1] and atoms is not None:
        grads[1].index_add_(0, atoms, grads[0], alpha=-1)
    return [x if need else None for x, need in zip(grads, needs, strict=True)]


def _lists(
    tables: tuple[Tensor, ...],
    edges: tuple[Tensor, Tensor, Tensor | None, Tensor | None],
) -> list[Tensor] | None:
    # The indices, as arrays of integers, if they are good for the tables.
    sums, source, alone, filters = tables
    atoms = edges[3]
    if (
        any(x.dim() != 2 or x.dtype != sums.dtype for x in tables)
        or any(x.size(1) != sums.size(1) for x in tables)
        or not sums.is_contiguous()
        or any(
            x is not None and x.size() != edges[0].size() for x in edges[1:3]
        )
        or (atoms is not None and atoms.size() != source.size()[:1])
        or not can_run(sums.dtype, *tables, *edges)
    ):
        return None
    none = edges[0].new_empty(0)
    lists = [none if index is None else index.long() for index in edges]
    most = source.size(0) + (alone.size(0) if atoms is None else 0)
    sizes = most, sums.size(0), filters.size(0), alone.size(0)
    return lists if _CHECK(torch.int64, *lists, *sizes) else None


# In each loop, edge `e` has source `i[e]`, target `k[e]` and filter `row[e]`,
# or `e` where there are no rows. With `atoms`, these are the receptor atoms of
# all sources; without, sources from `first` on are the receptor's. Tables are
# arrays of one dimension, with rows of a `width`.


def _check(i, k, row, atoms, most, size, num_rows, num_alone):  # type: ignore[no-untyped-def]
    for e in range(i.size):
        r = row[e] if row.size else e
        if not (0 <= i[e] < most and 0 <= k[e] < size and 0 <= r < num_rows):
            return False
    for n in range(atoms.size):
        if not 0 <= atoms[n] < num_alone:
            return False
    return True


def _sum(out, source, alone, w, i, k, row, atoms, first, width):  # type: ignore[no-untyped-def]
    for e in range(i.size):
        if e + 1 < i.size and row.size:
            fetch_row(w, row[e + 1], width)
        at_w = (row[e] if row.size else e) * width
        at, left = k[e] * width, i[e] * width
        if atoms.size:
            other = atoms[i[e]] * width
            add_change(out, at, source, left, alone, other, w, at_w, width)
        elif i[e] < first:
            add_product(out, at, source, left, w, at_w, width)
        else:
            left -= first * width
            add_product(out, at, alone, left, w, at_w, width)
    return True


def _gradients(  # type: ignore[no-untyped-def]
    grad_source,
    grad_alone,
    grad_w,
    g,
    source,
    alone,
    w,
    i,
    k,
    row,
    atoms,
    first,
    width,
):
    # With `atoms`, `grad_alone` follows from `grad_source`.
    for e in range(i.size):
        if e + 1 < i.size and row.size:
            fetch_row(w, row[e + 1], width)
            if grad_w.size:
                fetch_row(grad_w, row[e + 1], width)
        at_w = (row[e] if row.size else e) * width
        at, left = k[e] * width, i[e] * width
        if atoms.size:
            other = atoms[i[e]] * width
            if grad_source.size:
                add_product(grad_source, left, g, at, w, at_w, width)
            if grad_w.size:
                add_change(
                    grad_w, at_w, source, left, alone, other, g, at, width
                )
        elif i[e] < first:
            if grad_source.size:
                add_product(grad_source, left, g, at, w, at_w, width)
            if grad_w.size:
                add_product(grad_w, at_w, g, at, source, left, width)
        else:
            left -= first * width
            if grad_alone.size:
                add_product(grad_alone, left, g, at, w, at_w, width)
            if grad_w.size:
                add_product(grad_w, at_w, g, at, alone, left, width)
    return True


_INDICES = 4 * ['int64[::1]']
_CHECK = Kernel(_check, [*_INDICES, *4 * ['int64']])
_SUM = Kernel(
    _sum,
    [*4 * ['{0}[::1]'], *_INDICES, *2 * ['int64']],
    prepare=teach_numba,
)
_GRADIENTS = Kernel(
    _gradients,
    [*7 * ['{0}[::1]'], *_INDICES, *2 * ['int64']],
    prepare=teach_numba,
)
