"""Derivatives of a combination, against differences of its values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.gradcheck import GradcheckError

from pyg_multipose.testing.comparison import broken


def check_derivative(
    combination: nn.Module,
    x: Tensor,
    spread: float,
    second: bool,
    groups: dict[str, Any],
) -> None:
    r"""Compares derivatives by predictions and parameters with differences.

    Second derivatives may be refused by a :class:`RuntimeError`.

    Args:
        combination: An aggregation, in float64.
        x: Predictions, float64.
        spread: How far these are apart.
        second: Whether to look at second derivatives.
        groups: The groups of predictions, as arguments of a call.

    Raises:
        AssertionError: If they differ.
    """
    # In units of the spread, in which second derivatives are of order one.
    unit = 1.0 / spread if second else 1.0
    parameters = [p for p in combination.parameters() if p.requires_grad]

    def call(x: Tensor, *_: Tensor) -> Tensor:
        return unit * combination(x, **groups)

    if second and _refuses(call, x.clone()):
        return
    try:
        (gradgradcheck if second else gradcheck)(
            call,
            (x.requires_grad_(), *parameters),
            eps=1e-5 * spread,
            rtol=1e-3 if second else 1e-4,
            atol=1e-5 if second else 1e-6,
        )
    except GradcheckError as error:
        what = 'the second derivative' if second else 'the gradient'
        raise broken(
            f"{what}, groups by '{next(iter(groups))}'",
            str(error).strip(),
            'the difference of values',
            'compare backward() with autograd of the same formula in plain '
            'torch; if poses need to be closer together for several to '
            'count, set spread'
            + second
            * '; mark it once_differentiable to refuse it',
        ) from error


def _refuses(call: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Whether a second backward pass raises, as after once_differentiable.

    (To torch.autograd.grad, as in gradgradcheck, such a function may look as
    if its gradient was a constant.)
    """
    out = call(x.requires_grad_())
    upstream = torch.ones_like(out).requires_grad_()
    (grad,) = torch.autograd.grad(out, x, upstream, create_graph=True)
    if not grad.requires_grad:
        return False
    try:
        grad.sum().backward()
    except RuntimeError:
        return True
    return False
