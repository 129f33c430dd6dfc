r"""Two linear layers of SchNet with an activation in between, by blocks."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import Linear, Module, Sequential
from torch.nn.modules.module import _has_any_global_hook

from pyg_multipose.nn.messages.kernel import is_plain_call, stands_for_many
from pyg_multipose.nn.messages.softplus_kernel import (
    can_run_softplus,
    shifted_softplus,
    softplus_gradient,
)
from pyg_multipose.nn.models.shifted_softplus import ShiftedSoftplus

#: Numbers of a table that are at work at once, so that the next step finds
#: them in a core's cache. Products of matrices are fastest then, too.
_BLOCK = 2**17


def softplus_mlp(
    x: Tensor,
    first: Module,
    act: Module,
    second: Module,
    onto: Tensor | None = None,
) -> Tensor:
    r"""Applies two linear layers with a shifted softplus in between.

    .. math::
        \mathbf{y} = \mathbf{o} + \mathbf{W}_2 \, \mathrm{ssp}(\mathbf{W}_1
        \mathbf{x} + \mathbf{b}_1) + \mathbf{b}_2

    On a CPU it goes through blocks of rows, forward and backward, of which no
    intermediate leaves the cache. For backward it keeps its input, and the
    activations unless there are more of them than inputs. It may be
    differentiated any number of times.
    Where modules have been replaced, have hooks, or work in half precision,
    and on other devices, they are called one after the other.

    Args:
        x: Inputs :math:`(n, F)`.
        first: The first linear layer.
        act: The activation, for where modules are called.
        second: The second linear layer.
        onto: Numbers :math:`(n, F^{\prime})` to which the result is added.
            (default: :obj:`None`, zeros)

    Returns:
        The result :math:`(n, F^{\prime})`.
    """
    if not _in_blocks(x, first, act, second, onto):
        out = second(act(first(x)))
        return out if onto is None else onto + out
    weights = first.weight, first.bias, second.weight, second.bias
    if not torch.is_grad_enabled():
        return _forward(x, *weights, onto, None, act.shift)  # type: ignore
    return _Mlp.apply(x, *weights, onto, act.shift)  # type: ignore


def _in_blocks(
    x: Tensor, first: Module, act: Module, second: Module, *more: Tensor | None
) -> bool:
    if (
        x.dim() != 2
        or not x.numel()
        or x.dtype not in (torch.float32, torch.float64)
        or not x.is_cpu
        or torch.is_autocast_enabled('cpu')
        or not all(is_as_made(linear, Linear) for linear in (first, second))
        or not is_as_made(act, ShiftedSoftplus)
    ):
        return False
    weights = first.weight, first.bias, second.weight, second.bias
    return (
        all(weight is not None for weight in weights)
        and all(
            tensor is None or (tensor.dtype == x.dtype and tensor.is_cpu)
            for tensor in (*weights, *more)
        )
        and is_plain_call(x, *weights, *more)  # type: ignore[arg-type]
    )


def is_as_made(module: Module, kind: type[Module]) -> bool:
    r"""Whether nobody put something else there, or wants to see its calls.

    Args:
        module: A module.
        kind: What it is by itself.
    """
    hooks = (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )
    return (
        type(module) is kind
        and 'forward' not in vars(module)
        and not any(hooks)
        and not _has_any_global_hook()
    )


def is_mlp_as_made(network: Module, activation: type[Module]) -> bool:
    r"""Whether it is two linear layers with an activation, all as made.

    Args:
        network: A module.
        activation: What the activation is by itself.
    """
    kinds = Linear, activation, Linear
    return (
        is_as_made(network, Sequential)
        and len(network) == len(kinds)  # type: ignore[arg-type]
        and all(map(is_as_made, network, kinds))  # type: ignore[call-overload]
    )


def _blocks(num_rows: int, *widths: int) -> list[slice]:
    step = max(_BLOCK // max(widths), 1)
    return [slice(at, at + step) for at in range(0, num_rows, step)]


# PyG rounds the shift to the default type that an activation was made under;
# in single precision, for which there are kernels, all are the same.


def _softplus(x: Tensor, out: Tensor, shift: float, fused: bool) -> None:
    if not (fused and shifted_softplus(x, out)):
        torch.ops.aten.softplus.out(x, out=out)
        out.sub_(shift)


def _times_slope(
    grad: Tensor, y: Tensor, out: Tensor, shift: float, fused: bool
) -> None:
    if not (fused and softplus_gradient(grad, y, out)):
        torch.neg(y, out=out).sub_(shift).expm1_().neg_().mul_(grad)


def _forward(
    x: Tensor,
    w1: Tensor,
    b1: Tensor,
    w2: Tensor,
    b2: Tensor,
    onto: Tensor | None,
    kept: Tensor | None,
    shift: float,
) -> Tensor:
    # Activations are written to `kept`.
    # Products with contiguous matrices are faster than with transposed ones.
    w1, w2 = w1.t().contiguous(), w2.t().contiguous()
    out, fused = x.new_empty(x.size(0), w2.size(1)), can_run_softplus(x)
    blocks = _blocks(x.size(0), *w1.size(), w2.size(1))
    y_all, h_all = x.new_empty(2, len(x[blocks[0]]), w1.size(1))
    for at in blocks:
        rows = x[at]
        y = y_all[: rows.size(0)]
        h = h_all[: rows.size(0)] if kept is None else kept[at]
        _softplus(torch.addmm(b1, rows, w1, out=y), h, shift, fused)
        if onto is None:
            torch.addmm(b2, h, w2, out=out[at])
        else:
            torch.add(onto[at], b2, out=out[at]).addmm_(h, w2)
    return out


class _Mlp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        x, w1, b1, w2, b2, onto, ctx.shift = inputs
        h = None
        # What is wider than what it is made of is made again.
        if x.size(1) >= w1.size(0) and any(ctx.needs_input_grad[:4]):
            h = x.new_empty(x.size(0), w1.size(0))
        ctx.save_for_backward(x, w1, b1, w2, h)
        return _forward(x, w1, b1, w2, b2, onto, h, ctx.shift)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,), needs = grads, ctx.needs_input_grad
        *inputs, h = ctx.saved_tensors
        if torch.is_grad_enabled() or stands_for_many(grad):
            found = _by_torch(grad, inputs, ctx.shift)
        else:
            found = _gradients(grad.contiguous(), inputs, h, ctx.shift, needs)
        return *found, grad if needs[5] else None, None


def _by_torch(
    grad: Tensor, inputs: list[Tensor], shift: float
) -> tuple[Tensor | None, ...]:
    x, w1, b1, w2 = inputs
    # Differentiable: activations are made again, from what they depend on.
    y = torch.nn.functional.linear(x, w1, b1)
    h = torch.nn.functional.softplus(y) - shift
    inner = (grad @ w2) * torch.sigmoid(y)
    return inner @ w1, inner.t() @ x, inner.sum(0), grad.t() @ h, grad.sum(0)


def _gradients(
    grad: Tensor,
    inputs: list[Tensor],
    kept: Tensor | None,
    shift: float,
    needs: tuple[bool, ...],
) -> tuple[Tensor | None, ...]:
    x, w1, b1, w2 = inputs
    grad_b2 = grad.sum(0) if needs[4] else None
    if not any(needs[:4]):
        return None, None, None, None, grad_b2
    grad_x, grad_w1, grad_b1, grad_w2 = (
        torch.zeros_like(tensor) if need else None
        for tensor, need in zip((x, w1, b1, w2), needs, strict=False)
    )
    turned, fused = w1.t().contiguous(), can_run_softplus(x)
    blocks = _blocks(x.size(0), w1.size(1), *w2.size())
    y_all, h_all = x.new_empty(2, len(x[blocks[0]]), w1.size(0))
    for at in blocks:
        grad_out, rows = grad[at], x[at]
        y = y_all[: rows.size(0)]
        h = h_all[: rows.size(0)] if kept is None else kept[at]
        if kept is None:
            torch.addmm(b1, rows, turned, out=y)
            _softplus(y, h, shift, fused)
        if grad_w2 is not None:
            grad_w2.addmm_(grad_out.t(), h)
        if not any(needs[:3]):
            continue
        inner = y  # which is needed no more
        _times_slope(grad_out @ w2, h, inner, shift, fused)
        if grad_x is not None:
            torch.mm(inner, w1, out=grad_x[at])
        if grad_w1 is not None:
            grad_w1.addmm_(inner.t(), rows)
        if grad_b1 is not None:
            grad_b1.add_(inner.sum(0))
    return grad_x, grad_w1, grad_b1, grad_w2, grad_b2
