r"""Runs shards: here, in processes of this machine, or by Dask."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tqdm import tqdm

from pyg_multipose.campaign.dask_workers import in_dask
from pyg_multipose.campaign.processes import in_processes

#: Does a shard; what it returns is small, and can be pickled.
Work = Callable[[int], Any]
#: Seconds that are to be left before processes are worth their start: they
#: load PyTorch and the model, which takes some ten.
WORTH = 30.0


def run_shards(
    work: Work,
    shards: Sequence[int],
    processes: int | str = 'auto',
    scheduler: str | None = None,
    done: Callable[[int, Any], None] | None = None,
    progress: bool | None = None,
    desc: str = 'Shards',
) -> None:
    r"""Does shards of a campaign, each once, in any order.

    A shard that a process was at when it died is done again, three times at
    most; an error of the work itself ends the run. Processes are started
    afresh and not as copies of this one, each with one thread of PyTorch.

    Args:
        work: Does the shard of a number. It can be pickled, unless it runs
            here, and keeps what it loads for the next shard.
        shards: The numbers.
        processes: How many processes of this machine; with 1 it is this one.
            :obj:`"auto"` begins in this one, and goes on in as many as there
            are cores if what is left takes more than 30 seconds here: what
            is small does not pay for their start. (default: :obj:`"auto"`)
        scheduler: The address of a Dask scheduler, such as
            :obj:`"tcp://host:8786"`, whose workers do it instead.
            (default: :obj:`None`)
        done: Called here with the number of each shard that is done and what
            the work returned. (default: :obj:`None`)
        progress: Whether to show a progress bar on standard error; if
            :obj:`None`, on a terminal. (default: :obj:`None`)
        desc: What the bar is called. (default: :obj:`"Shards"`)

    Raises:
        ValueError: If a number of processes is none.
        RuntimeError: If workers died again and again.

    Example:
        >>> from pyg_multipose.campaign import run_shards
        >>> found = {}
        >>> run_shards(abs, [-3, -4], done=found.__setitem__)
        >>> found
        {-3: 3, -4: 4}
    """
    count = check_processes(processes)
    results: Iterator[tuple[int, Any]]
    if scheduler is not None:
        results = in_dask(work, shards, scheduler)
    elif count == 1 or len(shards) < 2:
        results = ((shard, work(shard)) for shard in shards)
    elif processes == 'auto':
        results = _when_worth(work, shards, count)
    else:
        results = in_processes(work, shards, count)
    bar = tqdm(
        results,
        desc=desc,
        total=len(shards),
        unit='shard',
        disable=None if progress is None else not progress,
    )
    for shard, result in bar:
        if done is not None:
            done(shard, result)


def check_processes(processes: int | str) -> int:
    r"""How many processes are meant.

    Args:
        processes: A number, or :obj:`"auto"`.

    Raises:
        ValueError: If it is none.
    """
    if processes == 'auto':
        return cores()
    text = str(processes)
    if not text.isdigit() or int(text) < 1:
        raise ValueError(
            f'--processes {processes}: expected auto, or a number from 1 on'
        )
    return int(text)


def cores() -> int:
    r"""The cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _when_worth(
    work: Work, shards: Sequence[int], count: int
) -> Iterator[tuple[int, Any]]:
    """Here, and in processes once it is seen to take long."""
    for place, shard in enumerate(shards):
        start = time.perf_counter()
        result = work(shard)
        took = time.perf_counter() - start
        yield shard, result
        left = shards[place + 1 :]
        # The first one has loaded what the others find loaded.
        if place and took * len(left) > WORTH:
            yield from in_processes(work, left, min(count, len(left)))
            return
