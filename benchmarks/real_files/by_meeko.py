"""Models of PDBQT files by Meeko, in a process and a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rdkit import Chem

from benchmarks.real_files.packages import Package, install

PROGRAM = Path(__file__).parent / 'meeko_records.py'


def by_meeko(
    package: Package, paths: Sequence[Path], folder: Path
) -> dict[Path, list[Chem.Mol | None]]:
    r"""Every model of some files, a molecule or :obj:`None`.

    Meeko is installed into the folder, without what it needs (RDKit, SciPy
    and gemmi are here), and imported by another process only.

    Args:
        package: The Meeko to install.
        paths: The files.
        folder: Where to install it.

    Raises:
        RuntimeError: If it cannot be installed or run.
    """
    install(package, folder)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *map(str, paths)],
        env={**os.environ, 'PYTHONPATH': str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f'Meeko cannot be run:\n{done.stderr.strip()}')
    out = {}
    for name, blocks in json.loads(done.stdout).items():
        # A text is the error that the file made Meeko raise.
        out[Path(name)] = [
            block and Chem.MolFromMolBlock(block, removeHs=False)
            for block in ([None] if isinstance(blocks, str) else blocks)
        ]
    return out
