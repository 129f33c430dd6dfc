"""What a gradient mode cannot do in backward, and says so."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


_VMAP = torch._C._functorch.TransformType.Vmap


def saved_tensors(ctx: Any) -> tuple[Tensor, ...]:
    r"""What was saved, unless it was changed in place.

    Args:
        ctx: The context of an autograd Function.
    """
    try:
        return ctx.saved_tensors
    except RuntimeError as error:
        if 'inplace' not in str(error):
            raise  # a second backward without retain_graph
        raise RuntimeError(
            f'A parameter or an input of the single-pose model changed '
            f'between forward and backward; call backward before the '
            f"optimizer's step. ({error})"
        ) from None


def refuse_double_backward(mode: str) -> None:
    r"""Raises under :obj:`create_graph=True`.

    (:func:`once_differentiable` stays silent when the upstream gradient does
    not require grad, as in every loss on forces.)

    Args:
        mode: The gradient mode.
    """
    if torch.is_grad_enabled():
        raise RuntimeError(
            f"gradient='{mode}' (as asked for, or as 'auto' chose) does not "
            f'support double backward (create_graph=True, for example forces '
            f"in the loss). Use MultiPoseReadout(..., gradient='full')"
        )


def refuse_batched(mode: str, *grads: Tensor | None) -> None:
    r"""Raises under :obj:`is_grads_batched=True`.

    Args:
        mode: The gradient mode.
        grads: The upstream gradients.
    """
    if any(grad is not None and is_transformed(grad) for grad in grads):
        raise RuntimeError(
            f"gradient='{mode}' (as asked for, or as 'auto' chose) takes one "
            f'upstream gradient at a time, and not is_grads_batched=True. '
            f'Loop over the gradients with retain_graph=True, or use '
            f"MultiPoseReadout(..., gradient='full')"
        )


def is_transformed(tensor: Tensor) -> bool:
    r"""Whether a tensor stands for many, or belongs to :mod:`torch.func`.

    Args:
        tensor: Any tensor.
    """
    functorch = torch._C._functorch
    return functorch.is_functorch_wrapped_tensor(
        tensor
    ) or functorch.is_legacy_batchedtensor(tensor)


def within_transform() -> bool:
    r"""Whether a transform of :mod:`torch.func` is at work."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def refuse_transform() -> None:
    r"""Raises within forward-mode derivatives, and :func:`torch.vmap`.

    A tangent would be lost; and what is finite cannot be asked of many.
    """
    stack = torch._C._functorch.get_interpreter_stack() or []
    what = ''
    if torch.autograd.forward_ad._current_level >= 0:
        what = (
            'forward-mode derivatives (torch.autograd.forward_ad, '
            'torch.func.jvp, jacfwd): take them backward, by torch.func.vjp, '
            'jacrev or grad'
        )
    elif any(one.key() == _VMAP for one in stack):
        what = 'torch.vmap: loop over what it would map'
    if what:
        raise RuntimeError(f'MultiPoseReadout does not go with {what}')
