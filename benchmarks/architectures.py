"""Which single-pose models work, how, and whether receptors are shared.

``python -m benchmarks.architectures`` writes docs/architectures-table.md.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from benchmarks.architecture_rows import ROWS, Row
from benchmarks.docs import BEGIN, DOCS
from benchmarks.machine import load_average, machine
from benchmarks.models import renew
from benchmarks.stand_ins import ELEMENTS
from benchmarks.table import markdown
from benchmarks.timing import ratio
from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.nn import MaxCombination, MultiPoseReadout
from pyg_multipose.transforms import RadiusGraph

TABLE = 'architectures-table.md'
#: Gradient modes that are compared with plain autograd.
MODES = ('full', 'stream', 'recompute', 'auto')
#: Calls after which `auto` knows the model, and rounds that are timed.
WARM, ROUNDS = 4, 7
#: Channels, and cutoffs in Angstrom, of what is compared and what is timed.
NARROW, WIDE, SHORT, CUTOFF = 8, 64, 2.5, 4.5


def small_set() -> PoseSet:
    r"""Three poses of four atoms at the end of a receptor of twenty."""
    generator = torch.Generator().manual_seed(3)

    def atoms(count: int, length: float, away: float) -> Data:
        noise = torch.randn(count, 3, generator=generator, dtype=torch.float64)
        line = torch.linspace(0, length, count, dtype=torch.float64)
        pos = torch.stack([line, away + 0 * line, 0 * line], dim=1)
        z = torch.tensor(ELEMENTS)[torch.arange(count) % 4]
        return Data(z=z, pos=pos + 0.4 * noise)

    receptor = atoms(20, 28.5, 0.0)
    ligands = [atoms(4, 2.0, 1.5) for _ in range(3)]
    return RadiusGraph(SHORT)(PoseSet.from_complex(receptor, ligands, y=1.0))


def docked_set() -> PoseSet:
    r"""Nine docked poses of a compound in the pocket."""
    dataset = MproMoonshot('train', transform=RadiusGraph(CUTOFF))
    return next(item for item in dataset if item.num_poses == 9)


@contextmanager
def in_double() -> Iterator[None]:
    r"""Within, new tensors are double; some models make them as they run."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def bare(readout: MultiPoseReadout, batch: Data) -> Tensor:
    r"""The combined prediction of whole complexes, by plain autograd.

    Args:
        readout: Whose model is called.
        batch: The poses of one set, as graphs.
    """
    if readout.inputs is None:
        out = readout.model(batch)
    else:
        names = readout.inputs.split(', ')
        out = readout.model(*[batch[name] for name in names])
    out = out[0] if isinstance(out, tuple) else out
    return -(-out.view(-1)).logsumexp(0)


def gradients(loss: Tensor, leaves: dict[str, Tensor]) -> dict[str, Tensor]:
    r"""The gradients of a loss, by name; zeros where there are none.

    Args:
        loss: The loss.
        leaves: Parameters and inputs.
    """
    found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    return {
        name: torch.zeros_like(leaf) if grad is None else grad
        for (name, leaf), grad in zip(leaves.items(), found, strict=True)
    }


def compared(row: Row) -> dict[str, tuple[float, str]]:
    r"""How far every mode is from plain autograd, in float64.

    Args:
        row: The architecture.

    Returns:
        By mode: the largest relative error, of the prediction and of the
        gradients of all parameters, and but in `stream` of positions; and
        what the plan says of the receptor.
    """
    with in_double(), torch.random.fork_rng():
        torch.manual_seed(0)
        model = row.build(NARROW, SHORT)
        if row.trains:
            _shake(model)
        with row.ready(model):
            return {mode: _compared(row, model, mode) for mode in MODES}


