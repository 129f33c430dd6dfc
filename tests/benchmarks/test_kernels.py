from types import SimpleNamespace

import pytest
from torch.autograd import DeviceType

from benchmarks.kernels import kernel_seconds


def event(name, device, microseconds):
    return SimpleNamespace(
        name=name, device_type=device, self_device_time_total=microseconds
    )


def test_only_kernels_count():
    events = [
        event('volta_sgemm', DeviceType.CUDA, 300),
        event('Memcpy HtoD', DeviceType.CUDA, 500),
        event('Memset (Device)', DeviceType.CUDA, 500),
        event('aten::mm', DeviceType.CPU, 300),  # the same time again
        event('reduce', DeviceType.CUDA, 200),
    ]
    assert kernel_seconds(events) == pytest.approx(5e-4)
    assert kernel_seconds([]) == 0
