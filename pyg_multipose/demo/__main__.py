r"""Runs the demo: :obj:`python -m pyg_multipose.demo --out FOLDER`."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyg_multipose.demo.settings import Settings

#: What is needed, the extra that it is part of, and what for.
NEEDED = (
    ('matplotlib', 'viz', 'draws pictures'),
    ('lightning', 'train', 'trains'),
    ('jsonargparse', 'train', 'reads its configuration'),
)
#: A run that proves that everything works, in seconds.
QUICK: dict[str, Any] = {
    'epochs': 2,
    'data': f'{Settings.data},sets=6',
    'max_poses': 8,
    'resamples': 50,
}


def main(arguments: Sequence[str] | None = None) -> None:
    r"""Trains, prints the table, and writes pictures and numbers.

    Args:
        arguments: Of the command line. (default: :obj:`None`, those of the
            process)
    """
    parser = argparse.ArgumentParser(
        prog='python -m pyg_multipose.demo',
        description='Trains multi-pose models on real docked poses and '
        'compares them with baselines.',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('results/demo'),
        help='folder of the pictures and numbers (default: %(default)s)',
    )
    parser.add_argument(
        '--seed',
        type=_at_least(0),
        default=Settings.seed,
        help='of weights, order and bootstrap (default: %(default)s)',
    )
    parser.add_argument(
        '--epochs',
        type=_at_least(1),
        default=None,
        help=f'of every model (default: {Settings.epochs})',
    )
    parser.add_argument(
        '--quick',
        action='store_true',
        help='a few compounds and epochs: shows that it runs, nothing else',
    )
    given = parser.parse_args(arguments)
    settings = Settings(seed=given.seed)
    if given.quick:
        settings = replace(settings, **QUICK)
    if given.epochs is not None:
        settings = replace(settings, epochs=given.epochs)
    for package, extra, what in NEEDED:
        if importlib.util.find_spec(package) is None:
            sys.exit(
                f'The demo {what} with {package}, which is not installed: '
                f"pip install 'pyg_multipose[{extra}]'"
            )
    _run(settings, given.out)


def _at_least(minimum: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < minimum:
            raise argparse.ArgumentTypeError(
                f"'{text}' is not an integer from {minimum} on"
            )
        return int(text)

    return parse


def _run(settings: Settings, folder: Path) -> None:
    # Only now: they take seconds, and matplotlib is optional.
    from pyg_multipose.cli.reporting import PAGE
    from pyg_multipose.demo import pictures, report
    from pyg_multipose.demo.run import RUNS, run

    start = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    print(report.introduction(settings, folder / RUNS), flush=True)
    result = run(settings, folder)
    print(report.summary(result))
    paths = [*report.write(result, folder), *pictures.draw(result, folder)]
    print(f'\nWritten: {", ".join(map(str, paths))}')
    print(f'Each training has a page that shows it: {folder / RUNS}/*/{PAGE}')
    parts = ', '.join(f'{k} {s:.0f}' for k, s in result.seconds.items())
    print(f'{time.perf_counter() - start:.0f} s in all ({parts})')


if __name__ == '__main__':
    import torch

    # Of this process, which is the demo's own.
    torch.set_num_threads(1)
    main()
