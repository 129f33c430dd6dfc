"""python -m tests.kills --command fit --count 100"""

import argparse
import importlib
import tempfile
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(prog='python -m tests.kills')
    parser.add_argument('--command', default='fit')
    parser.add_argument('--count', type=int, default=100)
    parser.add_argument('--seed', type=int, default=0)
    given = parser.parse_args()
    kill = importlib.import_module(f'tests.kills.{given.command}').kill
    with tempfile.TemporaryDirectory() as folder:
        outcome = kill(Path(folder), given.count, given.seed)
    print(
        f'multipose {given.command}: {outcome.kills} kills of {outcome.runs} '
        f'runs, all of which ended as one that was not killed'
    )


if __name__ == '__main__':
    main()
