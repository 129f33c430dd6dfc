r"""multipose bench: how fast a training is, once it was seen to be right."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext

import torch

from pyg_multipose.cli.data_set import open_data
from pyg_multipose.cli.parser import Parser
from pyg_multipose.cli.processes import add_processes, check_positive
from pyg_multipose.cli.trainer import quiet
from pyg_multipose.cli.training import (
    add_options,
    data_module,
    multi_pose_module,
)
from pyg_multipose.distributed import launch, process_group
from pyg_multipose.distributed.launch import PRELOAD
from pyg_multipose.distributed.ranks import num_ranks, this_rank
from pyg_multipose.train.lightning import pl
from pyg_multipose.train.measuring import (
    gradient_error,
    held_bytes,
    steps_per_second,
)

#: How far gradients may be apart, relative to the largest entry, in float64.
PARITY = 1e-9
#: What is measured: its name, and whether it is plain autograd.
PLAIN, CHOSEN = 'plain autograd', 'as fit does'


def parser() -> Parser:
    r"""The options."""
    out = Parser(
        'bench',
        'Measures training steps: plain autograd on one process, and what fit '
        'does on one and on several. First the gradients of all of them are '
        'compared in double precision; where they differ, nothing is '
        'measured. Options are those of fit.',
    )
    add_options(out)
    add_processes(out)
    add = out.add_argument_group('measuring').add_argument
    add(
        '--sample',
        type=int,
        default=6,
        metavar='SETS',
        help='How many sets gradients are compared on.',
    )
    add(
        '--seconds',
        type=float,
        default=10.0,
        help='How long each way is measured.',
    )
    return out


def run(argv: Sequence[str]) -> None:
    r"""Compares, measures, and prints.

    Args:
        argv: The options.

    Raises:
        ValueError: If an option does not fit the data or another one, or if
            gradients differ.
        OSError: If there is no data set, or a process was ended.
    """
    options = parser().read(argv)
    open_data(options.data)
    quiet()
    if options.sample < 1 or options.seconds <= 0:
        raise ValueError('--sample and --seconds have to be positive')
    check_positive(options.processes)
    several = options.processes
    if several == 'auto':
        several = os.cpu_count() or 1
        if hasattr(os, 'sched_getaffinity'):
            several = len(os.sched_getaffinity(0))
    ways = [(PLAIN, 1), (CHOSEN, 1)]
    if several > 1:
        ways.append((CHOSEN, several))
    print(f'{"":24}processes  parity   steps/s   poses/s   held for backward')
    modules = [*PRELOAD, __name__]
    base = 0.0
    for way, processes in ways:
        found = launch(_measured, (list(argv), way), processes, modules)
        rate = found[0]['rate']
        base = base or rate
        held = max(one['held'] for one in found)
        print(
            f'{way:24}{processes:9}  {found[0]["parity"]:.0e}  {rate:8.2f}  '
            f'{rate * found[0]["poses"]:8.1f}   {held:,} bytes'
            f'{" each" if processes > 1 else ""} ({rate / base:.2f} x)'
        )
    print(
        f'parity: the largest difference to plain autograd of one process, '
        f'relative, in double precision, on {options.sample} sets (at most '
        f'{PARITY:.0e})'
    )


# Inside ######################################################################


def _measured(argv: list[str], way: str) -> dict[str, float]:
    """One way, on this rank."""
    options = parser().read(argv)
    several = int(os.environ['WORLD_SIZE']) > 1
    on_gpu = options.device != 'cpu' and torch.cuda.is_available()
    backend = 'nccl' if on_gpu else 'gloo'
    with process_group(backend) if several else nullcontext():
        pl.seed_everything(options.seed, verbose=False)
        parts = data_module(options, open_data(options.data))
        module = multi_pose_module(options, parts)
        where = f'cuda:{this_rank()}' if on_gpu else 'cpu'
        module.to(where)
        plain = way == PLAIN
        parity = gradient_error(module, parts, options.sample, plain)
        if not parity <= PARITY:
            raise ValueError(
                f"the gradient of '{way}' on {num_ranks()} processes differs "
                f'from that of plain autograd by {parity:.1e} of its largest '
                f'entry (expected at most {PARITY:.0e}, in double precision): '
                f'nothing was measured. --readout with a tolerance or '
                f'backward_poses does that by intention; a model may couple '
                f'the poses of a batch'
            )
        rate, poses = steps_per_second(module, parts, options.seconds, plain)
        held = held_bytes(module, parts, plain)
    return {'parity': parity, 'rate': rate, 'poses': poses, 'held': held}
