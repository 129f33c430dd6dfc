"""The code on the pages about explaining and uncertainty runs."""

import re
import shutil
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]


def run(page):
    text = (ROOT / 'docs' / page).read_text()
    names = {}
    for block in re.findall(r'```python\n(.*?)```', text, re.DOTALL):
        exec(block, names)
    return names


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        yield tmp_path


def test_explaining(folder):
    pytest.importorskip('gemmi')
    pytest.importorskip('rdkit')
    pytest.importorskip('matplotlib')
    for name in ('poses.sdf.gz', 'receptor.pdb.gz'):
        shutil.copy(ROOT / 'tutorials' / 'data' / name, folder)
    names = run('explaining.md')
    attribution, poses = names['attribution'], names['poses']
    assert torch.allclose(
        names['same'].change[:6],
        names['explain'](names['readout'], names['batch']).change[:6],
    )
    count = int(poses.num_poses[:4].sum())
    assert attribution.num_poses == count
    written = Path('explained.sdf').read_text()
    for tag in re.findall(
        r'^\| `(\w+)` \|', (ROOT / 'docs' / 'explaining.md').read_text(), re.M
    ):
        assert written.count(f'<{tag}>') == count
    assert written.count('$$$$') == 934
    assert len(names['models']) == 1 + poses[0].num_poses


def test_uncertainty():
    pytest.importorskip('matplotlib')
    names = run('uncertainty.md')
    assert (names['out'].epistemic > 0).all()
    assert names['conformal'].num_missing == 1
    assert Path('calibration.png').stat().st_size > 1000
