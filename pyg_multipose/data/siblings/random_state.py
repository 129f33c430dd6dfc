"""The global random numbers that a transform may draw."""

from __future__ import annotations

import random

import numpy as np
import torch


class RandomState:
    r"""Where the generators of Python, NumPy and torch are now."""

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy = np.random.get_state()
        self._torch = torch.get_rng_state()
        self._cuda = (
            torch.cuda.get_rng_state_all()
            if torch.cuda.is_initialized()
            else []
        )

    def restore(self) -> None:
        r"""Sets the generators back to where they were."""
        random.setstate(self._python)
        np.random.set_state(self._numpy)
        torch.set_rng_state(self._torch)
        if self._cuda:
            torch.cuda.set_rng_state_all(self._cuda)
