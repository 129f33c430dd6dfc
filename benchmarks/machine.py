"""The machine and the versions that figures belong to."""

from __future__ import annotations

import os
import platform
from typing import Any

import e3nn
import torch
import torch_geometric

import pyg_multipose
from pyg_multipose.nn.messages.kernel import find_numba


def machine(device: str) -> dict[str, Any]:
    r"""What figures depend on, besides the settings.

    Args:
        device: :obj:`"cpu"` or :obj:`"cuda"`.
    """
    out: dict[str, Any] = {
        'processor': _processor(),
        'cores': os.cpu_count(),
        'system': f'{platform.system()} {platform.machine()}',
        'python': platform.python_version(),
        'torch': torch.__version__,
        'torch_geometric': torch_geometric.__version__,
        'e3nn': e3nn.__version__,
        'pyg_multipose': pyg_multipose.__version__,
        'numba': getattr(find_numba(), '__version__', None),
    }
    if device == 'cuda':
        out['card'] = torch.cuda.get_device_name()
        out['cuda'] = torch.version.cuda
    return out


def load_average() -> float | None:
    r"""Processes that wanted to run in the last minute, where it is known."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def _processor() -> str:
    try:
        with open('/proc/cpuinfo') as file:
            for line in file:
                if line.startswith('model name'):
                    return line.partition(':')[2].strip()
    except OSError:
        pass
    return platform.processor() or 'unknown'
