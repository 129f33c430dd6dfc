"""What sees the functions of torch that a model calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch.overrides import TorchFunctionMode


class Watcher(TorchFunctionMode):
    r"""Sees functions of torch, and may look away."""

    def __init__(self) -> None:
        super().__init__()
        self._off = False

    @contextmanager
    def off(self) -> Iterator[None]:
        r"""Within, nothing is seen."""
        before, self._off = self._off, True
        try:
            yield
        finally:
            self._off = before
