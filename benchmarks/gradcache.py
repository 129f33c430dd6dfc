"""Two-pass gradient caching without skipping.

The idea of `"Scaling Deep Contrastive Learning Batch Size under Memory
Limited Setup" <https://arxiv.org/abs/2101.06983>`_ (GradCache): predict all
poses without graphs, let autograd find the gradient of the loss with respect
to the predictions, then run the model again, chunk by chunk, with that
gradient.  Every pose pays for the second pass, whether it matters or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch


class GradientCaching(torch.autograd.Function):
    r"""Predictions that run the model a second time in backward."""

    @staticmethod
    def forward(
        ctx: Any, model: nn.Module, chunks: Sequence[Batch], *_: Tensor
    ) -> Tensor:
        """All predictions, without a graph."""
        ctx.model, ctx.chunks = model, chunks
        return torch.cat([model(chunk) for chunk in chunks])

    @staticmethod
    def backward(ctx: Any, cache: Tensor) -> tuple[Tensor | None, ...]:
        """Sums the derivatives of all predictions, times the cache."""
        parameters = list(ctx.model.parameters())
        total: list[Tensor | None] = [None] * len(parameters)
        start = 0
        for chunk in ctx.chunks:
            with torch.enable_grad():
                out = ctx.model(chunk)
            rows = cache[start : start + len(out)]
            start += len(out)
            some = torch.autograd.grad(
                out, parameters, rows, allow_unused=True
            )
            for number, gradient in enumerate(some):
                if gradient is not None:
                    so_far = total[number]
                    total[number] = (
                        gradient if so_far is None else so_far + gradient
                    )
        return None, None, *total
