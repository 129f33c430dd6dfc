"""The code on the page about affinity and losses runs."""

import re
from pathlib import Path

import pytest
import torch

from pyg_multipose.nn.affinity import units

PAGE = Path(__file__).parents[1] / 'docs' / 'affinity_and_losses.md'


def test_code_blocks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    names = {}
    text = PAGE.read_text()
    for block in re.findall(r'```python\n(.*?)```', text, re.DOTALL):
        exec(block, names)
    batch, loss = names['batch'], names['loss']
    assert batch.y_relation.tolist() == [0, -1, 1, 0]
    assert batch.y.tolist() == pytest.approx([5.921, 4, 8, 6.301], abs=1e-3)
    assert loss.isfinite() and loss > 0
    grads = [p.grad for p in names['readout'].parameters()]
    assert any(g is not None and g.any() for g in grads)


def test_numbers():
    text = PAGE.read_text()
    assert f'{units.per_kt("kcal/mol"):.5f} kcal/mol' in text
    assert f'{units.LOWEST_TEMPERATURE:g} K' in text
