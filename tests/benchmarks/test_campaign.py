"""The measure of a campaign."""

import sys
from pathlib import Path

import pytest

from benchmarks.campaign import measured

#: Takes memory in a process of a process.
PROGRAM = """
import subprocess, sys
inner = "import sys, time; x = b'1' * int(sys.argv[1]); time.sleep(.6)"
subprocess.run([sys.executable, '-c', inner, sys.argv[1]])
"""


@pytest.mark.skipif(not Path('/proc/self/task').is_dir(), reason='no /proc')
def test_processes_of_processes_count():
    small, large = (
        measured([sys.executable, '-c', PROGRAM, size])
        for size in ('1000', '90000000')
    )
    assert 80 < large['peak_mb'] - small['peak_mb'] < 100
    assert small['seconds'] > 0.5
