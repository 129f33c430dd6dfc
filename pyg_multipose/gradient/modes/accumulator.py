"""Sums of gradients over chunks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Accumulator:
    r"""Sums the gradients that backward passes leave on leaves.

    Half precision is summed in float32.

    Args:
        leaves: The leaves; those without :obj:`requires_grad` are ignored.
    """

    def __init__(self, leaves: Sequence[Tensor]) -> None:
        self._leaves = leaves
        self._sums: list[Tensor | None] = [None] * len(leaves)

    def collect(self) -> None:
        r"""Adds what the last backward pass left, and clears it."""
        new, old = [], []
        for number, leaf in enumerate(self._leaves):
            grad, leaf.grad = leaf.grad, None
            if grad is None:
                continue
            if grad.dtype in (torch.float16, torch.bfloat16):
                grad = grad.float()
            before = self._sums[number]
            if before is None:
                # A copy: autograd may give several leaves one storage.
                self._sums[number] = grad.clone()
            else:
                old.append(before)
                new.append(grad)
        if old:
            torch._foreach_add_(old, new)

    def finite(self) -> bool:
        r"""Whether all that the last backward pass left is finite."""
        grads = [leaf.grad for leaf in self._leaves if leaf.grad is not None]
        dense = [grad.to_dense() if grad.is_sparse else grad for grad in grads]
        norms = torch._foreach_norm(dense) if dense else []
        # A sum of squares may overflow where every number is finite.
        if not norms or bool(torch.stack(list(norms)).isfinite().all()):
            return True
        return all(bool(grad.isfinite().all()) for grad in dense)

    def forget(self) -> None:
        r"""Clears what the last backward pass left."""
        for leaf in self._leaves:
            leaf.grad = None

    def scale(self, factor: Tensor) -> None:
        r"""Multiplies all sums.

        Args:
            factor: A number.
        """
        sums = [total for total in self._sums if total is not None]
        if sums:
            torch._foreach_mul_(sums, factor)

    def sums(self) -> list[Tensor | None]:
        r"""The sums; :obj:`None` where no gradient arrived."""
        return self._sums

    def totals(self, any_backward: bool) -> list[Tensor | None]:
        r"""The sums as autograd expects them, in the dtype of the leaves.

        Args:
            any_backward: Whether there was a backward pass; without one all
                sums are zero.
        """
        out: list[Tensor | None] = []
        for leaf, total in zip(self._leaves, self._sums, strict=True):
            if total is not None:
                out.append(total.to(leaf.dtype))
            elif any_backward or not leaf.requires_grad:
                out.append(None)
            else:
                out.append(torch.zeros_like(leaf))
        return out
