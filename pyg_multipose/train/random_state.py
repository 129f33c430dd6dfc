r"""The state of random numbers, as plain data."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def random_state() -> dict[str, Any]:
    r"""The global random states of Python, NumPy and PyTorch."""
    version, words, gauss = random.getstate()
    name, keys, *rest = np.random.get_state(legacy=True)
    on_gpu = torch.cuda.is_available() and torch.cuda.is_initialized()
    return {
        'python': [version, torch.tensor(words), gauss],
        'numpy': [name, torch.from_numpy(np.int64(keys)), *rest],
        'torch': torch.get_rng_state(),
        'cuda': torch.cuda.get_rng_state_all() if on_gpu else [],
    }


def set_random_state(state: dict[str, Any]) -> None:
    r"""Puts them back.

    Args:
        state: What :func:`random_state` gave.
    """
    version, words, gauss = state['python']
    random.setstate((version, tuple(words.tolist()), gauss))
    name, keys, *rest = state['numpy']
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state['torch'].cpu())
    if state['cuda'] and len(state['cuda']) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([one.cpu() for one in state['cuda']])
