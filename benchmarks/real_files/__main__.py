"""Proof on files nobody here wrote: ``python -m benchmarks.real_files``.

Downloads pinned packages, unpacks them, reads what is inside, and compares
it with other readers. Writes docs/real-files-table.md; exits with 1 if a
difference is unexplained.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from benchmarks.docs import BEGIN, DOCS
from benchmarks.real_files.files import files_of
from benchmarks.real_files.packages import PACKAGES, Package, fetch, unpack
from benchmarks.real_files.survey import Survey, survey
from benchmarks.real_files.table import tables

TABLE = 'real-files-table.md'
#: Unexplained differences that are printed.
SHOWN = 50


def main(
    argv: Sequence[str] | None = None, packages: Sequence[Package] = PACKAGES
) -> int:
    r"""Runs the command; 1 if a difference is unexplained, else 0.

    Args:
        argv: Its arguments. (default: :obj:`None`, those of the process)
        packages: The packages. (default: all)
    """
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.real_files',
        description='Reads the files inside of pinned packages and compares '
        'them with RDKit, Meeko and gemmi, record by record.',
    )
    parser.add_argument(
        '--folder',
        type=Path,
        help='where the archives are, or are downloaded to (default: a '
        'temporary folder)',
    )
    parser.add_argument('--docs', type=Path, default=DOCS)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as place:
        out = run(
            packages, args.folder or Path(place, 'archives'), Path(place)
        )
    path = args.docs / TABLE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{BEGIN}{tables(out, packages)}\n')
    print(path)
    unexplained = out.unexplained()
    for one in unexplained[:SHOWN]:
        print(f'unexplained: {one.where}: {one.why}', file=sys.stderr)
    if unexplained:
        count = len(unexplained)
        print(
            f'{count} differences are unexplained; {min(count, SHOWN)} are '
            f'shown. Find out who is right, and mend the reader, or give '
            f'benchmarks/real_files a rule that checks the explanation',
            file=sys.stderr,
        )
    return 1 if unexplained else 0


def run(packages: Sequence[Package], archives: Path, place: Path) -> Survey:
    r"""Fetches, unpacks, reads and compares.

    Args:
        packages: The packages.
        archives: Where their archives are, or go.
        place: Where to unpack them.
    """
    folders = {}
    for one in tqdm(packages, 'Unpacking', unit='package', file=sys.stderr):
        folders[one] = unpack(fetch(one, archives), place / one.name)
    total = sum(files_of(folder).number for folder in folders.values())
    meeko = next(one for one in PACKAGES if one.name == 'meeko')
    with tqdm(
        total=total, desc='Comparing', unit='file', file=sys.stderr
    ) as bar:
        return survey(folders, meeko, place / 'installed', bar.update)


if __name__ == '__main__':
    sys.exit(main())
