r"""Poses per second of `multipose predict` beside the bare shared model.

``python -m benchmarks.throughput`` predicts sets of the bundled data, and
``--data FOLDER --model small`` those of a data set by a tiny model. Rows are

- the bare shared model on chunks of poses that lie ready, with their edges;
- the loop of before: edges set by set, every batch checked, a table at the
  end;
- a shard of `predict` in one process, from the file to the tables;
- the same in two processes, once both are at work.

Times of one process are those of its core (CPU seconds), so that a busy
machine changes little; two processes are timed by the clock, as is one
process beside them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from benchmarks.campaign_model import CUTOFF, write_checkpoint
from pyg_multipose.campaign import Manifest, run_shards
from pyg_multipose.cli.data_set import open_data
from pyg_multipose.cli.prediction_input import DataSetInput
from pyg_multipose.cli.prediction_shards import PredictionShards
from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.datasets import PoseSetDataset
from pyg_multipose.gradient.plan.chunks import LIGAND_NODES_ON_CPU
from pyg_multipose.loader import PoseSetSampler
from pyg_multipose.train import MultiPoseModule, Predictions
from pyg_multipose.train.transformed import TransformedSets
from pyg_multipose.transforms import RadiusGraph


def chunks(sets: Any, number: int) -> Iterator[tuple[PoseSet, Any]]:
    r"""Poses that are evaluated at once, and the receptor that they share.

    Args:
        sets: The sets.
        number: How many sets are taken.
    """
    for first in range(0, number, 32):
        items = [sets[n] for n in range(first, min(first + 32, number))]
        batch = RadiusGraph(CUTOFF)(Batch.from_data_list(items))
        layout, tables = Layout(batch), batch.to_dict()
        tables = {k: v for k, v in tables.items() if k in layout.levels}
        nodes, poses = 0, []
        for pose in range(layout.num_poses):
            size = int(layout.pose_size[pose])
            if poses and nodes + size > LIGAND_NODES_ON_CPU:
                yield chunk(layout, tables, poses)
                nodes, poses = 0, []
            nodes += size
            poses.append(pose)
        yield chunk(layout, tables, poses)


def chunk(
    layout: Layout, tables: dict[str, Any], poses: list[int]
) -> tuple[PoseSet, Any]:
    r"""Some poses as one set, and the graph of their receptor."""
    values = layout.select(tables, poses, 0)
    values['levels'] = str(layout.levels)
    return PoseSet(**values), layout.compose_receptor(tables, 0)


def cpu(work: Callable[[], Any]) -> float:
    r"""CPU seconds of the faster of two runs."""
    out = []
    for _ in range(2):
        start = time.process_time()
        work()
        out.append(time.process_time() - start)
    return min(out)


def main() -> None:
    r"""Prints a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', default='MproMoonshot')
    parser.add_argument('--sets', type=int, default=64)
    parser.add_argument('--model', default='EquivariantGNN')
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    given = open_data(options.data).sets
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        count = min(options.sets, len(given))
        dataset = PoseSetDataset(folder / 'data')
        dataset.extend(given[number] for number in range(count))
        model = None if options.model == 'small' else options.model
        file = folder / 'model.ckpt'
        write_checkpoint(file, dataset, model)
        for name, row in measure(folder, file, dataset, count):
            print(json.dumps({'way': name, **row}), flush=True)


def measure(
    folder: Path, file: Path, dataset: PoseSetDataset, count: int
) -> Iterator[tuple[str, dict[str, float]]]:
    r"""Poses per second of each way.

    Args:
        folder: Where files may be written.
        file: A checkpoint.
        dataset: The sets.
        count: How many.

    Yields:
        The name of a way, and its row.
    """
    module = MultiPoseModule.load_from_checkpoint(file)
    model: Any = module.readout.model
    poses = int(dataset.set_sizes()[:, 2].sum())
    ready = list(chunks(dataset, count))
    state = model.encode_receptor(ready[0][1])
    for one, _ in ready[:2]:
        model.forward_poses(one, state)
    bare = cpu(lambda: [model.forward_poses(one, state) for one, _ in ready])

    def row(seconds: float) -> dict[str, float]:
        rate = round(poses / seconds, 2)
        return {'per_cpu_second': rate, 'of_bare': round(bare / seconds, 3)}

    yield 'bare', row(bare)
    connected = TransformedSets(dataset, range(count), cutoff=CUTOFF)

    def before() -> None:
        sizes = connected.sizes(False)
        sampler = PoseSetSampler(connected, max_poses=64, sizes=sizes)
        loader = DataLoader(connected, batch_sampler=sampler)
        Predictions.of(module, loader, False).write(folder / 'before.csv')

    before()
    yield 'loop of before', row(cpu(before))
    source = DataSetInput(str(folder / 'data'))
    manifest = Manifest(folder / 'parts', {})
    manifest.begin()
    work = PredictionShards(manifest, source, str(file), 256, 'cpu', None)
    work.keep(module)
    every = range(source.count)
    run_shards(work, every, 1, progress=False)
    one = cpu(lambda: run_shards(work, every, 1, progress=False))
    yield 'predict, one process', row(one)
    clock = {n: rate(work, list(every) * 4, n) for n in (1, 2)}
    yield (
        'predict, two processes',
        {
            'per_second': round(clock[2] * poses / len(every), 2),
            'one_process': round(clock[1] * poses / len(every), 2),
            'of_one': round(clock[2] / clock[1], 3),
        },
    )


def rate(work: Any, shards: list[int], processes: int) -> float:
    r"""Shards per second, once all processes have done one.

    Args:
        work: Does a shard.
        shards: The numbers, in which some may come again.
        processes: How many processes.
    """
    ends: list[float] = []
    run_shards(
        work, shards, processes, progress=False,
        done=lambda *_: ends.append(time.perf_counter()),
    )  # fmt: skip
    first = processes
    return (len(ends) - first) / (ends[-1] - ends[first - 1])


if __name__ == '__main__':
    main()
