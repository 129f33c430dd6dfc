r"""Coupled products of nodes and edges, summed by blocks of targets."""

import math
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pyg_multipose.nn.messages.coupled_kernel import (
    coupled_gradients,
    coupled_products,
    wide_type,
)
from pyg_multipose.nn.messages.function import ApartFunction, apply


class Path(NamedTuple):
    r"""One output of a :class:`Group`."""

    #: Where its components are among the rows of the group.
    rows: slice
    #: Where its channels are among the weights of the group.
    channels: slice
    #: Where it is in the output, channel by channel.
    out: slice


class Group(NamedTuple):
    r"""Everything that one part of the source features is multiplied by."""

    #: Where the part is in the source features, channel by channel.
    source: slice
    #: The number of its channels, and of components of each.
    shape: tuple[int, int]
    #: Where the weights of the group are.
    weights: slice
    #: From edge features to a matrix (components, rows) for every edge.
    coupling: Tensor
    #: The outputs, in the order of weights.
    paths: tuple[Path, ...]


def coupled_sum(
    source: Tensor,
    edge_index: Tensor,
    features: Tensor,
    weights: Tensor,
    dim_size: int,
    groups: tuple[Group, ...],
    num_out: int,
    rows: Tensor | None = None,
    onto: Tensor | None = None,
) -> Tensor:
    r"""Multiplies what atoms send by edge features and weights, and sums it.

    A path :math:`p` from the part :math:`\mathbf{s}` of the source features,
    with channels :math:`u` and components :math:`a`, gives

    .. math::
        A_{i,u,k} = \sum_{e = (j, i)} \sum_a T_{e,a,k} \, w_{e,p,u} \,
        s_{j,u,a}, \qquad T_{e,a,k} = \sum_b C_{b,a,k} \, y_{e,b} .

    For one target this is a matrix product, over edges and components at
    once, so that no message is ever there. It is done for all paths from one
    part together, and for blocks of targets with similar numbers of edges,
    whose intermediates stay in the cache of a CPU. For backward, which works
    by the same blocks, it keeps its arguments only, and the blocks: indices.
    It may be differentiated any number of times. With numba, a loop over the
    edges does the same without blocks.

    Args:
        source: What every atom sends :math:`(m, F)`.
        edge_index: Rows of :obj:`source` and targets :math:`(2, E)`.
        features: Features of edges :math:`(R, B)`.
        weights: Weights, group by group :math:`(R, W)`.
        dim_size: The number of targets :math:`n`.
        groups: The products, with couplings in float64.
        num_out: The number of outputs :math:`O`.
        rows: The row of :obj:`features` and :obj:`weights` that every edge
            uses :math:`(E)`; :obj:`None`: one row for each edge, in their
            order. (default: :obj:`None`)
        onto: Sums :math:`(n, O)` to which these are added, which may be done
            in place. (default: :obj:`None`, zeros)

    Returns:
        Sums :math:`(n, O)`, in the widest type of the three; those in half
        precision are taken in float32.
    """
    sizes = [features.size(0), weights.size(0)]
    if rows is None and sizes != 2 * [edge_index.size(1)]:
        raise ValueError(
            f"Every edge needs a row of 'features' and 'weights' (got {sizes} "
            f"rows for {edge_index.size(1)} edges); give 'rows' if they share"
        )
    edges = _Edges(edge_index, dim_size, rows)
    dtype = torch.promote_types(source.dtype, features.dtype)
    dtype = torch.promote_types(dtype, weights.dtype)
    fits = onto is None or (
        onto.dtype == dtype == wide_type(onto) and onto.is_contiguous()
    )
    out: Tensor = apply(
        _Sum,
        source,
        features,
        weights,
        groups,
        edges,
        (dim_size, num_out),
        onto if fits else None,
    )
    return out if fits or onto is None else onto + out


#: Edges of one block, with padding. (Fewer in a block pad less, but calls
#: cost more than padding.)
_BLOCK = 2048


class _Block(NamedTuple):
    # Targets with up to as many edges as the last one, each filled up to its
    # degree by copies of its own last edge, so that no NaN gets to others.
    target: Tensor  # (T)
    source: Tensor  # (T * degree)
    row: Tensor  # (T * degree)
    padding: Tensor  # (T * degree, 1)


class _Edges:
    # A copy of the edges, and their blocks where these are needed.
    def __init__(self, edge_index: Tensor, dim_size: int, rows: Tensor | None):
        source, target = edge_index.detach().clone()
        self.index = source, target, None if rows is None else rows.clone()
        self.dim_size = dim_size

    @cached_property
    def blocks(self) -> list[_Block]:
        return _split(*self.index, self.dim_size)


