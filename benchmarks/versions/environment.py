"""An environment with the versions of a row."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.versions.rows import Row

ROOT = Path(__file__).parents[2]
#: What the tests of a row import.
EXTRAS = '.[io,test,train,viz]'
#: The packages that the table tells the versions of.
TOLD = (
    'torch', 'torch-geometric', 'lightning', 'numpy', 'e3nn', 'torchmetrics',
    'jsonargparse', 'pyarrow',
)  # fmt: skip
_FACTS = """
import json, platform, sys
from importlib.metadata import version
import torch
print(json.dumps({
    'python': platform.python_version(),
    'torch': torch.__version__,
    'cuda': torch.version.cuda,
    'versions': {name: version(name) for name in sys.argv[1:]},
}))
"""


class NotInstalled(RuntimeError):
    r"""The versions of a row cannot be had here."""


def make(row: Row, folder: Path, source: str) -> dict[str, Any]:
    r"""Makes the environment, unless one that was kept has the same.

    Args:
        row: The versions.
        folder: Where it goes.
        source: Options of pip for torch alone, as :obj:`"--index-url URL"`.

    Returns:
        What is in it.

    Raises:
        NotInstalled: If the Python or a package cannot be had, or torch
            does not work.
    """
    stamp = folder / 'installed.json'
    wanted = [row.python, row.constraints, source]
    if stamp.exists():
        made = json.loads(stamp.read_text())
        if made['wanted'] == wanted:
            return made['facts']
    python = interpreter(row.python)
    _run([str(python), '-m', 'venv', '--clear', str(folder)], 'make a folder')
    constraints = folder / 'constraints.txt'
    constraints.write_text('\n'.join(row.constraints) + '\n')
    own = str(folder / 'bin' / 'python')
    # Compiling all of torch to bytecode takes longer than what is used of it.
    pip = [
        own, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check',
        '--no-compile',
    ]  # fmt: skip
    torch = [f'torch=={row.torch}', *shlex.split(source)]
    _run([*pip, *torch], f'install torch {row.torch}')
    rest = ['--constraint', str(constraints), '--editable', EXTRAS]
    _run([*pip, *rest], 'install the rest')
    facts = json.loads(_run([own, '-c', _FACTS, *TOLD], 'import torch'))
    stamp.write_text(json.dumps({'wanted': wanted, 'facts': facts}))
    return facts


def interpreter(version: str | None) -> Path:
    r"""A Python of a version.

    Args:
        version: The version, as :obj:`"3.10"`, or :obj:`None` for this one.

    Raises:
        NotInstalled: If there is none.
    """
    if version is None:
        return Path(sys.executable)
    for path in _interpreters(version):
        # A shim of pyenv is there, and fails, if no version is chosen.
        done = subprocess.run(
            [path, '-c', 'import sys; print("%d.%d" % sys.version_info[:2])'],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0 and done.stdout.strip() == version:
            return path
    raise NotInstalled(
        f'there is no Python {version}: no python{version} on the PATH, and '
        f'none of pyenv'
    )


def _interpreters(version: str) -> Iterator[Path]:
    found = shutil.which(f'python{version}')
    if found:
        yield Path(found)
    root = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv'))
    yield from sorted(root.glob(f'versions/{version}.*/bin/python'))


def _run(command: Sequence[str], what: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        told = [line for line in lines if line.startswith('ERROR')]
        reason = (told or lines or ['no message'])[-1]
        raise NotInstalled(f'could not {what}: {reason}')
    return done.stdout
