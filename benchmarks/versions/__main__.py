"""The tests over a matrix of versions: ``python -m benchmarks.versions``.

Installs each row into an environment of its own, runs tests in it, and writes
docs/versions-table.md; exits with 1 unless all rows ran and no test failed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.docs import BEGIN, DOCS
from benchmarks.versions import environment, suite
from benchmarks.versions.rows import ROWS, TESTS, Row
from benchmarks.versions.table import tables

TABLE = 'versions-table.md'
FOLDER = environment.ROOT / 'build' / 'versions'


def main(argv: Sequence[str] | None = None, rows: Sequence[Row] = ROWS) -> int:
    r"""Runs the command; 0 if all rows ran and no test failed, else 1.

    Args:
        argv: Its arguments. (default: :obj:`None`, those of the process)
        rows: The matrix. (default: ours)
    """
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.versions',
        description='Runs the contract suite over a matrix of versions of '
        'torch, PyG and Lightning. A row that has a result in --folder is '
        'not run again, unless it is named; a row that did not run is.',
    )
    names = [row.name for row in rows]
    parser.add_argument(
        'rows',
        nargs='*',
        metavar='ROW',
        help=f'rows to run, also again: {", ".join(names)} (default: those '
        f'without a result)',
    )
    parser.add_argument(
        '--source',
        default='',
        metavar='OPTIONS',
        help='options of pip for torch, as "--index-url URL" of an index of '
        'CPU builds (default: none: what the usual index has, which on Linux '
        'are gigabytes of CUDA a row)',
    )
    parser.add_argument(
        '--tests',
        default=' '.join(TESTS),
        metavar='ARGUMENTS',
        help='arguments of pytest (default: %(default)s)',
    )
    parser.add_argument(
        '--most',
        type=int,
        default=0,
        metavar='N',
        help='run at most N tests of a file, evenly spread, where time is '
        'short (default: 0, all)',
    )
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument(
        '--folder',
        type=Path,
        default=FOLDER,
        help='where results, logs and the environment of the moment are '
        '(default: build/versions)',
    )
    parser.add_argument('--docs', type=Path, default=DOCS)
    parser.add_argument(
        '--keep', action='store_true', help='leave the environments there'
    )
    args = parser.parse_args(argv)
    unknown = sorted(set(args.rows) - set(names))
    if unknown:
        parser.error(f'no row {", ".join(unknown)}, expected some of {names}')
    for name, least in (('most', 0), ('workers', 1)):
        value = getattr(args, name)
        if value < least:
            parser.error(f'--{name} is {value}, expected at least {least}')
    folder = args.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    results = {}
    for row in rows:
        path = folder / f'{row.name}.json'
        result = _read(path, row)
        ran = result is not None and 'why' not in result
        if row.name in args.rows or not (args.rows or ran):
            result = {'row': asdict(row), **run(row, args, folder)}
            path.write_text(json.dumps(result, indent=1) + '\n')
        if result:
            results[row.name] = result
    path = args.docs / TABLE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{BEGIN}{tables(rows, results)}\n')
    print(path)
    looked_at = args.rows or names
    good = [name for name in looked_at if _is_good(results.get(name))]
    print(
        f'{len(good)} of {len(looked_at)} rows ran without a failure',
        file=sys.stderr,
    )
    return 0 if len(good) == len(looked_at) else 1


def run(row: Row, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    r"""Installs a row and runs the tests.

    Args:
        row: The versions.
        args: The settings.
        folder: Where files go.

    Returns:
        What came out, or why it did not run.
    """
    place = folder / f'env-{row.name}'
    try:
        print(f'{row.name}: installing', file=sys.stderr, flush=True)
        facts = environment.make(row, place, args.source)
        log = folder / f'{row.name}.log'
        print(f'{row.name}: testing, see {log}', file=sys.stderr, flush=True)
        python = place / 'bin' / 'python'
        out = suite.run(
            python, args.tests.split(), args.most, args.workers, log
        )
        tests = f'{args.most} a file' if args.most else 'all'
        if args.tests != ' '.join(TESTS):
            tests += f' of {args.tests}'
        date = datetime.date.today().isoformat()
        return {'facts': facts, 'tests': tests, 'date': date, **out}
    except environment.NotInstalled as error:
        print(f'{row.name}: {error}', file=sys.stderr, flush=True)
        return {'why': str(error)}
    finally:
        if not args.keep:
            shutil.rmtree(place, ignore_errors=True)


def _read(path: Path, row: Row) -> dict[str, Any] | None:
    """A result, unless it is of other versions."""
    if not path.exists():
        return None
    result: dict[str, Any] = json.loads(path.read_text())
    same = json.loads(json.dumps(asdict(row)))
    return result if result['row'] == same else None


def _is_good(result: dict[str, Any] | None) -> bool:
    return result is not None and 'why' not in result and not result['failed']


if __name__ == '__main__':
    sys.exit(main())
