"""``python -m benchmarks.on_disk``: generated pose sets, written and read."""

from __future__ import annotations

import argparse
import copy
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch_geometric.loader import DataLoader

from benchmarks.cases import MODELS
from benchmarks.losses import LOSSES
from benchmarks.models import build
from benchmarks.settings import Settings
from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot, PoseSetDataset
from pyg_multipose.loader import PoseSetSampler
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.transforms import RadiusGraph

#: Sets of a batch, and how far edges reach, in Angstrom.
SETS, CUTOFF = 8, 4.5


def generated(count: int, poses: int, start: int = 0) -> Iterator[PoseSet]:
    r"""Sets of bundled ligands in the bundled pocket, each moved at random.

    Args:
        count: How many sets.
        poses: How many poses each has.
        start: The number of the first set. (default: :obj:`0`)
    """
    bundled = [one.select(slice(poses)) for one in MproMoonshot('test')[:8]]
    for number in range(start, count):
        rng = np.random.default_rng(number)
        base = bundled[number % len(bundled)]
        pose_set = copy.copy(base)
        noise = torch.from_numpy(rng.normal(size=base.pos.shape)).float()
        pose_set.pos = base.pos + noise * base.is_ligand[:, None]
        pose_set.name = f'LIG-{number:07d}'
        yield pose_set


def main() -> None:
    r"""Runs the command."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.on_disk')
    parser.add_argument('--sets', type=int, default=100_000)
    parser.add_argument('--poses', type=int, default=3)
    parser.add_argument('--reads', type=int, default=10_000)
    parser.add_argument('--folder', type=Path, help='default: a temporary one')
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        measure(Path(folder), args.sets, args.poses, args.reads)


def measure(folder: Path, count: int, poses: int, reads: int) -> None:
    r"""Builds a dataset and reads from it; prints what that takes.

    Args:
        folder: Where to.
        count: How many sets.
        poses: How many poses each has.
        reads: How many sets are read at random.
    """
    print(f'{count} sets of {poses} poses (time on the clock, of the CPU)')
    dataset = PoseSetDataset(folder)
    with Timer('built and generated', count):
        dataset.extend(generated(count // 2, poses))
        dataset.close()
        dataset = PoseSetDataset(folder)  # as after an interruption
        dataset.extend(generated(count, poses, len(dataset)))
    with Timer('of which generated', count):
        for _ in generated(count, poses):
            pass
    dataset.close()
    size = os.path.getsize(dataset.processed_paths[0])
    print(f'{size / 1e9:.2f} GB, {size / count:.0f} B/set')

    dataset = PoseSetDataset(folder)
    with Timer('sizes', count):
        sizes = dataset.set_sizes()
    chosen = np.random.default_rng(0).integers(count, size=reads).tolist()
    with Timer('read at random', reads):
        for index in chosen:
            dataset[index]
    part = dataset[chosen]
    sampler = PoseSetSampler(
        part, max_poses=32 * poses, shuffle=True, sizes=sizes[chosen]
    )
    loader = DataLoader(part, batch_sampler=sampler, num_workers=2)
    with Timer('in batches, two workers', reads):
        for _ in loader:
            pass
    beside_steps(folder, chosen)


def beside_steps(folder: Path, chosen: list[int]) -> None:
    r"""Prints how much faster sets are read than steps of training use them.

    Args:
        folder: A dataset.
        chosen: Numbers of its sets.
    """
    dataset = PoseSetDataset(folder, transform=RadiusGraph(CUTOFF))
    some = dataset[chosen[: 64 * SETS]]
    with Timer('with edges, in batches, two workers', len(some)) as read:
        for _ in DataLoader(some, batch_size=SETS, num_workers=2):
            pass
    batches = list(DataLoader(some[: 8 * SETS], batch_size=SETS))
    for name in MODELS:
        _, model = build(name, LOSSES['mean'], Settings())
        readout = MultiPoseReadout(model, 'mean')
        for batch in batches:  # to be looked at, and compiled
            readout(batch).sum().backward()
        with Timer(f'used by steps of {name}', len(some[: 8 * SETS])) as used:
            for batch in batches:
                readout.zero_grad()
                readout(batch).sum().backward()
        print(f'read by two workers / used: {read.rate / used.rate:.1f}')


class Timer:
    r"""Prints how long a block takes.

    Args:
        what: What it does.
        count: For how many sets.
    """

    def __init__(self, what: str, count: int) -> None:
        self.what, self.count = what, count

    def __enter__(self) -> Timer:
        self.clock, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        clock = time.perf_counter() - self.clock
        cpu = time.process_time() - self.cpu
        #: Sets per second.
        self.rate = self.count / clock
        print(
            f'{self.what}: {clock:.2f} s, {cpu:.2f} s; '
            f'{self.count / clock:.0f} sets/s, {self.count / cpu:.0f} sets/s',
            flush=True,
        )


if __name__ == '__main__':
    main()
