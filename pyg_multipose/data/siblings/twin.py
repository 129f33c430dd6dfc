"""Transforms that can be called without using up the random numbers."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import torch
from torch_geometric.transforms import BaseTransform

#: What random numbers come from.
_GENERATORS = (
    random.Random,
    np.random.Generator,
    np.random.RandomState,
    torch.Generator,
)
#: Longer lists are no lists of transforms.
_LONG = 1000


def twin(value: Any) -> Any:
    r"""A transform with the same settings, and a state of its own.

    Copied are its random numbers, its lists and tables (such as what it
    remembers of sets), and transforms in it; tensors and models are large,
    and shared.

    Args:
        value: The transform, or any of its attributes.
    """
    if isinstance(value, _GENERATORS):
        if isinstance(value, torch.Generator):
            return value.clone_state()
        return copy.deepcopy(value)
    if type(value) in (list, tuple) and len(value) < _LONG:
        return type(value)(twin(item) for item in value)
    if type(value) in (list, dict, set):
        return value.copy()
    state = getattr(value, '__dict__', {})
    draws = any(isinstance(item, _GENERATORS) for item in state.values())
    if not draws and not isinstance(value, BaseTransform):
        return value
    try:
        out = copy.copy(value)
    except Exception:  # something that is there once, such as an open file
        return value
    vars(out).update({key: twin(item) for key, item in state.items()})
    return out
