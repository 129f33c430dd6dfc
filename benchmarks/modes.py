"""Step time and memory of every gradient mode beside its rivals.

One training step (fresh batch, forward, backward) on real docked poses in the
pocket of SARS-CoV-2 main protease: 8 compounds with 8 poses each, as one
batch.  Repeats are interleaved, so that a change of the machine's speed
touches all alike; what counts are the ratios to plain autograd pose by pose.
Memory is what is alive at the end of forward, counted, not sampled.

    python benchmarks/modes.py --model schnet --combination mean
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch_geometric.data import Batch
from torch_geometric.nn import SchNet
from tqdm import tqdm

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.gradient import LiveBytes
from pyg_multipose.nn import (
    MaxCombination,
    MeanCombination,
    MultiPoseReadout,
    RadiusInteractionGraph,
)
from pyg_multipose.nn.models import EquivariantGNN
from pyg_multipose.transforms import RadiusGraph

CUTOFF = 4.5
SETS, POSES = 8, 8


def build(name: str) -> tuple[nn.Module, str | None]:
    """The single-pose model and how it is called."""
    torch.manual_seed(0)
    if name == 'schnet':
        graph = RadiusInteractionGraph(CUTOFF)
        model = SchNet(128, 128, 4, 50, CUTOFF, interaction_graph=graph)
        return model, 'z, pos, batch'
    return EquivariantGNN(num_layers=3, cutoff=CUTOFF), None


def sharpen(model: nn.Module, name: str) -> None:
    """Scales the head, so that under t = 1000 one pose matters."""
    head = model.lin2 if name == 'schnet' else model.head[-1]
    with torch.no_grad():
        head.weight.mul_(100)


def sets_of_poses() -> list[PoseSet]:
    """Eight compounds with eight poses each."""
    dataset = MproMoonshot('train', transform=RadiusGraph(CUTOFF))
    full = [item for item in dataset if item.num_poses >= POSES][:SETS]
    return [item.select(range(POSES)) for item in full]


def call(model: nn.Module, graphs: Batch, inputs: str | None) -> Tensor:
    """Calls the model as a readout does."""
    if inputs is None:
        return model(graphs)
    return model(*[graphs[k.strip()] for k in inputs.split(',')]).squeeze(1)


def one_by_one(
    model: nn.Module,
    inputs: str | None,
    run: Callable[..., Tensor],
) -> Callable[[Batch], Tensor]:
    """Predictions pose by pose, as a user would write it."""

    def predict(batch: Batch) -> Tensor:
        out = []
        for of_set in batch.to_data_list():
            for pose in of_set.to_poses():
                out.append(run(model, Batch.from_data_list([pose]), inputs))
        return torch.cat(out)

    return predict


def checkpointed(
    model: nn.Module, graphs: Batch, inputs: str | None
) -> Tensor:
    """One checkpoint per pose."""
    return checkpoint(call, model, graphs, inputs, use_reentrant=False)


def main() -> None:
    """Runs the benchmark and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--model', choices=['schnet', 'e3nn'], default='schnet'
    )
    parser.add_argument(
        '--combination', choices=['mean', 'max'], default='max'
    )
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--json')
    args = parser.parse_args()
    torch.set_num_threads(1)

    model, inputs = build(args.model)
    combination: nn.Module = MeanCombination()
    if args.combination == 'max':
        combination = MaxCombination()
        sharpen(model, args.model)
    sets = sets_of_poses()
    index = torch.arange(SETS).repeat_interleave(POSES)

    def combined(
        predict: Callable[[Batch], Tensor],
    ) -> Callable[[Batch], Tensor]:
        return lambda batch: combination(
            predict(batch).unsqueeze(1), index=index, dim_size=SETS
        )

    def batched(batch: Batch) -> Tensor:
        poses = [p for s in batch.to_data_list() for p in s.to_poses()]
        return call(model, Batch.from_data_list(poses), inputs)

    ways: dict[str, Callable[[Batch], Tensor]] = {
        'plain, pose by pose': combined(one_by_one(model, inputs, call)),
        'plain, one batch': combined(batched),
        'checkpoint per pose': combined(
            one_by_one(model, inputs, checkpointed)
        ),
    }
    readouts = {
        mode: MultiPoseReadout(model, combination, mode, inputs)
        for mode in ('full', 'store', 'stream', 'recompute', 'auto')
    }
    ways.update(readouts)

    def step(way: str) -> float:
        model.zero_grad()
        batch = Batch.from_data_list(sets)
        start = time.perf_counter()
        ways[way](batch).sum().backward()
        return time.perf_counter() - start

    def infer(way: str) -> float:
        batch = Batch.from_data_list(sets)
        start = time.perf_counter()
        with torch.no_grad():
            ways[way](batch)
        return time.perf_counter() - start

    held = {}
    for way, run in ways.items():
        batch = Batch.from_data_list(sets)
        with LiveBytes() as live:
            out = run(batch)
        held[way] = live.held()
        del out
    times: dict[str, list[float]] = {way: [] for way in ways}
    inference: list[float] = []
    rounds = range(args.repeats + 1)
    for number in tqdm(rounds, desc=f'{args.model}, {args.combination}'):
        for way in ways:
            seconds = step(way)
            if number:  # the first round warms up
                times[way].append(seconds)
        seconds = infer('plain, pose by pose')
        if number:
            inference.append(seconds)

    base = times['plain, pose by pose']
    rows = []
    for way in ways:
        ratios = [a / b for a, b in zip(times[way], base, strict=True)]
        counts = getattr(ways[way], 'last_plan', None)
        rows.append(
            {
                'way': way,
                'seconds': statistics.median(times[way]),
                'ratio': statistics.median(ratios),
                'ratio_min': min(ratios),
                'ratio_max': max(ratios),
                'held_bytes': held[way],
                'backward_poses': counts.counts.backward if counts else None,
            }
        )
    ratios = [a / b for a, b in zip(inference, base, strict=True)]
    report = {
        'machine': f'{platform.machine()}, {platform.processor()}, 1 thread',
        'torch': torch.__version__,
        'model': args.model,
        'combination': repr(combination),
        'poses': SETS * POSES,
        'plain_inference_ratio': statistics.median(ratios),
        'auto': readouts['auto'].last_plan.mode,
        'rows': rows,
    }
    print(
        f'{report["model"]}, {report["combination"]}, {report["poses"]} '
        f'poses; auto took {report["auto"]}; plain inference is '
        f'{report["plain_inference_ratio"]:.2f} of a plain step'
    )
    print(
        f'{"":22}{"s/step":>8}{"ratio":>7}{"min..max":>13}{"MB held":>9}'
        f'{"backward":>10}'
    )
    for row in rows:
        spread = f'{row["ratio_min"]:.2f}..{row["ratio_max"]:.2f}'
        print(
            f'{row["way"]:22}{row["seconds"]:8.2f}{row["ratio"]:7.2f}'
            f'{spread:>13}{row["held_bytes"] / 1e6:9.1f}'
            f'{row["backward_poses"] or "":>10}'
        )
    if args.json:
        with open(args.json, 'w') as file:
            json.dump(report, file, indent=1)


if __name__ == '__main__':
    main()
