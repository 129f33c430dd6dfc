"""The page on the contracts says what they do, and its examples run."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pyg_multipose.testing import (
    CombinationContract,
    ModelContract,
    ReaderContract,
)

PAGE = Path(__file__).parents[2] / 'docs' / 'contract_suite.md'


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The code of the page, as a file of tests."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    page = ModuleType('contract_suite_page')
    monkeypatch.setitem(sys.modules, page.__name__, page)
    for block in blocks:
        exec(block, page.__dict__)
    return page


def test_examples(kit, page):
    assert not kit.failures(page.TestBoltzmannMean)
    assert not kit.failures(page.TestMpro)
    assert not kit.failures(page.TestMine)
    assert not kit.failures(page.TestMended)
    text = r"norms.0' \(LayerNorm\) mixes the poses of a chunk"
    with pytest.raises(AssertionError, match=text):
        page.TestNetwork().test_poses_do_not_mix()


def test_message(page):
    def combine(self, x, index, ptr, dim_size):
        size = index.bincount(minlength=dim_size).unsqueeze(1)
        return page.scatter(x, index, 0, dim_size) / (size + 1)

    page.BoltzmannMean.combine = combine
    with pytest.raises(AssertionError) as error:
        page.TestBoltzmannMean().test_one_pose()
    (shown,) = re.findall(r'```\n(a set .*?)```', PAGE.read_text(), re.DOTALL)
    assert str(error.value) == shown.strip()


def test_all_properties_are_listed():
    text = PAGE.read_text()
    parts = text.split('\n## ')[1:]
    contracts = CombinationContract, ModelContract, ReaderContract
    for part, contract in zip(parts, contracts, strict=True):
        listed = set(re.findall(r'`(test_\w+)`', part))
        own = {name for name in dir(contract) if name.startswith('test_')}
        assert listed == own
