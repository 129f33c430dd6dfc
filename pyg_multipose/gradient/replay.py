"""What a second pass has to find as the first one found it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


class Replay:
    r"""The state of a model and of the random numbers, chunk by chunk.

    It is recorded in the first pass and restored around the second:
    train/eval flags, autocast, the buffers on entry (if the model changes
    them), and the random state before each chunk that draws.

    Args:
        model: The single-pose model.
        device: Where the poses are.
    """

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._device = device
        self._training = [
            (module, module.training) for module in model.modules()
        ]
        self._buffers = [
            (module, name, buffer)
            for module in model.modules()
            for name, buffer in module._buffers.items()
            if buffer is not None
        ]
        self._entry: list[Tensor] | None = [
            buffer.detach().clone() for _, _, buffer in self._buffers
        ]
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
        self._draws: dict[int, tuple[Tensor, Tensor | None]] = {}
        coupling = [m for m, _ in self._training if _couples(m)]
        #: Whether a pose's prediction may depend on its chunk.
        self.couples = bool(coupling)
        self._coupling = type(coupling[0]).__name__ if coupling else ''

    @property
    def draws(self) -> bool:
        r"""Whether the model drew random numbers in the first pass."""
        return bool(self._draws)

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
        if self.couples and num_chunks > 1:
            warnings.warn(
                f'{self._coupling} takes its statistics over each of '
                f'{num_chunks} chunks, not over the batch. Put it into eval '
                f'mode, raise max_nodes_per_chunk, or use a normalisation '
                f'per graph',
                stacklevel=2,
            )

    @contextmanager
    def first_pass(self) -> Iterator[None]:
        r"""Around the first pass: whatever it raises, buffers stay."""
        try:
            yield
        except BaseException:
            self.rewind_buffers()
            raise
        # A cast made without gradient must not serve the second pass.
        torch.clear_autocast_cache()
        if self._changed_buffers():
            self.couples = True
        else:
            self._entry = None

    @contextmanager
    def recorded(self, chunk: int) -> Iterator[None]:
        r"""Around a chunk of the first pass.

        Args:
            chunk: Number of the chunk.
        """
        before = self._random_state()
        yield
        if not _same(before, self._random_state()):
            self._draws[chunk] = before

    @contextmanager
    def second_pass(self) -> Iterator[None]:
        r"""Around the second pass: everything is as before, and after."""
        with ExitStack() as stack:
            cuda = [self._device] if self._device.type == 'cuda' else []
            stack.enter_context(
                torch.random.fork_rng(cuda, enabled=self.draws)
            )
            for kind, dtype, enabled, cache in self._autocast:
                stack.enter_context(
                    torch.autocast(kind, dtype, enabled, cache)
                )
            now = [module.training for module, _ in self._training]
            buffers = [m._buffers.get(name) for m, name, _ in self._buffers]
            try:
                for module, training in self._training:
                    module.training = training
                self.enter_buffers()
                yield
            finally:
                for (module, _), training in zip(
                    self._training, now, strict=True
                ):
                    module.training = training
                for (module, name, _), buffer in zip(
                    self._buffers, buffers, strict=True
                ):
                    module._buffers[name] = buffer

    def enter_buffers(self) -> None:
        r"""Gives the model copies of its buffers as they were on entry."""
        if self._entry is None:
            return
        for (module, name, _), entry in zip(
            self._buffers, self._entry, strict=True
        ):
            module._buffers[name] = entry.clone()

    def enter(self, chunk: int | None) -> None:
        r"""Begins a chunk; within :meth:`second_pass`.

        Args:
            chunk: Number of the chunk, or :obj:`None` for a new one.
        """
        self.enter_buffers()
        if chunk is not None and chunk in self._draws:
            cpu, cuda = self._draws[chunk]
            torch.set_rng_state(cpu)
            if cuda is not None:
                torch.cuda.set_rng_state(cuda, self._device)

    def rewind(self) -> None:
        r"""Puts random state and buffers back as they were on entry."""
        cpu, cuda = self._start
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda, self._device)
        self.rewind_buffers()

    def rewind_buffers(self) -> None:
        r"""Puts the buffers back as they were before the first pass."""
        if self._entry is None:
            return
        with torch.no_grad():
            for (module, name, buffer), entry in zip(
                self._buffers, self._entry, strict=True
            ):
                if not _equal(buffer, entry):
                    buffer.copy_(entry)
                module._buffers[name] = buffer

    def fingerprint(self) -> list[Tensor]:
        r"""The buffers that must not change between the passes."""
        if self._entry is not None:
            return []
        now = [module._buffers.get(name) for module, name, _ in self._buffers]
        return [
            buffer
            for buffer in now
            if buffer is not None and buffer.is_floating_point()
        ]

    def _changed_buffers(self) -> bool:
        assert self._entry is not None
        return any(
            module._buffers[name] is not buffer or not _equal(buffer, entry)
            for (module, name, buffer), entry in zip(
                self._buffers, self._entry, strict=True
            )
        )

    def _random_state(self) -> tuple[Tensor, Tensor | None]:
        cuda = self._device.type == 'cuda'
        return (
            torch.get_rng_state(),
            torch.cuda.get_rng_state(self._device) if cuda else None,
        )


def _couples(module: nn.Module) -> bool:
    """Batch normalisation with statistics of the batch it is given."""
    if isinstance(module, _NormBase):
        per_graph = 'InstanceNorm' in type(module).__name__
        return not per_graph and (
            module.training or not module.track_running_stats
        )
    return 'BatchNorm' in type(module).__name__ and module.training


def _same(
    first: tuple[Tensor, Tensor | None], second: tuple[Tensor, Tensor | None]
) -> bool:
    return all(
        a is b or torch.equal(a, b)  # type: ignore[arg-type]
        for a, b in zip(first, second, strict=True)
    )


def _equal(first: Tensor, second: Tensor) -> bool:
    """Equal by value; batch_norm does not move a buffer's version counter."""
    return first.shape == second.shape and bool(
        torch.isclose(first, second, rtol=0, atol=0, equal_nan=True).all()
    )
