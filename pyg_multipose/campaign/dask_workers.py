r"""Workers of Dask that do shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

#: How long a scheduler is waited for.
TIMEOUT = '10s'
#: How many shards wait at the scheduler for each thread of its workers.
_AHEAD = 4


def in_dask(
    work: Callable[[int], Any], shards: Sequence[int], address: str
) -> Iterator[tuple[int, Any]]:
    r"""Does shards by the workers of a Dask scheduler.

    Dask gives a shard whose worker died to another one, as often as its
    configuration allows (`distributed.scheduler.allowed-failures`).

    Args:
        work: Does the shard of a number.
        shards: The numbers.
        address: Where the scheduler is, such as :obj:`"tcp://host:8786"`.

    Yields:
        The number of each shard that is done, and what the work returned.

    Raises:
        ImportError: If Dask is not installed.
        ConnectionError: If there is no such scheduler.
        RuntimeError: If the workers that had a shard all died.
    """
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError as error:
        raise ImportError(
            "--scheduler needs Dask: pip install 'pyg_multipose[dask]'"
        ) from error
    try:
        client = Client(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f'--scheduler {address}: no Dask scheduler answers there ({error})'
        ) from error
    with client:
        rest = iter(shards)
        threads = sum(client.nthreads().values())
        at: dict[Any, int] = {}
        finished = as_completed(loop=client.loop)
        for _ in range(max(_AHEAD * threads, _AHEAD)):
            _submit(client, work, rest, at, finished)
        for future in finished:
            shard = at.pop(future)
            try:
                result = future.result()
            except KilledWorker as error:
                raise RuntimeError(
                    f'The Dask workers that had shard {shard} died, one after '
                    f'the other ({error}). What was done before is kept; the '
                    f'same command goes on with the rest'
                ) from error
            _submit(client, work, rest, at, finished)
            yield shard, result


def _submit(
    client: Any,
    work: Callable[[int], Any],
    rest: Iterator[int],
    at: dict[Any, int],
    finished: Any,
) -> None:
    for shard in rest:
        future = client.submit(work, shard, pure=False)
        at[future] = shard
        finished.add(future)
        return
