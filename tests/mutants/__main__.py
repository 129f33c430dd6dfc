"""Whether tests notice small faults: :obj:`python -m tests.mutants`.

Each fault of the list is made in a copy of the package, and the tests of its
subject run there until one fails. A mutant that is alive needs a test.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from tqdm import tqdm

from tests.mutants.list import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.workplace import Result, Workplace

ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    r"""Returns 0 if all mutants were caught.

    Args:
        arguments: Those of the command line. (default: :obj:`None`, these)
    """
    options = _parsed(arguments)
    chosen = [
        mutant
        for mutant in MUTANTS
        if any(part in mutant.name for part in options.only)
    ]
    if not chosen:
        print(f'no mutant has any of {options.only} in its name')
        return 1
    places: SimpleQueue[Workplace] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(options.processes):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            places.put(Workplace(options.tree, Path(folder)))
        if not options.trust and not _green(places, chosen):
            return 1
        results = []
        with tqdm(total=len(chosen), unit='mutant') as bar:
            for result in _results(places, chosen, options):
                results.append(result)
                bar.write(_line(result), file=sys.stdout)
                bar.update()
    return _summary(results)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='python -m tests.mutants', description=__doc__
    )
    parser.add_argument(
        '--only',
        nargs='+',
        metavar='NAME',
        default=[''],
        help='mutants with any of these in their name',
    )
    parser.add_argument('--processes', type=int, default=1)
    parser.add_argument(
        '--tree', type=Path, default=ROOT, help='the project to look at'
    )
    parser.add_argument(
        '--limit',
        type=float,
        default=120.0,
        help='after how many seconds a run is given up',
    )
    parser.add_argument(
        '--trust',
        action='store_true',
        help='do not run the tests without a mutant first',
    )
    return parser.parse_args(arguments)


def _green(places: SimpleQueue[Workplace], chosen: list[Mutant]) -> bool:
    """Whether the tests pass without a mutant."""
    named = sorted({test for mutant in chosen for test in mutant.tests})
    # No test beside its file.
    files = {test for test in named if '::' not in test}
    tests = [t for t in named if t in files or t.split('::')[0] not in files]
    print(f'without a mutant: {len(tests)} tests and files', flush=True)
    place = places.get()
    result = place.run(tests)
    places.put(place)
    if result.verdict == 'alive':
        print(f'they pass, {result.seconds:.0f} s', flush=True)
        return True
    print(f'{result.output}\nThese have to pass first')
    return False


def _results(
    places: SimpleQueue[Workplace],
    chosen: list[Mutant],
    options: argparse.Namespace,
) -> Iterator[Result]:
    def run(mutant: Mutant) -> Result:
        place = places.get()
        try:
            return place.test(mutant, options.limit)
        finally:
            places.put(place)

    with ThreadPoolExecutor(options.processes) as pool:
        for future in as_completed([pool.submit(run, m) for m in chosen]):
            yield future.result()


def _line(result: Result) -> str:
    mutant = result.mutant
    assert mutant is not None
    out = f'{result.verdict:14} {result.seconds:5.1f} s  {mutant.name}'
    if result.verdict != 'caught':
        out += f'  ({mutant.file})'
    if result.verdict == 'cannot run':
        out += f'\n{result.output}'
    return out


def _summary(results: list[Result]) -> int:
    count = Counter(result.verdict for result in results)
    caught = count.pop('caught', 0)
    rest = ''.join(f', {number} {what}' for what, number in count.items())
    print(f'{caught} of {len(results)} mutants caught{rest}')
    return int(caught < len(results))


if __name__ == '__main__':
    sys.exit(main())
