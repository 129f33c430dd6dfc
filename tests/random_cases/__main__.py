"""Runs random cases: `python -m tests.random_cases --cases N --seed S`."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections import Counter

import torch
from tqdm import tqdm

from tests.random_cases.case import draw_case
from tests.random_cases.outcome import Outcome, run_case

#: Seeds of `--seed S` begin at S times this.
STRIDE = 10_000_000


def main() -> int:
    """The command; 1 if a case failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--cases', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--processes', type=int, default=len(os.sched_getaffinity(0))
    )
    parser.add_argument(
        '--replay', type=int, metavar='SEED', help='the seed of one case'
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.replay is not None:
        outcome = run_case(args.replay)
        print(draw_case(args.replay))
        print(f'{outcome.kind}, worst relative error {outcome.error:.1e}')
        print(outcome.detail)
        return int(outcome.failed)
    seeds = range(args.seed * STRIDE, args.seed * STRIDE + args.cases)
    return report(list(outcomes(seeds, args.processes)))


def outcomes(seeds: range, processes: int):
    """Runs cases in processes of one thread, and yields what came out."""
    context = multiprocessing.get_context('spawn')
    with (
        context.Pool(processes, torch.set_num_threads, (1,)) as pool,
        tqdm(total=len(seeds), unit='case', smoothing=0.05) as bar,
    ):
        failed = 0
        for outcome in pool.imap_unordered(run_case, seeds, chunksize=4):
            if outcome.failed:
                failed += 1
                bar.write(replay_line(outcome))
                bar.set_postfix(failed=failed)
            bar.update()
            yield outcome


def replay_line(outcome: Outcome) -> str:
    """What failed, and the line that runs it again."""
    first = outcome.detail.strip().splitlines()
    return (
        f'python -m tests.random_cases --replay {outcome.seed}  '
        f'# {draw_case(outcome.seed).kind}: {(first or [""])[0][:150]}'
    )


def report(results: list[Outcome]) -> int:
    """Prints counts; 1 if a case failed."""
    counts = Counter(outcome.kind for outcome in results)
    for kind, count in counts.most_common():
        print(f'{count:8}  {kind}')
    worst = max((outcome.error for outcome in results), default=0.0)
    print(f'{len(results)} cases, worst relative error {worst:.1e}')
    failures = sorted(o for o in results if o.failed)
    kinds = Counter(draw_case(outcome.seed).kind for outcome in failures)
    if not failures:
        return 0
    of_kinds = ', '.join(f'{n} {kind}' for kind, n in kinds.most_common())
    print(f'{len(failures)} failed ({of_kinds}):')
    for outcome in failures:
        print(replay_line(outcome))
    return 1


if __name__ == '__main__':
    sys.exit(main())
