r"""multipose plan: what a training step will take."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from pyg_multipose.cli.data_set import DataSet, open_data
from pyg_multipose.cli.parser import Namespace, Parser, with_data
from pyg_multipose.cli.processes import add_processes, choose, one_thread
from pyg_multipose.cli.trainer import quiet
from pyg_multipose.cli.training import (
    add_options,
    data_module,
    multi_pose_module,
)
from pyg_multipose.train.lightning import pl


def parser() -> Parser:
    r"""The options."""
    out = Parser(
        'plan',
        'Says what a training step will take: the batches of an epoch, how '
        'the gradient of the largest one is computed, and how long that '
        'takes. Options are those of fit.',
    )
    add_options(out)
    add_processes(out)
    return out


def run(argv: Sequence[str]) -> None:
    r"""Prints what a step takes.

    Args:
        argv: The options.

    Raises:
        ValueError: If an option does not fit the data or another one.
        OSError: If there is no data set.
    """
    options = parser().read(with_data(argv))
    data = open_data(options.data)
    quiet()
    count, why = choose(options, data)
    print(
        f'fit in 20 epochs: {count} processes of one thread, {why}; here one'
    )
    with one_thread(options):
        _run(options, data)


def _run(options: Namespace, data: DataSet) -> None:
    """A step, in this process."""
    pl.seed_everything(options.seed, verbose=False)
    parts = data_module(options, data)
    module = multi_pose_module(options, parts)
    on_gpu = options.device != 'cpu' and torch.cuda.is_available()
    device = torch.device('cuda' if on_gpu else 'cpu')
    module.to(device).train()
    loader = parts.train_dataloader()
    sizes = parts.parts['train'].sizes(with_edges=False)
    batches = list(loader.batch_sampler)
    largest = max(batches, key=lambda batch: int(sizes[batch, 0].sum()))
    sets = [parts.parts['train'][number] for number in largest]
    batch = next(iter(type(loader)(sets, batch_size=len(sets)))).to(device)
    print(
        f'{len(sizes)} sets to train on, {len(batches)} batches in an epoch\n'
        f'the largest has {batch.num_nodes} atoms and {batch.num_edges} edges'
    )
    print(module.readout.plan(batch))
    seconds = 0.0
    for _ in range(2):  # the first one prepares things
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        module.zero_grad()
        module(batch).sum().backward()
        if on_gpu:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
    print(
        f'{device.type}: {seconds:.2f} s for its step, at most '
        f'{seconds * len(batches):.0f} s for an epoch'
    )
    if on_gpu:
        peak = torch.cuda.max_memory_allocated()
        print(f'most memory at once: {peak:,} bytes')
