"""The tests in an environment, counted."""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.versions.environment import ROOT
from benchmarks.versions.sample import MOST


def run(
    python: Path, tests: Sequence[str], most: int, workers: int, log: Path
) -> dict[str, Any]:
    r"""Runs tests, on CPUs.

    Args:
        python: The Python of the environment.
        tests: Arguments of pytest.
        most: How many tests of a file are run; 0 is all.
        workers: How many processes.
        log: Where the output goes.

    Returns:
        Numbers of tests by outcome, names of those that failed, and reasons
        of those that were skipped; or why there are none.
    """
    report = log.with_suffix('.xml')
    report.unlink(missing_ok=True)
    spread = ['-n', str(workers), '--dist', 'loadfile'] if workers > 1 else []
    command = [
        str(python), '-m', 'pytest', '-p', 'no:cacheprovider',
        '-p', 'benchmarks.versions.sample',
        '--continue-on-collection-errors', '--tb=short',
        f'--junitxml={report}', *spread, *tests,
    ]  # fmt: skip
    # The rows tell what holds on a CPU, wherever they run.
    env = {
        **os.environ,
        'CUDA_VISIBLE_DEVICES': '',
        'OMP_NUM_THREADS': '1',
        'PYTHONPATH': str(ROOT),
        MOST: str(most),
    }
    with log.open('w') as out:
        code = subprocess.run(
            command, cwd=ROOT, env=env, stdout=out, stderr=out, check=False
        ).returncode
    # Else it was interrupted, or could not begin: the report is of a part.
    if code not in (0, 1) or not report.exists():
        return {'why': f'pytest ended with {code} before the end of the tests'}
    return count(report)


def count(report: Path) -> dict[str, Any]:
    r"""What a report of pytest says.

    Args:
        report: The XML file.
    """
    passed, failed, skipped = 0, [], Counter[str]()
    for case in ET.parse(report).iter('testcase'):
        bad = case.find('failure')
        bad = case.find('error') if bad is None else bad
        skip = case.find('skipped')
        if bad is not None:
            name = f'{case.get("classname", "")}::{case.get("name", "")}'
            failed.append([name, bad.get('message', '').splitlines()[:1]])
        elif skip is not None:
            skipped[skip.get('message', '')] += 1
        else:
            passed += 1
    return {'passed': passed, 'failed': failed, 'skipped': dict(skipped)}
