"""Memory of one way of one case, in a process of its own."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import resource
import sys
from typing import Any

import torch

from benchmarks.cases import Case
from benchmarks.problem import Problem, Runner, Unavailable
from benchmarks.settings import Settings
from benchmarks.ways import WAYS
from pyg_multipose.gradient import LiveBytes

#: glibc's name for the size from which memory goes back to the system as
#: soon as it is freed.
M_MMAP_THRESHOLD = -3


def memory_figure(case: Case, way: str, settings: Settings) -> dict[str, Any]:
    r"""Peak and live bytes of a step.

    The process is forked off a server that has nothing but modules, so its
    peak is its own (one that is started by exec inherits the peak of its
    parent).

    Args:
        case: The case.
        way: The name of the way.
        settings: The settings.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['benchmarks.memory'])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_child, args=(sender, case, way, settings)
    )
    process.start()
    sender.close()
    try:
        found = receiver.recv()
    except EOFError:
        process.join()
        found = {
            'unavailable': f'the process ended with code {process.exitcode}'
        }
    except BaseException:
        process.terminate()
        raise
    process.join()
    figure = {'kind': 'memory', 'case': vars(case).copy(), 'way': way}
    return {**figure, **found}


def _child(sender: Any, case: Case, way: str, settings: Settings) -> None:
    torch.set_num_threads(1)
    try:
        sender.send(measure(case, way, settings))
    except (Unavailable, torch.OutOfMemoryError, MemoryError) as reason:
        sender.send({'unavailable': str(reason)})


def measure(case: Case, way: str, settings: Settings) -> dict[str, int]:
    r"""Measures in this process; meant for one that does nothing else.

    The batch is there before; what is counted is what the step adds: at most
    at any time (peak), and tensors alive at the end of forward (held).

    Args:
        case: The case.
        way: The name of the way.
        settings: The settings.
    """
    # First of all: holes that are left behind would be filled later on.
    _give_back_from(2**13)
    runner = Runner(WAYS[way], Problem(case, settings))
    runner.warm_up()
    batch = runner.collate(runner.prepare())
    before = _start(settings.device)
    runner.run(batch)
    peak = _peak(settings.device) - before
    runner.clear()
    _give_back_from(2**25)  # to give back costs time
    with LiveBytes() as live, torch.set_grad_enabled(runner.way.train):
        predictions = runner.predict(batch)
    held = live.held()
    del predictions
    return {'peak_bytes': peak, 'held_bytes': held}


def _give_back_from(size: int) -> None:
    """Makes freed tensors leave the process at once, where glibc does it."""
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, size)


def _start(device: str) -> int:
    """Bytes in use now; the peak starts here."""
    gc.collect()
    if device == 'cuda':
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:
        trim(0)
    try:
        with open('/proc/self/clear_refs', 'w') as file:
            file.write('5')  # from here on, the peak is what is in use
    except OSError:
        pass  # elsewhere than on Linux, a peak from before hides a lower one
    return _peak(device)


def _peak(device: str) -> int:
    """The most bytes in use since the start."""
    if device == 'cuda':
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == 'darwin' else most * 1024
