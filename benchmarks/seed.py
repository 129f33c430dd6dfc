"""The algorithm that this project started from, MTENN's.

One pose at a time goes forward and backward in the forward pass, and its
gradient with respect to all parameters is kept; the backward pass weights
and sums what was kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch


class StoredGradients(torch.autograd.Function):
    r"""Predictions, each of which comes with its gradient."""

    @staticmethod
    def forward(
        ctx: Any, model: nn.Module, poses: Sequence[Batch], *_: Tensor
    ) -> Tensor:
        """A forward and a backward pass for each pose."""
        parameters = list(model.parameters())
        predictions, ctx.kept = [], []
        for pose in poses:
            with torch.enable_grad():
                (out,) = model(pose)
            ctx.kept.append(
                torch.autograd.grad(out, parameters, allow_unused=True)
            )
            predictions.append(out.detach())
        return torch.stack(predictions)

    @staticmethod
    def backward(ctx: Any, weights: Tensor) -> tuple[Tensor | None, ...]:
        """The weighted sum of what was kept, parameter by parameter."""
        total: list[Tensor | None] = []
        for gradients in zip(*ctx.kept, strict=True):
            weighted = None
            for weight, gradient in zip(weights, gradients, strict=True):
                if gradient is not None:
                    some = weight * gradient
                    weighted = some if weighted is None else weighted + some
            total.append(weighted)
        return None, None, *total