def _split(
    source: Tensor, target: Tensor, rows: Tensor | None, dim_size: int
) -> list[_Block]:
    degree = torch.bincount(target, minlength=dim_size)
    if degree.numel() > dim_size:
        raise ValueError(
            "Targets in 'edge_index' must be smaller than 'dim_size' (got "
            f'{degree.numel() - 1} and {dim_size})'
        )
    # Targets are sorted by their degree, and edges by their target:
    degree, targets = degree.sort(stable=True)
    rank = torch.empty_like(targets)
    rank[targets] = torch.arange(dim_size, device=rank.device)
    order = rank[target].argsort(stable=True)
    first = degree.cumsum(0) - degree
    sizes = degree.tolist()

    blocks = []
    start = sizes.count(0)
    for end in range(start + 1, dim_size + 1):
        if end < dim_size and (end + 1 - start) * sizes[end] <= _BLOCK:
            continue  # One more target fits.
        at = slice(start, end)
        slot = torch.arange(sizes[end - 1], device=rank.device)
        last = degree[at].unsqueeze(1) - 1
        edge = order[(first[at].unsqueeze(1) + slot.minimum(last)).flatten()]
        blocks.append(
            _Block(
                targets[at],
                source[edge],
                edge if rows is None else rows[edge],
                (slot > last).view(-1, 1),
            )
        )
        start = end
    return blocks


class _Scratch:
    # Memory that one block uses after the other.
    def __init__(self, like: Tensor):
        self.like = like
        self.memory: dict[str, Tensor] = {}

    def __call__(self, name: str, *size: int) -> Tensor:
        numel = math.prod(size)
        memory = self.memory.get(name)
        if memory is None or memory.numel() < numel:
            memory = self.memory[name] = self.like.new_empty(numel)
        return memory[:numel].view(size)

    def rows(self, name: str, x: Tensor, index: Tensor) -> Tensor:
        out = self(name, index.numel(), x.size(1))
        return torch.index_select(x, 0, index, out=out)


class _Inputs:
    # What both passes read, in float32 or wider.
    def __init__(
        self, x: Tensor, y: Tensor, w: Tensor, groups: tuple[Group, ...]
    ):
        dtype = wide_type(x, y, w)
        self.y, self.w = y.to(dtype), w.to(dtype)
        # A copy for each path, of which every component is one run of
        # (path, channel), as the weights are:
        self.tables = [
            x[:, group.source]
            .unflatten(1, group.shape)
            .transpose(1, 2)
            .to(dtype, memory_format=torch.contiguous_format)
            .repeat(1, 1, len(group.paths))
            for group in groups
        ]
        self.couplings = [group.coupling.to(dtype) for group in groups]
        self.scratch = _Scratch(self.w)

    def harmonics(self, block: _Block) -> Tensor:
        y = self.y.index_select(0, block.row)
        return y.masked_fill_(block.padding, 0.0)


class _Sum(ApartFunction):
    @staticmethod
    def forward(
        x: Tensor,
        y: Tensor,
        w: Tensor,
        groups: tuple[Group, ...],
        edges: _Edges,
        size: tuple[int, int],
        onto: Tensor | None = None,
    ) -> Tensor:
        dtype = torch.promote_types(x.dtype, y.dtype)
        dtype = torch.promote_types(dtype, w.dtype)
        fused = coupled_products(x, y, w, groups, edges.index, size, onto)
        if fused is not None:
            return fused.to(dtype)
        inputs = _Inputs(x, y, w, groups)
        scratch = inputs.scratch
        out = inputs.w.new_zeros(size) if onto is None else onto
        for block in edges.blocks:
            T, B = block.target.numel(), block.row.numel()
            y_b = inputs.harmonics(block)
            w_b = scratch.rows('w', inputs.w, block.row)
            out_b = scratch('out', T, size[1]).zero_()
            for group, table, coupling in zip(
                groups, inputs.tables, inputs.couplings, strict=True
            ):
                mul, A = group.shape
                U, K = table.size(2), coupling.size(1) // A
                wx = scratch.rows('x', table.flatten(1), block.source)
                wx.view(B, A, U).mul_(w_b[:, None, group.weights])
                t = scratch('t', B, A * K)
                torch.mm(y_b, coupling, out=t)
                a = scratch('a', T, K, U)
                torch.bmm(
                    t.view(T, -1, K).transpose(1, 2), wx.view(T, -1, U), out=a
                )
                for path in group.paths:
                    out_b[:, path.out].view(T, mul, -1).copy_(
                        a[:, path.rows, path.channels].transpose(1, 2)
                    )
            out.index_add_(0, block.target, out_b)
        return out.to(dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:3])
        ctx.constants = inputs[3:6]
        ctx.has_onto = inputs[6] is not None
        if ctx.has_onto:
            ctx.mark_dirty(inputs[6])

    @staticmethod
    def backward(ctx: Any, *grad: Any) -> Any:
        needs = ctx.needs_input_grad[:3]
        grads = _Gradients.apply(
            *ctx.saved_tensors, *grad, *ctx.constants, needs
        )
        return *grads, None, None, None, grad[0] if ctx.has_onto else None


