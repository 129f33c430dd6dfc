"""What a second pass has to find as the first one found it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import get_device_states, set_device_states

from pyg_multipose.gradient.model.traits import Traits
from pyg_multipose.gradient.replay.buffers import Buffers

#: Of the CPU, and of accelerators by number; None where nothing was drawn.
RandomState = tuple[Tensor | None, list[int], list[Tensor]]


class Replay:
    r"""The state of a model and of the random numbers, chunk by chunk.

    It is recorded in the first pass and restored around the second:
    train/eval flags, autocast, the buffers that the model changes, and the
    random state before each chunk that draws.

    Args:
        modules: All modules of the single-pose model.
        device: Where the poses are.
    """

    def __init__(
        self, modules: Sequence[nn.Module], device: torch.device
    ) -> None:
        # torch's utilities ask tensors where they are.
        self._somewhere = torch.empty(0, device=device)
        self._training = [(module, module.training) for module in modules]
        self._buffers = Buffers(modules)
        self._autocast = [
            (
                kind,
                torch.get_autocast_dtype(kind),
                torch.is_autocast_enabled(kind),
                torch.is_autocast_cache_enabled(),
            )
            for kind in {'cpu', device.type}
        ]
        self._start = self._random_state()
        self._draws: dict[int, RandomState] = {}
        self._again = False
        coupling = [m for m, _ in self._training if _couples(m)]
        self._coupling = ''
        if coupling:
            self._coupling = (
                f'{type(coupling[0]).__name__} takes its statistics over each '
                f'chunk'
            )
        self._changes = False
        #: Whether the model drew random numbers up to now.
        self.draws = False
        #: Whether it works with a graph only, as where it takes forces.
        self.needs_graph = False
        #: Number of the chunk that runs, or ran last, in the first pass.
        self.chunk = 0

    def know(self, traits: Traits, whole: bool = False) -> None:
        r"""Takes up what was seen of the model before.

        Args:
            traits: What was seen.
            whole: Whether chunks are to stay as they are cut, of a model
                that draws or changes buffers. (default: :obj:`False`)
        """
        self.needs_graph |= traits.needs_graph
        if whole:
            self.draws |= traits.draws
            self._changes |= traits.changes
        self._coupling = self._coupling or traits.mixes

    @property
    def couples(self) -> bool:
        r"""Whether a pose's prediction may depend on its chunk."""
        return bool(self._coupling or self._changes or self._buffers.changed)

    @property
    def unsteady(self) -> str:
        r"""What made this pass unlike another one; empty if nothing did."""
        if self.draws:
            return (
                'the model draws random numbers, as dropout does in training'
            )
        return 'the model changes its buffers' * self._buffers.changed

    @property
    def whole_chunks(self) -> bool:
        r"""Whether poses cannot be taken out of their chunk."""
        return self.draws or self.couples

    @property
    def autocast_dtype(self) -> str:
        r"""The dtype of autocast, if it is on."""
        return ' '.join(str(dtype) for _, dtype, on, _ in self._autocast if on)

    @property
    def half_autocast(self) -> bool:
        r"""Whether the model runs under fp16 autocast."""
        return any(
            on and dtype == torch.float16 for _, dtype, on, _ in self._autocast
        )

    def warn(self, num_chunks: int) -> None:
        r"""Says so if statistics are those of chunks, not of the batch.

        Args:
            num_chunks: Into how many chunks the batch is cut.
        """
        if self._coupling and num_chunks > 1:
            warnings.warn(
                f'{self._coupling}, not over the batch, which is cut into '
                f'{num_chunks} chunks: results depend on how it is cut. Put '
                f'that module into eval mode, raise max_nodes_per_chunk, or '
                f'use a normalisation or pooling per graph (that is given '
                f'batch.batch)',
                stacklevel=2,
            )

    @contextmanager
    def first_pass(self, again: bool = False) -> Iterator[None]:
        r"""Around the first pass: whatever it raises leaves no trace.

        Args:
            again: Whether a second pass may follow. (default: :obj:`False`)
        """
        self._again = again
        try:
            yield
        except BaseException:
            self.rewind()
            raise
        if self.autocast_dtype:
            # A cast made without gradient must not serve the second pass.
            torch.clear_autocast_cache()
        self._buffers.settle()

    @contextmanager
    def before_chunks(self) -> Iterator[None]:
        r"""Around what comes before all chunks and is never replayed."""
        before = self._random_state()
        try:
            yield
        except BaseException:
            self.rewind()
            raise
        self.draws |= _drawn(before, self._random_state()) is not None
        self._buffers.watch(-1, True)

    @contextmanager
    def recorded(self, chunk: int) -> Iterator[None]:
        r"""Around a chunk of the first pass.

        Args:
            chunk: Number of the chunk.
        """
        self.chunk = chunk
        before = self._random_state()
        try:
            yield
        finally:
            drawn = _drawn(before, self._random_state())
            if drawn is not None:
                self.draws = True
                if self._again:
                    self._draws[chunk] = drawn
        self._buffers.watch(chunk, self._again)

    @contextmanager
    def second_pass(self) -> Iterator[None]:
        r"""Around the second pass: everything is as before, and after."""
        with ExitStack() as stack:
            device = self._somewhere.device
            others = [] if device.type == 'cpu' else [device]
            stack.enter_context(torch.random.fork_rng(others))
            for kind, dtype, enabled, cache in self._autocast:
                stack.enter_context(
                    torch.autocast(kind, dtype, enabled, cache)
                )
            stack.enter_context(self._buffers.set_aside())
            now = [module.training for module, _ in self._training]
            try:
                for module, training in self._training:
                    module.training = training
                yield
            finally:
                for (module, _), training in zip(
                    self._training, now, strict=True
                ):
                    module.training = training

    def enter(self, chunk: int | None) -> None:
        r"""Begins a chunk; within :meth:`second_pass`.

        Args:
            chunk: Number of the chunk, or :obj:`None` for a new one.
        """
        self._buffers.enter(chunk or 0)
        if chunk is not None and chunk in self._draws:
            self._set_random_state(self._draws[chunk])

    def rewind(self) -> None:
        r"""Puts random state and buffers back as they were on entry."""
        self._set_random_state(self._start)
        self._buffers.rewind()

    def constant(self) -> list[tuple[str, Tensor]]:
        r"""The buffers that must not change between the passes, by name."""
        return self._buffers.constant()

    def _random_state(self) -> RandomState:
        cpu = torch.get_rng_state()
        if self._somewhere.is_cpu:  # where asking takes longer than the state
            return cpu, [], []
        return cpu, *get_device_states(self._somewhere)

    def _set_random_state(self, state: RandomState) -> None:
        cpu, numbers, others = state
        if cpu is not None:
            torch.set_rng_state(cpu)
        device_type = self._somewhere.device.type
        set_device_states(numbers, others, device_type=device_type)


@lru_cache(2**10)
def _may_couple(kind: type) -> bool:
    """Whether it is a batch normalisation, by its class."""
    return issubclass(kind, _NormBase) or 'BatchNorm' in kind.__name__


def _couples(module: nn.Module) -> bool:
    """Batch normalisation with statistics of the batch it is given."""
    kind: Any = type(module)
    if not _may_couple(kind):
        return False
    if isinstance(module, _NormBase):
        per_graph = 'InstanceNorm' in type(module).__name__
        return not per_graph and (
            module.training or not module.track_running_stats
        )
    return module.training


def _drawn(before: RandomState, after: RandomState) -> RandomState | None:
    """The state before, as far as it changed: on a CPU it takes 5 kB."""
    assert before[0] is not None and after[0] is not None
    cpu = None if torch.equal(before[0], after[0]) else before[0]
    others = all(map(torch.equal, before[2], after[2]))
    if cpu is None and others:
        return None
    return cpu, *(([], []) if others else before[1:])
