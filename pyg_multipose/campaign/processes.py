r"""Processes of this machine that do shards."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Any

#: How often workers may die before a shard is done.
TRIES = 3


def in_processes(
    work: Callable[[int], Any], shards: Sequence[int], count: int
) -> Iterator[tuple[int, Any]]:
    r"""Does shards in processes, each with one thread of PyTorch.

    If one dies, all are started anew and go on with what is not done.

    Args:
        work: Does the shard of a number.
        shards: The numbers.
        count: How many processes.

    Yields:
        The number of each shard that is done, and what the work returned.

    Raises:
        RuntimeError: If processes died three times and no shard was done
            meanwhile.
    """
    context = _context(getattr(work, '__module__', None))
    left = deque(shards)
    deaths = 0
    while left:
        at: dict[Future[Any], int] = {}
        before = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(
            min(count, len(left)),
            context,
            _begin,
        )
        try:
            while left or at:
                # Not all at once: there may be a hundred thousand.
                while left and len(at) < 2 * count:
                    future = pool.submit(work, left[0])
                    at[future] = left.popleft()
                for future in wait(at, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    deaths = 0
                    yield at.pop(future), result
        except BrokenProcessPool as error:
            deaths += 1
            left.extendleft(reversed(at.values()))
            _report(list(at.values()), deaths, error)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for one in set(multiprocessing.active_children()) - before:
                one.terminate()
                one.join()


def _context(module: str | None) -> Any:
    """How processes are started: never as copies of this one.

    Where there is a server of processes, it imports once what all need, which
    takes longer than many a shard.
    """
    if 'forkserver' not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context('spawn')
    context = multiprocessing.get_context('forkserver')
    if module is not None:
        context.set_forkserver_preload([module])
    return context


def _report(shards: list[int], deaths: int, error: Exception) -> None:
    text = (
        f'A process died (killed, or out of memory?) while the shards '
        f'{sorted(shards)} were under way'
    )
    if deaths >= TRIES:
        raise RuntimeError(
            f'{text}, {deaths} times, and none of them was done. What was '
            f'done before is kept; the same command goes on with the rest. If '
            f'memory is the matter, use fewer processes'
        ) from error
    warnings.warn(f'{text}; they are done again', stacklevel=3)


def _begin() -> None:
    """What a process does before its first shard."""
    os.environ['OMP_NUM_THREADS'] = '1'
    if 'torch' in sys.modules:
        sys.modules['torch'].set_num_threads(1)
    # An interrupt goes to all processes; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
