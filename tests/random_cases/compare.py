"""Whether two worlds agree: values, gradients, buffers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tests.random_cases.worlds import World

#: Largest relative error of values and gradients.
LIMIT = 1e-9
#: The same of second derivatives, which a sharp Max multiplies by its scale.
SECOND = 1e-6
#: Gradients are measured by their own size, or by this share of all, or by
#: this: what cancels is not known better.
SHARE, LEAST = 1e-4, 1e-3


class Wrong(Exception):
    """A difference, or an error that is not allowed."""


class Comparison:
    """Compares, and keeps the worst relative error."""

    def __init__(self) -> None:
        self.worst = 0.0
        self.limit = LIMIT
        #: What the readout did, for messages.
        self.how = ''

    def values(self, what: str, got: Tensor, expected: Tensor) -> None:
        """Compares a tensor."""
        if got.shape != expected.shape or got.dtype != expected.dtype:
            raise Wrong(
                f'{what}: shape {list(got.shape)} {got.dtype}, expected '
                f'{list(expected.shape)} {expected.dtype}'
            )
        scale = max(1e-6, expected.detach().abs().max().item())
        self._error(what, got, expected, scale)

    def gradients(self, got: dict, expected: dict) -> None:
        """Compares gradients by name; none counts as zero."""
        sizes = [
            grad.detach().norm().nan_to_num(0.0).item()
            for grad in expected.values()
            if grad is not None
        ]
        total = max(sizes, default=0.0)
        for name in sorted(set(got) | set(expected)):
            g, e = got.get(name), expected.get(name)
            if g is None and e is None:
                continue
            g = torch.zeros_like(e) if g is None else g
            e = torch.zeros_like(g) if e is None else e
            if g.shape != e.shape or g.dtype != e.dtype:
                raise Wrong(f'gradient of {name}: shape {list(g.shape)}')
            scale = max(e.detach().norm().item(), SHARE * total, LEAST)
            self._error(f'gradient of {name}', g, e, scale)

    def _error(self, what: str, got: Tensor, expected: Tensor, scale: float):
        got, expected = got.detach(), expected.detach()
        if not torch.equal(got.isnan(), expected.isnan()):
            raise Wrong(
                f'{what}: expected {expected.tolist()}, got {got.tolist()}'
            )
        off = (got - expected).nan_to_num(0.0).norm().item()
        scale = scale if scale == scale else 1.0
        if off > self.limit * scale:
            raise Wrong(
                f'{what}: relative error {off / scale:.1e}, expected '
                f'{expected.flatten()[:4].tolist()}, got '
                f'{got.flatten()[:4].tolist()} [{self.how}]'
            )
        if self.limit == LIMIT:
            self.worst = max(self.worst, off / scale)

    def buffers(self, tested: World, plain: World) -> None:
        """Compares buffers."""
        expected = plain.buffers()
        for name, got in tested.buffers().items():
            one = expected[name]
            if not got.is_floating_point():
                got, one = got.double(), one.double()
            if got.numel():
                self.values(f'buffer {name}', got, one)

    def same(self, now: dict, before: dict, what: str) -> None:
        """Whether nothing has changed at all."""
        same = now.keys() == before.keys() and all(
            (now[name] is None) == (one is None)
            and (one is None or torch.allclose(now[name], one, 0, 0, True))
            for name, one in before.items()
        )
        if not same:
            raise Wrong(f'{what}: not as before')


def accumulated(world: World) -> dict[str, Tensor | None]:
    """Copies of `.grad`."""
    return {
        name: None if leaf.grad is None else leaf.grad.clone()
        for name, leaf in world.named_leaves()
    }


def gradient(loss: Tensor, leaves: dict[str, Tensor], **kwargs: Any) -> dict:
    """Gradients by name."""
    if not loss.requires_grad or not leaves:
        return {}
    grads = torch.autograd.grad(
        loss, list(leaves.values()), allow_unused=True, **kwargs
    )
    return dict(zip(leaves, grads, strict=True))


def second_derivative(world: World, slot: int) -> dict:
    """The gradient of the square of the gradient."""
    leaves = dict(world.named_leaves())
    first = gradient(world.loss(slot), leaves, create_graph=True)
    used = [g for g in first.values() if g is not None and g.requires_grad]
    if not used:
        return first
    square = torch.stack([g.square().sum() for g in used]).sum()
    return gradient(square, leaves)
