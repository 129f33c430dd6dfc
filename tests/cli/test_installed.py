"""What the command line needs, and what it does without."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pyg_multipose.cli import main


def python(code):
    return subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )


def test_the_script_is_the_command_line():
    text = (Path(__file__).parents[2] / 'pyproject.toml').read_text()
    module, name = re.search(r'multipose = "(.+):(.+)"', text).groups()
    assert getattr(importlib.import_module(module), name) is main


def test_help_needs_nothing():
    """Not even torch, so that it is there at once."""
    out = python(
        'import sys\n'
        'for name in ("jsonargparse", "lightning", "torch"):\n'
        '    sys.modules[name] = None\n'
        'from pyg_multipose.cli import main\n'
        'assert main(["--help"]) == 0\n'
        'assert main(["inspect", "--data", "a"]) == 1\n'
    )
    assert out.returncode == 0, out.stderr
    assert 'usage: multipose' in out.stdout
    assert 'error: ' in out.stderr


def test_without_jsonargparse():
    out = python(
        'import sys\n'
        'sys.modules["jsonargparse"] = None\n'
        'from pyg_multipose.cli import main\n'
        'assert main(["inspect", "--data", "a"]) == 1\n'
    )
    assert out.returncode == 0, out.stderr
    assert "pip install 'pyg_multipose[train]'" in out.stderr


def test_without_extras_of_jsonargparse():
    """One of them, docstring-parser, takes the name of what pydoclint needs.

    Both in one environment break the latter.
    """
    pytest.importorskip('jsonargparse')
    out = python(
        'import sys\n'
        'for name in ("docstring_parser", "typeshed_client"):\n'
        '    sys.modules[name] = None\n'
        'from pyg_multipose.cli.parser import Parser\n'
        'parser = Parser("fit")\n'
        'parser.add_argument("--lr", type=float | None, default=0.1)\n'
        'parser.add_argument("--a", type=dict[str, int], default={})\n'
        'print(parser.read(["--lr", "null", "--a", "{b: 3}"]).as_dict())\n'
        'parser.read(["--lr", "x"])\n'
    )
    assert out.returncode == 2, out.stderr
    assert "'lr': None, 'a': {'b': 3}" in out.stdout
    assert 'lr' in out.stderr
