r"""How many processes a training has, and how they are started."""

from __future__ import annotations

import importlib
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml

from pyg_multipose.cli.data_set import DataSet
from pyg_multipose.cli.parser import Namespace, Parser
from pyg_multipose.distributed.launch import (
    PRELOAD,
    TIMEOUT,
    launch,
    process_group,
)
from pyg_multipose.loader import PoseSetSampler
from pyg_multipose.loader.dealing import deal
from pyg_multipose.loader.sizes import set_costs, set_sizes
from pyg_multipose.train.lightning import LightningEnvironment, pl

#: Seconds that a step takes at least: for each atom that is evaluated, and for
#: what is not dealt, such as the receptor that poses share, in one process and
#: in several, which wait for one another.
PER_ATOM, PER_STEP = 2e-5, (0.026, 0.044)
#: Seconds until more processes are at work.
START = 8.0
#: What more processes have to save to be worth it.
WORTH = 0.9
#: What may be missing in a core that is idle.
NEARLY = 0.3
#: Where Linux tells how busy each processor is.
_STAT = Path('/proc/stat')


def add_processes(parser: Parser) -> None:
    r"""Adds the options of several processes.

    Args:
        parser: Where to.
    """
    add = parser.add_argument_group('processes').add_argument
    add(
        '--processes',
        type=int | Literal['auto'],
        default='auto',
        metavar='auto|N',
        help='Processes of one thread each that share the sets of every '
        'batch; the training is the same. auto takes the cores that are idle '
        'where that is faster.',
    )
    add(
        '--deal',
        type=str,
        default='sets',
        metavar='sets|poses',
        help='What is shared: the sets of a batch, or the poses of each set, '
        'where one is too large for the memory of a process.',
    )


# How many ####################################################################


def choose(options: Namespace, data: DataSet) -> tuple[int, str]:
    r"""The number of processes, and why.

    Args:
        options: Those of a training.
        data: The data set.

    Raises:
        ValueError: If the number is not positive, or not that of
            :obj:`torchrun`.
    """
    asked = options.processes
    if in_rank():
        ranks = int(os.environ.get('WORLD_SIZE', 1))
        if asked not in ('auto', ranks):
            raise ValueError(
                f'--processes {asked}, but {ranks} were started; leave it out '
                f'under torchrun'
            )
        return ranks, 'as many as were started'
    if asked != 'auto':
        check_positive(asked)
        return asked, 'asked for'
    if options.device != 'cpu' and torch.cuda.is_available():
        return 1, 'on a GPU'
    alone = _seconds(options, data, 1)[1]
    if alone < 2 * START:
        return 1, f'about {alone:.0f} s of work, and to start more takes time'
    cores, idle = idle_cores()
    most = int(idle + NEARLY)
    if most < 2:
        return 1, f'of {cores} cores, {idle:.1f} are idle'
    seconds = _seconds(options, data, most)
    best = min(seconds, key=lambda n: seconds[n])
    if seconds[best] > WORTH * seconds[1]:
        best = 1
    told = ', '.join(f'{n}: {s:.0f} s' for n, s in seconds.items())
    return best, (
        f'of {cores} cores, {idle:.1f} are idle; estimates by atoms, steps '
        f'and how evenly sets are dealt are {told}'
    )


def check_positive(asked: int | str) -> None:
    r"""Refuses a number of processes that is none.

    Args:
        asked: What :obj:`--processes` is.

    Raises:
        ValueError: If it is a number below 1.
    """
    if asked != 'auto' and int(asked) < 1:
        raise ValueError(f'--processes {asked} has to be at least 1')


def _seconds(options: Namespace, data: DataSet, most: int) -> dict[int, float]:
    """About what a training takes, by the number of processes."""
    sets: Any = data.sets
    sizes = set_sizes(sets, progress=False)
    costs = set_costs(sets, progress=False)
    sampler = PoseSetSampler(
        sets,
        max_nodes=options.max_nodes,
        max_poses=options.max_poses,
        max_sets=options.max_sets,
        shuffle=True,
        sizes=sizes,
        num_replicas=1,
        rank=0,
    )
    values = costs.numpy()
    if dict(options.readout).get('share_receptor') is False:
        nodes, _, poses = sizes.numpy().T
        values = values + (nodes - values) * poses
    batches = [values[np.asarray(batch)] for batch in sampler]
    epochs = options.lengths[0] * getattr(options, 'epochs', 20)
    out = {}
    for count in range(1, most + 1):
        atoms = sum(
            max(batch[share].sum() for share in deal(batch, count))
            for batch in batches
        )
        if options.deal == 'poses':
            atoms = values.sum() / count
        step = PER_STEP[count > 1] * len(batches)
        start = START if count > 1 else 0.0
        out[count] = float(epochs * (PER_ATOM * atoms + step) + start)
    return out


