"""On a GPU: how much of a step is spent in kernels."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

if TYPE_CHECKING:
    from benchmarks.problem import Runner


def kernel_share(runner: Runner) -> float:
    r"""The share of a step's time in which the GPU computes.

    The step is timed without the profiler, whose own cost is large.

    Args:
        runner: The way, on a GPU.
    """
    items = runner.prepare()
    torch.cuda.synchronize()
    start = time.perf_counter()
    runner.run(runner.collate(items))
    torch.cuda.synchronize()
    wall = time.perf_counter() - start
    with profile(
        activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]
    ) as profiler:
        runner.run(runner.collate(items))
        torch.cuda.synchronize()
    runner.clear()
    return kernel_seconds(profiler.events() or []) / wall


def kernel_seconds(events: Iterable[Any]) -> float:
    r"""Seconds of kernels; copies and what ran on the CPU do not count.

    Args:
        events: Of the profiler.
    """
    microseconds = sum(
        event.self_device_time_total
        for event in events
        if event.device_type == DeviceType.CUDA
        and not event.name.startswith(('Memcpy', 'Memset'))
    )
    return microseconds * 1e-6
