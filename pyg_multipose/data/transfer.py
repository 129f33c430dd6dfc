"""Integers on their way from the host to where a model runs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def to_device(array: np.ndarray, device: torch.device) -> Tensor:
    r"""The values of an array as a tensor on a device.

    Nobody waits for a GPU: what comes from pinned memory is queued behind
    the work that it has, and the next chunk is made ready meanwhile.

    Args:
        array: Any numbers; on a CPU the tensor may share their memory.
        device: Where the tensor is wanted.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type == 'cuda':
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