def idle_cores(seconds: float = 0.5) -> tuple[int, float]:
    r"""How many cores this process may use, and how many are idle.

    Args:
        seconds: How long to look. (default: :obj:`0.5`)
    """
    mine = set(range(os.cpu_count() or 1))
    if hasattr(os, 'sched_getaffinity'):
        mine = set(os.sched_getaffinity(0))
    before = _times()
    if not before:  # not on every system
        return len(mine), float(len(mine))
    time.sleep(seconds)
    after = _times()
    idle = 0.0
    for core in mine & before.keys() & after.keys():
        free, every = (a - b for a, b in zip(
            after[core], before[core], strict=True
        ))  # fmt: skip
        idle += free / every if every else 1.0
    return len(mine), idle


def _times() -> dict[int, tuple[int, int]]:
    """Idle and all time of each core up to now."""
    try:
        lines = _STAT.read_text(encoding='ascii').splitlines()
    except OSError:
        return {}
    out = {}
    for line in lines:
        name, *rest = line.split()
        if name.startswith('cpu') and name != 'cpu':
            numbers = [int(one) for one in rest[:8]]
            out[int(name[3:])] = numbers[3] + numbers[4], sum(numbers)
    return out


# Starting ####################################################################


def in_rank() -> bool:
    r"""Whether this process is one of several that work together."""
    return 'LOCAL_RANK' in os.environ and 'RANK' in os.environ


def is_first() -> bool:
    r"""Whether this process writes files and talks."""
    return not in_rank() or os.environ.get('RANK', '0') == '0'


def shared_out(
    command: str, argv: Sequence[str], options: Namespace, data: DataSet
) -> bool:
    r"""Runs a command in several processes, if that is worth it.

    The option :obj:`processes` becomes a number, that of the run where one
    was interrupted.

    Args:
        command: Its name.
        argv: Its options.
        options: The same, read.
        data: The data set.

    Returns:
        Whether it was run; else this process has to.
    """
    asked = options.processes
    known = None if in_rank() else _recorded(options)
    count, why = known or choose(options, data)
    options.processes = count
    if not in_rank() or (is_first() and asked == 'auto'):
        print(f'processes: {count}, {why}')
    if count == 1 or in_rank() or getattr(options, 'dry_run', False):
        return False
    told = [*argv, '--processes', str(count)]
    modules = [*PRELOAD, f'pyg_multipose.cli.{command}']
    launch(_rank, (command, told), count, modules)
    return True


def _recorded(options: Namespace) -> tuple[int, str] | None:
    """The number of a run that is there already."""
    file = Path(options.out, 'config.yaml')
    if options.processes != 'auto' or not file.is_file():
        return None
    found = yaml.safe_load(file.read_text('utf-8')).get('processes')
    return (found, 'as the run was begun') if found else None


def _rank(command: str, argv: list[str]) -> None:
    """A command in one of the processes."""
    warnings.showwarning = _show
    importlib.import_module(f'pyg_multipose.cli.{command}').run(argv)


def _show(message: Warning | str, *_: Any, **__: Any) -> None:
    if is_first():  # all ranks do the same, and would say the same
        print(f'multipose: warning: {message}', file=sys.stderr)


def trainer_settings(
    options: Namespace, plugins: Sequence[Any]
) -> dict[str, Any]:
    r"""What Lightning's Trainer is told of processes.

    Args:
        options: Those of a training, with a number of processes.
        plugins: What else it has.
    """
    count = options.processes
    if count == 1:
        return {'devices': 1, 'plugins': list(plugins)}
    local = int(os.environ.get('LOCAL_WORLD_SIZE', count))
    out: dict[str, Any] = {
        'devices': local,
        'num_nodes': count // local,
        'strategy': pl.strategies.DDPStrategy(timeout=TIMEOUT),
        'plugins': list(plugins),
    }
    if 'TORCHELASTIC_RUN_ID' not in os.environ:
        out['plugins'].append(LightningEnvironment())
    return out


@contextmanager
def together(options: Namespace) -> Iterator[Callable[[], Any]]:
    r"""Has a process group of all ranks, if there are several.

    Args:
        options: Those of a training, with a number of processes.

    Yields:
        What waits until all ranks have called it.
    """
    if options.processes == 1:
        yield lambda: None
        return
    on_gpu = options.device != 'cpu' and torch.cuda.is_available()
    with process_group('nccl' if on_gpu else 'gloo'):
        yield torch.distributed.barrier


@contextmanager
def one_thread(options: Namespace) -> Iterator[None]:
    r"""Computes by one thread on a CPU, and as before afterwards.

    Torch's own threads help little, and where another core is busy a step
    takes several times longer with them.

    Args:
        options: Those of a training.

    Yields:
        Nothing. :obj:`OMP_NUM_THREADS` has the last word.
    """
    before = torch.get_num_threads()
    on_gpu = options.device != 'cpu' and torch.cuda.is_available()
    if on_gpu or 'OMP_NUM_THREADS' in os.environ:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