class _Gradients(ApartFunction):
    @staticmethod
    def forward(
        x: Tensor,
        y: Tensor,
        w: Tensor,
        grad: Tensor,
        groups: tuple[Group, ...],
        edges: _Edges,
        size: tuple[int, int],
        needs: tuple[bool, bool, bool],
    ) -> tuple[Tensor | None, ...]:
        fused = coupled_gradients(x, y, w, grad, groups, edges.index, needs)
        if fused is not None:
            return fused
        need_x, need_y, need_w = needs
        inputs = _Inputs(x, y, w, groups)
        scratch = inputs.scratch
        grad = grad.to(inputs.w.dtype)
        grad_tables = [torch.zeros_like(table) for table in inputs.tables]
        grad_y = torch.zeros_like(inputs.y) if need_y else None
        grad_w = torch.zeros_like(inputs.w) if need_w else None
        for block in edges.blocks:
            T, B = block.target.numel(), block.row.numel()
            y_b = inputs.harmonics(block)
            w_b = scratch.rows('w', inputs.w, block.row)
            grad_b = scratch.rows('grad', grad, block.target)
            grad_y_b = scratch('grad_y', B, y.size(1)).zero_()
            grad_w_b = scratch('grad_w', B, w.size(1))
            for group, table, coupling, grad_table in zip(
                groups,
                inputs.tables,
                inputs.couplings,
                grad_tables,
                strict=True,
            ):
                mul, A = group.shape
                U, K = table.size(2), coupling.size(1) // A
                w_g = w_b[:, None, group.weights]
                a = scratch('a', T, K, U).zero_()
                for path in group.paths:
                    a[:, path.rows, path.channels].transpose(1, 2).copy_(
                        grad_b[:, path.out].view(T, mul, -1)
                    )
                t = scratch('t', B, A * K)
                grad_wx = scratch('grad_wx', B, A, U)
                if need_x or need_w:
                    torch.mm(y_b, coupling, out=t)
                    torch.bmm(t.view(T, -1, K), a, out=grad_wx.view(T, -1, U))
                if need_y or need_w:
                    x_g = scratch.rows('x', table.flatten(1), block.source)
                    x_g = x_g.view(B, A, U)
                if need_w:
                    grad_g = grad_w_b[:, group.weights]
                    torch.mul(x_g[:, 0], grad_wx[:, 0], out=grad_g)
                    for i in range(1, A):
                        grad_g.addcmul_(x_g[:, i], grad_wx[:, i])
                if need_x:
                    grad_table.index_add_(0, block.source, grad_wx.mul_(w_g))
                if need_y:
                    wx = x_g.mul_(w_g).view(T, -1, U)
                    torch.bmm(wx, a.transpose(1, 2), out=t.view(T, -1, K))
                    grad_y_b.addmm_(t, coupling.t())
            if grad_y is not None:
                grad_y_b.masked_fill_(block.padding, 0.0)
                grad_y.index_add_(0, block.row, grad_y_b)
            if grad_w is not None:
                grad_w.index_add_(0, block.row, grad_w_b)

        grad_x = torch.zeros_like(x) if need_x else None
        if grad_x is not None:
            for group, grad_table in zip(groups, grad_tables, strict=True):
                view = grad_x[:, group.source].unflatten(1, group.shape)
                mul, A = group.shape
                parts = grad_table.unflatten(2, (-1, mul)).unbind(2)
                view.copy_(sum(parts[1:], start=parts[0]).transpose(1, 2))
        return (
            grad_x,
            None if grad_y is None else grad_y.to(y.dtype),
            None if grad_w is None else grad_w.to(w.dtype),
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs[:4])
        ctx.constants = inputs[4:7]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        # The form <grad, sum(x, y, w)> is linear in each of the four, and its
        # derivative is the same form with another argument in one place:
        *args, grad = ctx.saved_tensors
        out: list[Tensor | None] = [None] * 4
        for i, other in enumerate(grads):
            if other is None:
                continue
            inputs = [*args[:i], other, *args[i + 1 :]]
            needs = [ctx.needs_input_grad[j] and j != i for j in range(3)]
            terms: list[Tensor | None] = [None] * 4
            if any(needs):
                terms[:3] = _Gradients.apply(
                    *inputs, grad, *ctx.constants, tuple(needs)
                )
            if ctx.needs_input_grad[3]:
                terms[3] = _Sum.apply(*inputs, *ctx.constants, None)
            for j, term in enumerate(terms):
                if term is not None:
                    old = out[j]
                    out[j] = term if old is None else old + term
        return *out, None, None, None, None
