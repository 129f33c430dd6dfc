import pytest

from pyg_multipose import io
from tests.without import without


def test_names_are_there():
    for name in io.__all__:
        assert getattr(io, name) is not None
        assert name in dir(io)
    with pytest.raises(AttributeError, match='nothing'):
        io.nothing  # noqa: B018


def test_without_rdkit():
    """Its absence matters to those who read poses, and says what to do."""
    code = (
        'import pyg_multipose.io\n'
        'from pyg_multipose.io import Report, Score\n'
        'try:\n'
        '    from pyg_multipose.io import read_poses\n'
        'except ImportError as error:\n'
        '    print(error)\n'
    )
    out = without(['rdkit'], code)
    assert "pip install 'pyg_multipose[io]'" in out and 'Traceback' not in out


def test_without_gemmi():
    """Poses are read all the same, with a receptor of one's own."""
    code = (
        'from pyg_multipose.io import Receptor, check_overlap, read_poses\n'
        'try:\n'
        '    from pyg_multipose.io import read_receptor\n'
        'except ImportError as error:\n'
        '    print(error)\n'
    )
    out = without(['gemmi'], code)
    assert 'Reading receptors needs gemmi' in out and 'Traceback' not in out
