"""A copy of the package and its tests, to spoil."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.mutants.mutant import Mutant

#: What takes most of the time of a run: it is imported once, and every run is
#: a fork of the process that did. Nothing of the project is among it.
_IMPORTED = [
    *('pytest', 'hypothesis.strategies', 'scipy.spatial', 'networkx'),
    *('torch', 'torch_geometric.nn', 'torch_geometric.loader', 'e3nn.o3'),
]
_SETTINGS = {'OMP_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1'}
_PYTEST = [
    *('-x', '-q', '--tb=line', '-p', 'no:cacheprovider'),
    # Not those of the project, which may ask for several processes.
    *('-o', 'addopts=', '--import-mode=importlib'),
]


@dataclass
class Result:
    r"""What came out of a run of tests.

    Args:
        mutant: The fault; :obj:`None` without one.
        verdict: :obj:`"caught"`, :obj:`"alive"`, :obj:`"out of time"`,
            :obj:`"does not apply"` or :obj:`"cannot run"`.
        seconds: How long it took.
        output: What pytest wrote.
    """

    mutant: Mutant | None
    verdict: str
    seconds: float = 0.0
    output: str = ''


class Workplace:
    r"""A temporary folder in which one fault at a time is made.

    Args:
        tree: The root of the project, which is only read.
        folder: An empty folder.
    """

    def __init__(self, tree: Path, folder: Path) -> None:
        self.folder = folder
        self.package = folder / 'pyg_multipose'
        for name in ('pyg_multipose', 'tests', 'docs'):
            unwanted = shutil.ignore_patterns('__pycache__', 'mutants')
            shutil.copytree(tree / name, folder / name, ignore=unwanted)
        shutil.copy(tree / 'pyproject.toml', folder)
        os.environ.update(_SETTINGS)
        self._context = multiprocessing.get_context('forkserver')
        self._context.set_forkserver_preload(_IMPORTED)

    def test(self, mutant: Mutant, limit: float) -> Result:
        r"""Runs the tests of a mutant, with it.

        Args:
            mutant: The fault.
            limit: After how many seconds a run is given up.
        """
        changed = mutant.changed(self.package)
        if changed is None:
            return Result(mutant, 'does not apply')
        path = self.package / mutant.file
        before = path.read_bytes()
        try:
            path.write_text(changed, encoding='utf-8')
            return self.run(mutant.tests, limit, mutant)
        finally:
            path.write_bytes(before)

    def run(
        self,
        tests: Sequence[str],
        limit: float | None = None,
        mutant: Mutant | None = None,
    ) -> Result:
        r"""Runs tests.

        Args:
            tests: As of a mutant.
            limit: As above. (default: :obj:`None`)
            mutant: The fault that was made. (default: :obj:`None`)
        """
        start = time.monotonic()
        log = self.folder / 'output'
        process = self._context.Process(
            target=_pytest, args=(self.folder, log, tests)
        )
        process.start()
        process.join(limit)
        code = process.exitcode
        _end(process)
        return Result(
            mutant,
            _verdict(code),
            time.monotonic() - start,
            log.read_text(encoding='utf-8', errors='replace'),
        )


def _pytest(folder: Path, log: Path, tests: Sequence[str]) -> None:
    """Runs tests of a copy, in a process of its own."""
    os.setsid()
    with log.open('wb') as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(folder)
    # Bytecode would outlive a mutant.
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder))
    for name in [name for name in sys.modules if name.startswith('tests')]:
        del sys.modules[name]
    import pytest
    from hypothesis import Phase, settings

    # The first example that fails does; the same ones in every run.
    settings.register_profile(
        'mutants',
        phases=[Phase.explicit, Phase.generate],
        derandomize=True,
        database=None,
    )
    settings.load_profile('mutants')
    sys.exit(pytest.main([*_PYTEST, *(f'tests/{test}' for test in tests)]))


def _verdict(code: int | None) -> str:
    """What an exit status of pytest says of a mutant."""
    if code is None:
        return 'out of time'
    if code < 0 and code != -signal.SIGKILL:  # a crash is noticed, too
        return 'caught'
    # 2: at import; others: no such tests, or somebody ended the process.
    return {0: 'alive', 1: 'caught', 2: 'caught'}.get(code, 'cannot run')


def _end(process: BaseProcess) -> None:
    """Ends a process, with all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.join()