def timed(row: Row, rounds: int, pose_set: PoseSet) -> dict[str, Any]:
    r"""How long a step takes beside that of the bare model.

    Both start at a batch with edges. The bare model is called once, with all
    poses as one batch, under plain autograd; the readout is `auto`. They are
    timed in turn, after a few steps.

    Args:
        row: The architecture.
        rounds: How often.
        pose_set: A set.

    Returns:
        The ratio, round by round: its median, and the least and the largest;
        seconds of the bare model; and what the plan says of the receptor.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = row.build(WIDE, CUTOFF)
    whole = Batch.from_data_list(pose_set.to_poses())
    with row.ready(model), torch.set_grad_enabled(row.trains):
        readout = row.readout(model, combination=MaxCombination(scale=1.0))
        steps = {
            'readout': lambda: readout(pose_set),
            'bare': lambda: bare(readout, whole.clone()),
        }
        figures = {name: {'seconds': []} for name in steps}
        for number in range(WARM + rounds):
            for name, step in steps.items():
                if row.trains:
                    renew(model)
                    model.zero_grad()
                start = time.perf_counter()
                loss = step().sum()
                if row.trains:
                    loss.backward()
                if number >= WARM:
                    figures[name]['seconds'].append(
                        time.perf_counter() - start
                    )
        assert readout.last_plan is not None
        return {
            **ratio(figures['readout'], figures['bare']),
            'receptor': readout.last_plan.receptor,
            'seconds': statistics.median(figures['bare']['seconds']),
        }


def table(figures: Sequence[dict[str, Any]]) -> str:
    r"""The table, and below it why receptors are not shared, as Markdown.

    Args:
        figures: For each of the rows, the errors by mode, the ratio of times
            and the receptor's plan.
    """
    head = ['single-pose model', 'what you write', 'receptor', *MODES]
    lines = [[*head, 'bare, s', 'step / bare']]
    reasons = []
    for row, figure in zip(ROWS, figures, strict=True):
        whole, _, reason = figure['receptor'].partition(': ')
        if reason:
            reasons.append(f'- **{row.name}**: {reason}')
        lines.append(
            [
                f'{row.name} (stand-in)' if row.stand_in else row.name,
                ', then '.join(f'`{line}`' for line in row.lines),
                'whole complexes' if reason else 'shared',
                *(f'{figure["errors"][mode]:.0e}' for mode in MODES),
                f'{figure["seconds"]:.3f}',
                f'{figure["median"]:.2f} [{figure["min"]:.2f}, '
                f'{figure["max"]:.2f}]',
            ]
        )
    parts = [markdown(lines)]
    if reasons:
        why = 'Why a receptor is not shared, in the words of the plan:'
        parts += [why, '\n'.join(reasons)]
    return '\n\n'.join(parts)


def main(argv: Sequence[str] | None = None) -> None:
    r"""Runs the command.

    Args:
        argv: Its arguments. (default: :obj:`None`, those of the process)
    """
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.architectures',
        description='Which single-pose models work, how, and at which cost.',
    )
    parser.add_argument('--rounds', type=int, default=ROUNDS)
    parser.add_argument('--docs', type=Path, default=DOCS)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    load, pose_set = load_average(), docked_set()
    figures = []
    for row in ROWS:
        print(row.name, flush=True)
        errors = {mode: found[0] for mode, found in compared(row).items()}
        figures.append({'errors': errors} | timed(row, args.rounds, pose_set))
    m = machine('cpu')
    where = (
        f'{m["processor"]}, one thread; Python {m["python"]}, torch '
        f'{m["torch"]}, torch-geometric {m["torch_geometric"]}, '
        f'pyg_multipose {m["pyg_multipose"]}; {args.rounds} rounds'
    )
    if load is not None:
        where += f'; load average at the start {load:.2f}'
    path = args.docs / TABLE
    path.write_text(f'{BEGIN}{where}.\n\n{table(figures)}\n')
    print(path)


def _compared(row: Row, model: Any, mode: str) -> tuple[float, str]:
    pose_set = small_set()
    leaves: dict[str, Tensor] = {}
    if row.trains:
        named = model.named_parameters()
        leaves = {name: leaf for name, leaf in named if leaf.requires_grad}
        if mode != 'stream':
            leaves['pos'] = pose_set.pos.requires_grad_()
    readout = row.readout(
        model,
        combination=MaxCombination(scale=1.0),
        gradient=mode,
        max_nodes_per_chunk=50,  # two poses, then one
    )
    expected = bare(readout, Batch.from_data_list(pose_set.to_poses()))
    got = readout(pose_set)
    errors = [float(((got - expected) / expected).abs().max().detach())]
    if row.trains:
        errors += _errors(
            gradients(got.sin().sum(), leaves),
            gradients(expected.sin(), leaves),
        )
    assert readout.last_plan is not None
    return max(errors), readout.last_plan.receptor


def _shake(model: torch.nn.Module) -> None:
    """Moves parameters, so that what starts as zero hides nothing."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))


def _errors(
    got: dict[str, Tensor], expected: dict[str, Tensor]
) -> list[float]:
    """Relative to the largest of each; some are zero in theory."""
    most = max(float(grad.abs().max()) for grad in expected.values())
    return [
        float((got[name] - grad).abs().max())
        / max(float(grad.abs().max()), 1e-4 * most)
        for name, grad in expected.items()
    ]


if __name__ == '__main__':
    main()
