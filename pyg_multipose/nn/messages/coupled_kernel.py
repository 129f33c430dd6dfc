r"""Sums of coupled products over edges, and their gradients, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pyg_multipose.nn.messages.coupled_layout import Table, make_layout
from pyg_multipose.nn.messages.coupled_loops import (
    FILL,
    GRADIENTS,
    LIST,
    READ,
    SUM,
)
from pyg_multipose.nn.messages.kernel import can_run

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
    dtype = wide_type(x, y, w)
    inputs = _inputs(x, y, w, groups, edges, size)
    if inputs is None:
        return None
    if onto is None:
        out = x.new_zeros(size, dtype=dtype)
    elif onto.dtype == dtype and onto.is_contiguous():
        out = onto
    else:
        return None
    return out if SUM(dtype, out, *inputs) else None


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
    dtype = wide_type(x, y, w)
    inputs = _inputs(x, y, w, groups, edges, size, grad)
    if inputs is None:
        return None
    layout = make_layout(groups, dtype)
    of_x, of_w, _ = layout.tables
    sizes = (x.size(0), of_x.width), y.size(), (w.size(0), of_w.width)
    grad_x, grad_y, grad_w = (
        x.new_zeros(size if need else (0, 0), dtype=dtype)
        for size, need in zip(sizes, needs, strict=True)
    )
    if not GRADIENTS(
        dtype,
        grad_x.view(-1),
        grad_y,
        grad_w.view(-1),
        grad.to(dtype),
        *inputs,
        layout.starts,
        layout.couplings,
        layout.factors,
    ):
        return None
    return (
        _from_table(grad_x, x, of_x) if needs[0] else None,
        grad_y.to(y.dtype) if needs[1] else None,
        _from_table(grad_w, w, of_w) if needs[2] else None,
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


def _inputs(
    x: Tensor,
    y: Tensor,
    w: Tensor,
    groups: tuple[Group, ...],
    edges: Edges,
    size: tuple[int, int],
    *others: Tensor,
) -> list[Any] | None:
    # What both loops read, or nothing if torch has to do it.
    dtype = wide_type(x, y, w)
    if not any(group.paths for group in groups) or not can_run(
        dtype, x, y, w, *edges, *others
    ):
        return None
    layout = make_layout(groups, dtype)
    of_x, of_w, of_out = layout.tables
    if (
        y.size(1) != layout.num_features
        or not of_x.fits(x.size(1))
        or not of_w.fits(w.size(1))
        or not of_out.fits(size[1])
    ):
        return None  # The loops would read what is beyond.
    lists = _make_lists(edges, size[0], x.size(0), min(y.size(0), w.size(0)))
    if lists is None:
        return None
    # One more column tells whether one of the others is not a number.
    y = y.to(dtype)
    y = torch.cat([y, (y * 0).sum(1, keepdim=True)], dim=1)
    return [
        _to_table(x.to(dtype), of_x),
        y.view(-1),
        _to_table(w.to(dtype), of_w),
        *lists,
        of_out.columns,
        of_x.width,
        y.size(1),
        of_w.width,
        of_out.width,
        layout.num_couplings,
        layout.tiles,
        layout.terms,
        layout.numbers,
    ]


def _make_lists(
    edges: Edges, num_targets: int, num_atoms: int, num_rows: int
) -> list[Tensor] | None:
    source, target, row = edges
    row = target.new_empty(0) if row is None else row
    given = [index.long() for index in (source, target, row)]
    start = given[0].new_empty(num_targets + 2)
    lists = [start, *map(torch.empty_like, given[:2])]
    good = LIST(torch.long, *lists, *given, num_atoms, num_rows)
    return lists if good else None


def _to_table(x: Tensor, table: Table) -> Tensor:
    if table.is_same(x.size(1)):
        return x.contiguous().view(-1)
    out = x.new_zeros(x.size(0), table.width)
    FILL(x.dtype, out, x, table.columns)
    return out.view(-1)


def _from_table(values: Tensor, like: Tensor, table: Table) -> Tensor:
    if table.is_same(like.size(1)):
        return values.to(like.dtype)
    out = values.new_zeros(like.size())
    READ(values.dtype, out, values, table.columns)
    return out.to(like.dtype)
