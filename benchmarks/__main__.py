"""``python -m benchmarks``: measures, reports, and refreshes the docs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks.docs import DOCS, write_docs
from benchmarks.memory import memory_figure
from benchmarks.plots import draw
from benchmarks.report import Report, read
from benchmarks.settings import Settings
from benchmarks.sharing import Sweep, sharing_tables, sweeps
from benchmarks.strategies import Row, rows, strategy_tables
from benchmarks.table import bar_table, header, mattered, summary
from benchmarks.tasks import PARTS, Task, tasks
from benchmarks.timing import Figure, time_case
from benchmarks.today.measure import today
from benchmarks.today.rows import rows as today_rows
from benchmarks.today.table import today_tables
from benchmarks.ways import Way


def main(argv: Sequence[str] | None = None) -> None:
    r"""Runs the command.

    Args:
        argv: Its arguments. (default: :obj:`None`, those of the process)
    """
    args = _arguments(argv)
    name = f'{args.device}-quick.json' if args.quick else f'{args.device}.json'
    path = args.out or Path('results') / 'benchmarks' / name
    if args.write_docs:
        if not path.exists():
            raise SystemExit(
                f'{path} does not exist: run `python -m benchmarks` first, '
                f'or name a report with --out'
            )
        for written in write_docs(read(path), args.docs):
            print(written)
        return
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise SystemExit(
            f'--device cuda: torch {torch.__version__} finds no GPU. Run '
            f'without --device, or install a CUDA build of torch '
            f"(`make bench-gpu TORCH='torch==... --index-url ...'`)"
        )
    torch.set_num_threads(1)
    fewest = args.repeats or (1 if args.quick else 3)
    settings = Settings(args.device, args.quick, fewest)
    report = Report(path, settings)
    if report.moved:
        print(
            f'{path} is of another machine, version or setting; it is now '
            f'{report.moved}'
        )
    print(header(report.data), flush=True)
    try:
        measure(report, settings, args.only)
    except KeyboardInterrupt:
        raise SystemExit(f'Stopped; what was measured is in {path}') from None
    print(bar_table(report.data))
    print(mattered(report.data))
    for title, table in (
        *sharing_tables(report.data),
        *strategy_tables(report.data),
        *today_tables(report.data),
    ):
        print(f'{title}:\n{table}')
    print(f'bars: {summary(report.data)}')
    for written in (path, *draw(report.data, path.parent)):
        print(written)


def measure(report: Report, settings: Settings, only: str | None) -> None:
    r"""Measures everything, and writes it figure by figure.

    Args:
        report: Where figures go.
        settings: The settings.
        only: One of :obj:`PARTS`, :obj:`"sharing"`, :obj:`"strategies"`,
            :obj:`"today"`, or :obj:`None` for all.
    """
    todo = [
        *tasks(settings, only),
        *sweeps(settings, only),
        *rows(settings, only),
    ]
    total = sum(task.seconds(settings) for task in todo)
    bar = '{desc} {percentage:3.0f}% |{bar}| {elapsed}, about {remaining} left'
    slow = 0.1 if sys.stderr.isatty() else 30.0
    with tqdm(total=total, bar_format=bar, mininterval=slow) as progress:
        for task in todo:
            if isinstance(task, (Sweep, Row)):
                progress.set_description_str(str(task), refresh=False)
                report.add([task.figure(settings)])
                progress.update(
                    min(task.seconds(settings), total - progress.n)
                )
                continue
            progress.set_description_str(
                f'{task.kind}, {task.case}', refresh=False
            )
            report.add(_figures(task, settings, progress))
    if only in (None, 'today') and settings.device == 'cpu':
        figures = tqdm(
            today(settings),
            desc='this build beside an earlier one',
            total=len(today_rows(settings)),
            unit='row',
        )
        for figure in figures:
            report.add([figure])
            if 'missing' in figure:
                print(figure['missing'], flush=True)


def _figures(task: Task, settings: Settings, progress: tqdm) -> list[Figure]:
    share = task.seconds(settings) / len(task.ways)

    def advance(way: Way) -> None:
        progress.update(min(share, progress.total - progress.n))

    if task.kind == 'time':
        return time_case(task.case, task.ways, settings, task.once, advance)
    (way,) = task.ways
    figure = memory_figure(task.case, way.name, settings)
    advance(way)
    return [figure]


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks',
        description='Step time and memory of every gradient mode beside its '
        'rivals.',
    )
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu')
    parser.add_argument(
        '--only',
        choices=(*PARTS, 'sharing', 'strategies', 'today'),
        help='the bars, the grid of times, the memory that plots show, '
        'what a shared receptor saves by cutoff and depth, what '
        'strategies cost, or this build beside an earlier one',
    )
    parser.add_argument(
        '--quick',
        action='store_true',
        help='narrow models and few poses, to see that everything works',
    )
    parser.add_argument(
        '--repeats', type=_positive, help='the fewest rounds (3)'
    )
    parser.add_argument(
        '--out',
        type=Path,
        help='the report (results/benchmarks/DEVICE.json)',
    )
    parser.add_argument(
        '--write-docs',
        action='store_true',
        help='refresh the tables and pictures of docs/ from the report, '
        'without measuring',
    )
    parser.add_argument(
        '--docs', type=Path, default=DOCS, help='the folder for --write-docs'
    )
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text} is not at least 1')
    return value


if __name__ == '__main__':
    main()
