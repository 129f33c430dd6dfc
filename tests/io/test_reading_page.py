"""The page on reading says what the code does."""

import re
from pathlib import Path

import pytest

pytest.importorskip('rdkit')

from pyg_multipose.io import KNOWN  # noqa: E402
from pyg_multipose.io.molecule.features import FEATURES  # noqa: E402

PAGE = Path(__file__).parents[2] / 'docs' / 'reading.md'


def test_code_blocks(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mol = make.embedded('CCO', hydrogens=True)
    items = [('compound_id', 'A'), ('CNNscore', 0.5), ('my_score', 1)]
    record = make.sdf(mol, 'A_pose1', items)
    for name in ('poses.sdf.gz', 'poses.sdf', 'all.sdf'):
        Path(name).write_text(record * 2)
    Path('out').mkdir()
    Path('out/CPD-1_out.pdbqt').write_text(make.models(make.pdbqt(mol, 'CCO')))
    names = {}
    blocks = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 3
    assert list(names['poses'].scores) == ['CNNscore', 'my_score']


def test_tables_are_complete():
    text = PAGE.read_text().replace('\u2212', '-')
    rows = re.findall(r'^\| (.*) \|$', text, re.MULTILINE)
    for name, score in KNOWN.items():
        (row,) = (row for row in rows if f'`{name}`' in row.split(' | ')[0])
        _, unit, good, span = row.split(' | ')
        assert unit.replace('\u00d7', 'x').startswith(score.unit)
        assert (good == 'high') == score.higher_is_better
        assert span == '{:g} to {:g}'.format(*score.range)
    assert all(f'`{name}`' in text for name in FEATURES)
