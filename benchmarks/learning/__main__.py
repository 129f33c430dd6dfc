"""Which pose matters: ``python -m benchmarks.learning``.

Trains on labels of sets alone, and writes docs/learning-table.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from benchmarks.docs import BEGIN, DOCS
from benchmarks.learning import report
from benchmarks.learning.runs import train_all
from benchmarks.learning.settings import Settings
from benchmarks.learning.training import Task
from benchmarks.learning.ways import COMPARED, LINES, THROUGH
from benchmarks.machine import machine
from pyg_multipose.datasets import MproMoonshot

TABLE = 'learning-table.md'
#: Settings that may be given.
NUMBERS = ('seeds', 'steps', 'processes')
#: Shows that everything runs, nothing else.
QUICK = {
    'seeds': 2,
    'steps': 5,
    'width': (4, 4),
    'curve': (4, 8),
    'num_poses': 3,
    'resamples': 20,
    'max_sets': 6,
}


def main(argv: Sequence[str] | None = None) -> None:
    r"""Runs the command.

    Args:
        argv: Its arguments. (default: :obj:`None`, those of the process)
    """
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.learning',
        description='Can a model learn which pose matters from labels of '
        'sets alone? Planted and measured affinities, with baselines.',
    )
    parser.add_argument('--docs', type=Path, default=DOCS)
    parser.add_argument('--quick', action='store_true')
    for name in NUMBERS:
        parser.add_argument(f'--{name}', type=int)
    args = parser.parse_args(argv)
    for name in NUMBERS:
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name} is {value}, expected at least 1')
    settings = replace(Settings(), **(QUICK if args.quick else {}))
    given = {
        field.name: getattr(args, field.name)
        for field in fields(Settings)
        if getattr(args, field.name, None) is not None
    }
    for path in run(replace(settings, **given), args.docs):
        print(path)


def run(s: Settings, folder: Path) -> list[Path]:
    r"""Trains everything and writes the tables and the picture.

    Args:
        s: What the numbers depend on.
        folder: Where the files go.
    """
    start = time.perf_counter()
    planted = Task('planted')
    measured = {by: Task('measured', by) for by in ('date', 'scaffold')}
    generated = [Task('planted', generated=count) for count in s.curve]
    jobs = report.jobs(planted, (*THROUGH, *LINES), s)
    for task in (planted, *measured.values()):
        jobs += report.jobs(task, COMPARED, s)
    for task in reversed(generated):
        jobs += report.jobs(task, LINES, s)
    outcomes = train_all(jobs, s.processes)
    on_generated = report.curve(generated, LINES, outcomes, s)
    on_docked = report.curve([planted], LINES, outcomes, s)
    docked = len(MproMoonshot('train')[: s.max_sets])
    both = {
        name: on_generated[name] + on_docked[name] for name in on_generated
    }
    names = [f'{count} generated sets' for count in s.curve]
    m = machine('cpu')
    sections = {
        'Planted energies, by combination': report.table(
            planted, THROUGH, outcomes, s
        ),
        'Top-1 by what was trained on': report.curve_table(
            [*names, f'{docked} docked sets'], both
        ),
        'Planted energies: through the set, against after training': (
            report.table(planted, COMPARED, outcomes, s)
        ),
    } | {
        f'Measured affinities, split by {by}': report.table(
            task, COMPARED, outcomes, s
        )
        for by, task in measured.items()
    }
    minutes = (time.perf_counter() - start) / 60
    parts = [
        f'{BEGIN}{s.seeds} seeds, {s.steps} steps of {s.batch_size} sets for '
        f'every model; {len(set(jobs))} trainings in {minutes:.0f} min on '
        f'{m["processor"]}, {s.processes} at a time; torch {m["torch"]}, '
        f'torch-geometric {m["torch_geometric"]}, pyg_multipose '
        f'{m["pyg_multipose"]}.'
    ]
    for title, text in sections.items():
        parts += [f'**{title}**', text]
    images = folder / 'images'
    images.mkdir(parents=True, exist_ok=True)
    path = folder / TABLE
    path.write_text('\n\n'.join(parts) + '\n')
    picture = report.draw(
        s.curve,
        on_generated,
        (docked, on_docked),
        images / 'learning-curve.svg',
    )
    return [path, picture]


if __name__ == '__main__':
    main()
