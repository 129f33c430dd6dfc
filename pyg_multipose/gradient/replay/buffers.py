"""The buffers of a model, as they were before each chunk."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


class Buffers:
    r"""Copies of buffers: those on entry, and again whenever one changed.

    A buffer that never changes costs one copy during the first pass, and
    nothing afterwards.

    Args:
        modules: All modules of the single-pose model.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._places = [
            (module, name)
            for module in modules
            if module._buffers
            for name in module._buffers
        ]
        self._objects = self._now()
        self._marks = [_mark(buffer) for buffer in self._objects]
        copies = _Copies()
        #: For each place, from which chunk on it had which value.
        self._history: list[list[tuple[int, Tensor | None]]] = [
            [(0, copies.of(buffer))] for buffer in self._objects
        ]
        self._changed: set[int] = set()
        # Batch statistics are written in training, and never read.
        self._unread = {
            place
            for place, (module, _) in enumerate(self._places)
            if isinstance(module, _NormBase) and module.training
        }
        self._watched = False
        # Whether all were just compared by value.
        self._settled = False

    @property
    def changed(self) -> bool:
        r"""Whether the model changed any of them."""
        return bool(self._changed)

    def watch(self, chunk: int, keep: bool) -> None:
        r"""Looks for changes after a chunk.

        Args:
            chunk: Number of the chunk; -1 for what came before all.
            keep: Whether the next chunk will be entered again.
        """
        # A value may change behind autograd's version counters (as batch
        # norms do); what does so in the first chunk is compared by value.
        every, self._watched = not self._watched, chunk >= 0
        self._settled = every
        copies = _Copies()
        for place, now in enumerate(self._now()):
            known = place in self._changed
            if known and (not keep or place in self._unread):
                continue
            if not (every or known) and _unmarked(self._marks[place], now):
                continue
            self._marks[place] = _mark(now)
            if _equal(now, self._history[place][-1][1]):
                continue
            self._changed.add(place)
            if chunk < 0 or (keep and place not in self._unread):
                self._history[place].append((chunk + 1, copies.of(now)))

    def settle(self) -> None:
        r"""Ends the first pass: only buffers that changed stay copied."""
        for place, now in enumerate(self._now()):
            if place in self._changed:
                continue
            if now is self._objects[place] and (
                self._settled or _equal(now, self._history[place][0][1])
            ):
                self._history[place] = []
            else:
                self._changed.add(place)

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        r"""Around the second pass: those of the first, then those of now."""
        before = self._now()
        try:
            self._put(enumerate(self._objects))
            self.enter(0)
            yield
        finally:
            self._put(enumerate(before))

    def enter(self, chunk: int) -> None:
        r"""Gives the model copies of what it had before a chunk.

        Args:
            chunk: Number of the chunk.
        """
        copies = _Copies()
        self._put(
            (place, copies.of(self._before(place, chunk)))
            for place in self._changed
        )

    def rewind(self) -> None:
        r"""Puts all of them back as they were on entry."""
        with torch.no_grad():
            for place, buffer in enumerate(self._objects):
                if not self._history[place]:
                    continue
                del self._history[place][1:]
                entry = self._history[place][0][1]
                if buffer is not None and not _equal(buffer, entry):
                    buffer.copy_(entry)  # type: ignore[arg-type]
        self._put(enumerate(self._objects))
        self._marks = [_mark(buffer) for buffer in self._objects]

    def constant(self) -> list[tuple[str, Tensor]]:
        r"""Those that must not change between the passes, by name."""
        return [
            (f"'{name}' of {type(module).__name__}", buffer)
            for place, ((module, name), buffer) in enumerate(
                zip(self._places, self._objects, strict=True)
            )
            if buffer is not None and place not in self._changed
        ]

    def _now(self) -> list[Tensor | None]:
        return [module._buffers.get(name) for module, name in self._places]

    def _put(self, values: Iterable[tuple[int, Tensor | None]]) -> None:
        for place, value in values:
            module, name = self._places[place]
            module._buffers[name] = value

    def _before(self, place: int, chunk: int) -> Tensor | None:
        history = self._history[place]
        return history[bisect_right(history, chunk, key=_start) - 1][1]


class _Copies:
    """Copies of tensors; one tensor in two places stays one tensor."""

    def __init__(self) -> None:
        self._made: dict[int, Tensor] = {}

    def of(self, tensor: Tensor | None) -> Tensor | None:
        """A copy of a tensor that lives as long as this object."""
        if tensor is None:
            return None
        if id(tensor) not in self._made:
            self._made[id(tensor)] = tensor.detach().clone()
        return self._made[id(tensor)]


def _start(entry: tuple[int, Tensor | None]) -> int:
    return entry[0]


_Mark = tuple[Tensor | None, int | None]


def _mark(tensor: Tensor | None) -> _Mark:
    if tensor is None or tensor.is_inference():  # these count no versions
        return tensor, None
    return tensor, tensor._version


def _unmarked(mark: _Mark, now: Tensor | None) -> bool:
    """Whether it is the same tensor, not changed in place."""
    if now is not mark[0]:
        return False
    return now is None or (mark[1] is not None and now._version == mark[1])


def _equal(first: Tensor | None, second: Tensor | None) -> bool:
    """Equal by value, NaN to NaN."""
    if first is None or second is None:
        return first is second
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if not first.numel() or torch.equal(first, second):
        return True
    nan = (first != first) & (second != second)
    return bool(((first == second) | nan).all())
