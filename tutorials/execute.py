"""Executes the notebooks beside this file and keeps the results elsewhere.

python tutorials/execute.py FOLDER

Each notebook runs in a temporary folder with a copy of `data` from beside this
file, so that what it writes does not land in the checkout. The executed copies
are written to FOLDER. The first cell that fails ends the program with that
cell's error.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

CELL_TIMEOUT = 600  # seconds


def execute(path: Path, out: Path) -> None:
    """Executes the notebook at path and writes it to out."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(path.parent / 'data', Path(folder) / 'data')
        NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT,
            resources={'metadata': {'path': folder}},
        ).execute()
    out.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, out)


def main(folder: Path) -> None:
    """Executes all notebooks into a folder."""
    paths = sorted(Path(__file__).parent.glob('*.ipynb'))
    if not paths:
        sys.exit(f'no notebook in {Path(__file__).parent}')
    for path in paths:
        begin = time.perf_counter()
        print(f'{path.name} ...', flush=True)
        execute(path, folder / path.name)
        print(f'{path.name}: {time.perf_counter() - begin:.0f} s', flush=True)


if __name__ == '__main__':
    main(Path(sys.argv[1]))
