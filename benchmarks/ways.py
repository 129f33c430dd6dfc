"""The ways to a gradient that are compared, by name."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.losses import LOSSES
from benchmarks.rivals import (
    Predict,
    cached,
    checkpointed,
    compiled,
    plain,
    stored,
)

#: Poses of a chunk of the rivals that work in chunks, by device.
CHUNK = {'cpu': 4, 'cuda': 64}


@dataclass(frozen=True)
class Way:
    r"""A way to the gradient, or to the predictions.

    Args:
        name: What tables call it.
        predict: How a rival gets predictions from the plain model, or
            :obj:`None` for a gradient mode.
        chunk: Poses that a rival gives to the model at once: a number, or
            :obj:`"all"`, or :obj:`"chunk"` for what suits the device.
        mode: The gradient mode.
        share: Whether the receptor is evaluated once for all poses.
        ours: Whether the model is ours.
        train: Whether there is a backward pass.
    """

    name: str
    predict: Predict | None = None
    chunk: int | str = 1
    mode: str | None = None
    share: bool = False
    ours: bool = False
    train: bool = True

    def chunk_size(self, device: str, poses: int) -> int:
        r"""Poses that a rival gives to the model at once.

        Args:
            device: Where the model runs.
            poses: Poses of the batch.
        """
        if self.chunk == 'all':
            return poses
        return CHUNK[device] if self.chunk == 'chunk' else int(self.chunk)

    def fits(self, loss: str) -> bool:
        r"""Whether this way is there for a loss.

        Args:
            loss: A key of :obj:`LOSSES`.
        """
        asked = LOSSES[loss]
        if self.mode == 'stream':
            return asked.channels == 1 and not asked.on_poses
        stores = self.mode == 'store' or self.predict is stored
        return not (stores and asked.channels > 1)


def _mode(mode: str, share: bool = False, train: bool = True) -> Way:
    name = mode + (', shared' if share else '')
    name += '' if train else ', inference'
    return Way(name, mode=mode, share=share, ours=True, train=train)


PLAIN = 'plain, pose by pose'
RIVALS = (
    Way(PLAIN, plain),
    Way('plain, batched', plain, 'all'),
    Way('checkpoint per pose', checkpointed),
    Way('checkpoint per chunk', checkpointed, 'chunk'),
    Way('gradient caching', cached),
    Way('seed (MTENN)', stored),
)
#: Our model itself, in one batch, under plain autograd.
BARE = Way('bare model', plain, 'all', ours=True)
MODES = tuple(
    _mode(mode) for mode in ('full', 'store', 'stream', 'recompute', 'auto')
)
SHARED = tuple(
    _mode(mode, True) for mode in ('full', 'stream', 'recompute', 'auto')
)
INFERENCE = (
    Way('plain, inference', plain, train=False),
    _mode('auto', train=False),
    _mode('auto', True, False),
)
#: What takes minutes to compile, and so is timed in few cases.
COMPILED = Way('torch.compile, memory budget', compiled)
#: Plain models in our readout: what is gained without our layers.
ENGINE = (
    Way('auto, plain model', mode='auto'),
    Way('recompute, plain model', mode='recompute'),
)
WAYS: dict[str, Way] = {
    way.name: way
    for way in (
        *RIVALS, COMPILED, BARE, *ENGINE, *MODES, *SHARED, *INFERENCE
    )
}  # fmt: skip
