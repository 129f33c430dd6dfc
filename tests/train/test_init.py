import pytest

from pyg_multipose import train
from tests.without import without


def test_names_are_there():
    for name in train.__all__:
        assert getattr(train, name) is not None
        assert name in dir(train)
    with pytest.raises(AttributeError, match='nothing'):
        train.nothing  # noqa: B018


def test_without_lightning():
    """Its absence matters to those who train, and says what to do."""
    code = (
        'import pyg_multipose.train\n'
        'try:\n'
        '    from pyg_multipose.train import AffinityMetrics\n'
        'except ImportError as error:\n'
        '    print(error)\n'
    )
    out = without(['lightning'], code)
    assert "pip install 'pyg_multipose[train]'" in out
    assert 'Traceback' not in out
