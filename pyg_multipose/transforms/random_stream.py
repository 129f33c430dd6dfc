"""Random numbers of a transform: its own, and each worker's own."""

from __future__ import annotations

import numpy as np
from torch.utils.data import get_worker_info


class RandomStream:
    r"""Random numbers that depend on a seed, and on the worker that draws.

    Workers of a loader hold copies of a transform; with one state for all,
    they would draw the same numbers, and the same again in every epoch.
    So a worker mixes in the seed that the loader gives it, which differs by
    worker and by epoch, and is reproducible if the loader's generator is.
    No global random state is read or changed.

    Args:
        seed: The seed.
    """

    def __init__(self, seed: int) -> None:
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise ValueError(
                f"'seed' has to be a non-negative integer, got {seed!r}"
            )
        self.seed = seed
        self._worker: int | None = None
        self._rng = np.random.default_rng(seed)

    @property
    def rng(self) -> np.random.Generator:
        r"""The generator of this process."""
        info = get_worker_info()
        if info is not None and info.seed != self._worker:
            self._worker = info.seed
            self._rng = np.random.default_rng([self.seed, info.seed])
        return self._rng
