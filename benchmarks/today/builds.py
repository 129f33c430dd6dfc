"""Builds of the package, each in a process that times what it is asked to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: The build that others are compared with.
COMMIT = 'cd2d769'
ROOT = Path(__file__).parents[2]
SERVER = Path(__file__).with_name('server.py')


class MissingBuildError(Exception):
    r"""Why the earlier build cannot be had."""


class Build:
    r"""A checkout, and a process of it.

    Args:
        root: The checkout.
        fast: Whether it may use numba.
        server: The file that the process runs.
    """

    def __init__(self, root: Path, fast: bool, server: Path) -> None:
        self.root, self.fast, self.server = root, fast, server
        self._process = self._start()

    def ask(self, do: str, **what: Any) -> dict[str, Any]:
        r"""Has something done.

        Args:
            do: What; see :obj:`server.py`.
            what: With what.

        Returns:
            The answer; :obj:`{'unavailable': why}` if there is none.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(json.dumps({'do': do, **what}) + '\n')
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ''
        if not line:
            code = self._process.wait()
            return {'unavailable': f'the process ended with code {code}'}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        r"""Ends the process."""
        _stop(self._process)

    def _start(self) -> subprocess.Popen[str]:
        # The checkout first; what stands there already may name numba's.
        path = [str(self.root), os.environ.get('PYTHONPATH', '')]
        environment = {
            **os.environ,
            'PYTHONPATH': os.pathsep.join(filter(None, path)),
            'OMP_NUM_THREADS': '1',
            'NUMBA_DISABLE_JIT': '0' if self.fast else '1',
        }
        return subprocess.Popen(
            [sys.executable, str(self.server)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=self.root,
            env=environment,
        )


def _stop(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(BrokenPipeError):
                stream.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def builds(
    commit: str = COMMIT, root: Path = ROOT, server: Path = SERVER
) -> Iterator[dict[str, Build]]:
    r"""The earlier build and this one, also with numba where it is installed.

    The earlier one is checked out in a folder of its own, which is removed.

    Args:
        commit: The earlier build.
        root: The checkout of this one.
        server: The file that processes run.

    Raises:
        MissingBuildError: If it is not in the history of the checkout.
    """
    with tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / 'earlier'
        _check_out(commit, root, earlier)
        out: dict[str, Build] = {}
        try:
            out['earlier'] = Build(earlier, False, server)
            out['this'] = Build(root, False, server)
            if find_spec('numba') is not None:
                out['fast'] = Build(root, True, server)
            yield out
        finally:
            for build in out.values():
                build.close()
            _git(root, 'worktree', 'remove', '--force', str(earlier))


def _check_out(commit: str, root: Path, folder: Path) -> None:
    if _git(root, 'cat-file', '-e', f'{commit}^{{commit}}').returncode:
        raise MissingBuildError(
            f'commit {commit} is not in the history of {root}, so there is '
            f'nothing to compare with; in a shallow clone, run '
            f'`git fetch --unshallow`'
        )
    _git(root, 'worktree', 'prune')  # of runs that were killed
    made = _git(root, 'worktree', 'add', '--detach', str(folder), commit)
    if made.returncode:
        raise MissingBuildError(
            f'git cannot check commit {commit} out: {made.stderr.strip()}'
        )


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ['git', '-C', str(root), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, '', 'no git here')
