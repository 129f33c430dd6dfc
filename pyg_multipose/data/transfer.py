"""What goes from the host to where a model runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor


def to_device(array: np.ndarray, device: torch.device) -> Tensor:
    r"""The values of an array as a tensor on a device.

    Args:
        array: Any numbers; on a CPU the tensor may share their memory.
        device: Where the tensor is wanted.
    """
    return _sent(torch.from_numpy(np.ascontiguousarray(array)), device)


def on_device(
    values: Mapping[str, Any], device: torch.device
) -> dict[str, Any]:
    r"""The values of a table on a device; what is no tensor stays as it is.

    Args:
        values: The values by key.
        device: Where they are wanted.
    """
    return {
        key: _sent(value, device) if isinstance(value, Tensor) else value
        for key, value in values.items()
    }


def _sent(tensor: Tensor, device: torch.device) -> Tensor:
    if tensor.device == device:
        return tensor
    follows = tensor.requires_grad and torch.is_grad_enabled()
    if device.type != 'cuda' or not tensor.is_cpu or follows:
        return tensor.to(device)  # pinning has no derivative
    # Nobody waits: a copy from pinned memory is queued behind what the GPU
    # has to do, and the host makes the next chunk ready meanwhile.
    return tensor.pin_memory().to(device, non_blocking=True)


def on_host(tensor: Tensor) -> np.ndarray:
    r"""The values of a tensor of integers, not copied if they are there.

    Args:
        tensor: Integers.
    """
    # Within a transform of torch.func, whatever an operation returns has no
    # values to look at.
    with torch._C._DisableFuncTorch():
        return (tensor if tensor.is_cpu else tensor.cpu()).numpy()
