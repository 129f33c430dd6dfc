"""The page on formats: its code runs, and its format passes the contract."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip('rdkit')

from pyg_multipose.testing import ReaderContract  # noqa: E402

PAGE = Path(__file__).parents[2] / 'docs' / 'add_a_format.md'


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The code of the page, as a module."""
    monkeypatch.chdir(tmp_path)
    page = ModuleType('add_a_format_page')
    monkeypatch.setitem(sys.modules, page.__name__, page)
    blocks = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    for block in blocks:
        exec(block, page.__dict__)
    return page


def test_the_format(page, capsys):
    assert repr(page.poses) in PAGE.read_text()
    assert page.poses[0].tiny_score.tolist() == [-6.5, -7.25]
    assert page.poses.smiles == ['O=C[O-]']
    assert not page.poses.report.rows


@pytest.mark.parametrize(
    'name', [name for name in dir(ReaderContract) if name.startswith('test_')]
)
def test_the_contract(page, name):
    getattr(page.TestTiny(), name)()


def test_its_own_test(page, tmp_path):
    page.test_a_damaged_record_is_alone(tmp_path)


def test_the_names_it_mentions():
    root = PAGE.parents[1]
    for path in re.findall(
        r'`((?:pyg_multipose|tests)/[\w/.]+)`', PAGE.read_text()
    ):
        assert (root / path).exists(), path
