r"""The same function in several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

#: How long ranks wait for one another.
TIMEOUT = timedelta(minutes=10)
#: What a process that has been started imports, all ranks at once.
PRELOAD = ('torch', 'torch_geometric', 'pyg_multipose.distributed')
#: Errors of which the message says all.
PLAIN: tuple[type[Exception], ...] = (
    FileExistsError,
    FileNotFoundError,
    OSError,
    ImportError,
    ValueError,
)

#: What tells that a process has failed.
_FAILURES = (mp.ProcessRaisedException, mp.ProcessExitedException)


class RankError(ChildProcessError):
    r"""A process ended before its time; the others were stopped.

    Example:
        >>> from pyg_multipose.distributed import RankError
        >>> issubclass(RankError, ChildProcessError)
        True
    """


def launch(
    function: Callable[..., Any],
    args: Sequence[Any] = (),
    processes: int = 2,
    preload: Sequence[str] = PRELOAD,
) -> list[Any]:
    r"""Runs a function in several processes, each with one thread.

    They find each other as under :obj:`torchrun` (:obj:`RANK`,
    :obj:`WORLD_SIZE`, ...), so :func:`process_group` or Lightning make a
    process group of them. They end with this process, however that ends.
    Nothing of this process is changed. Where one fails, the others are
    stopped.

    As with :mod:`multiprocessing`, a script has to protect its entry:
    :obj:`if __name__ == "__main__":`.

    Args:
        function: A function of a module.
        args: Its arguments, which are pickled.
        processes: How many. (default: :obj:`2`)
        preload: Modules to import once for all, where processes can be
            forked from a clean one. (default: what readouts need)

    Returns:
        What the function has returned in each process, tensors and plain
        data.

    Raises:
        RankError: If a process was ended, or failed with an error that is
            none of its input.
        ValueError: That of a process, as other errors of input are.

    Example:
        >>> from pyg_multipose.distributed import launch
        >>> def main():
        ...     from my_package import train
        ...
        ...     return launch(train, ('config.yaml',), processes=2)
    """
    if processes < 1:
        raise ValueError(f"'processes' has to be at least 1, got {processes}")
    method = 'spawn'
    if 'forkserver' in multiprocessing.get_all_start_methods():
        method = 'forkserver'
        server = multiprocessing.get_context(method)
        server.set_forkserver_preload(list(preload))
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        context = mp.start_processes(
            _work,
            (
                function,
                tuple(args),
                processes,
                port,
                folder,
                multiprocessing.get_start_method(allow_none=True),
            ),
            processes,
            join=False,
            start_method=method,
        )
        assert context is not None
        try:
            while not context.join():
                pass
        except _FAILURES as error:
            raise _error(context, error, Path(folder)) from None
        finally:
            for process in context.processes:
                if process.is_alive():
                    process.terminate()
                process.join()
        return [
            torch.load(_file(folder, rank, 'result'), weights_only=True)
            for rank in range(processes)
        ]


@contextmanager
def process_group(
    backend: str = 'gloo', timeout: timedelta = TIMEOUT
) -> Iterator[None]:
    r"""A process group of the ranks that :func:`launch` or torchrun made.

    Args:
        backend: :obj:`"gloo"`, or :obj:`"nccl"` for GPUs.
            (default: :obj:`"gloo"`)
        timeout: How long ranks wait for one another.
            (default: ten minutes)

    Yields:
        Nothing.

    Example:
        >>> import os
        >>> from pyg_multipose.distributed import process_group
        >>> if 'RANK' in os.environ:  # started by torchrun
        ...     with process_group('gloo'):
        ...         torch.distributed.barrier()
    """
    dist.init_process_group(backend, timeout=timeout)
    try:
        yield
    finally:
        dist.destroy_process_group()


# Inside ######################################################################


def _work(
    rank: int,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    ranks: int,
    port: int,
    folder: str,
    start_method: str | None,
) -> None:
    """What each process does."""
    # Those that load data are started as elsewhere, not as this one was.
    multiprocessing.set_start_method(start_method, force=True)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(
            target=_end_with, args=(parent.sentinel,), daemon=True
        ).start()
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(ranks),
        LOCAL_WORLD_SIZE=str(ranks),
        NODE_RANK='0',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
        OMP_NUM_THREADS='1',
    )
    torch.set_num_threads(1)
    try:
        result = function(*args)
    except Exception as error:
        kind = next((k for k in PLAIN if isinstance(error, k)), None)
        if kind is not None:
            torch.save(
                (PLAIN.index(kind), str(error)),
                _file(folder, rank, 'error'),
            )
        raise
    torch.save(result, _file(folder, rank, 'result'))


def _end_with(sentinel: int) -> None:
    """Ends this process where the one that has started it is gone."""
    wait([sentinel])
    os._exit(1)


def _error(context: Any, error: Any, folder: Path) -> Exception:
    """The error of the process that has failed first, as far as is known."""
    count = len(context.processes)
    told: dict[str, int] = {}
    for rank in range(count):
        file = _file(folder, rank, 'error')
        if file.is_file():
            number, message = torch.load(file, weights_only=True)
            told.setdefault(message, number)
    if told:  # ranks with other sets may have other things to say
        return PLAIN[next(iter(told.values()))]('; '.join(told))
    # Those that were still at work were stopped by SIGTERM.
    codes = {
        rank: -int(process.exitcode or 0)
        for rank, process in enumerate(context.processes)
    }
    killed = {
        rank: code
        for rank, code in codes.items()
        if code > 0 and code != signal.SIGTERM
    }
    for rank, code in killed.items():
        return RankError(
            f'Process {rank} of {count} (counted from 0) was ended by '
            f'{signal.Signals(code).name}; the others were stopped. Where '
            f'memory ran out, use fewer processes or smaller batches'
        )
    return RankError(
        f'Process {error.error_index} of {count} (counted from 0) failed; '
        f'the others were stopped. {error}'
    )


def _file(folder: str | Path, rank: int, what: str) -> Path:
    return Path(folder, f'{rank}.{what}')


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return int(one.getsockname()[1])
