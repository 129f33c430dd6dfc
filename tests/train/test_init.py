import subprocess
import sys

import pytest

from pyg_multipose import train


def test_names_are_there():
    for name in train.__all__:
        assert getattr(train, name) is not None
        assert name in dir(train)
    with pytest.raises(AttributeError, match='nothing'):
        train.nothing  # noqa: B018


def test_without_lightning():
    """Its absence matters to those who train, and says what to do."""
    code = (
        'import sys; sys.modules["lightning"] = None\n'
        'import pyg_multipose.train\n'
        'try:\n'
        '    from pyg_multipose.train import AffinityMetrics\n'
        'except ImportError as error:\n'
        '    print(error)\n'
    )
    out = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert "pip install 'pyg_multipose[train]'" in out.stdout, out.stderr
