import subprocess
import sys

import pytest

from pyg_multipose import io


def test_names_are_there():
    for name in io.__all__:
        assert getattr(io, name) is not None
        assert name in dir(io)
    with pytest.raises(AttributeError, match='nothing'):
        io.nothing  # noqa: B018


def test_without_rdkit():
    """Its absence matters to those who read poses, and says what to do."""
    code = (
        'import sys; sys.modules["rdkit"] = None\n'
        'import pyg_multipose.io\n'
        'from pyg_multipose.io import Report, Score\n'
        'try:\n'
        '    from pyg_multipose.io import read_poses\n'
        'except ImportError as error:\n'
        '    print(error)\n'
    )
    out = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert "pip install 'pyg_multipose[io]'" in out.stdout, out.stderr


def test_without_gemmi():
    """Poses are read all the same, with a receptor of one's own."""
    code = (
        'import sys; sys.modules["gemmi"] = None\n'
        'from pyg_multipose.io import Receptor, check_overlap, read_poses\n'
        'try:\n'
        '    from pyg_multipose.io import read_receptor\n'
        'except ImportError as error:\n'
        '    print(error)\n'
    )
    out = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert 'Reading receptors needs gemmi' in out.stdout, out.stderr
