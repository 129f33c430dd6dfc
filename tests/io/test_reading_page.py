"""The page on reading says what the code does."""

import re
from pathlib import Path

import pytest

pytest.importorskip('rdkit')

import pyg_multipose.io  # noqa: E402
from pyg_multipose.io import KNOWN  # noqa: E402
from pyg_multipose.io.ligand.formats import FORMATS  # noqa: E402
from pyg_multipose.io.molecule.features import FEATURES  # noqa: E402
from pyg_multipose.io.molecule.same import MAY_DIFFER  # noqa: E402

PAGE = Path(__file__).parents[2] / 'docs' / 'reading.md'


def test_code_blocks(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mol = make.embedded('CCO', hydrogens=True)
    items = [('compound_id', 'A'), ('CNNscore', 0.5), ('my_score', 1)]
    record = make.sdf(mol, 'A_pose1', items)
    for name in ('poses.sdf.gz', 'poses.sdf', 'all.sdf'):
        Path(name).write_text(record * 2)
    Path('run').mkdir()
    items = [
        ('meeko', '{"free_energy": -6.2, "cluster_id": 1}'),
        ('log', 'affinity: -7.5 kcal/mol, rmsd: 1.2'),
    ]
    Path('run/CPD-1_rank_2_confidence_168.61.sdf').write_text(
        make.sdf(mol, 'x', items)
    )
    Path('scores.csv').write_text('name,rank,score\nCPD-1,2,-8\n')
    Path('out').mkdir()
    Path('out/CPD-1_out.pdbqt').write_text(make.models(make.pdbqt(mol, 'CCO')))
    names = {}
    blocks = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    read = []
    for block in blocks:
        exec(block, names)
        read.append(names['poses'])
    *_, named, elsewhere = read
    assert len(blocks) == 4
    assert list(named.scores) == ['CNNscore', 'my_score']
    (pose_set,) = elsewhere
    got = {key: pose_set[key].tolist() for key in elsewhere.scores}
    assert got == {
        'free_energy': pytest.approx([-6.2]),
        'affinity': [-7.5],
        'confidence': pytest.approx([168.61]),
        'rescored': [-8],
    }
    assert not elsewhere.report.rows
    assert pose_set.name == 'CPD-1'


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
    for name in (*(f"'{name}'" for name in MAY_DIFFER), str(MAY_DIFFER)):
        assert any(row.startswith(f'`{name}` |') for row in rows)


def test_reasons_are_those_of_the_code():
    text = PAGE.read_text()
    table = text[text.index('| reason |') :].split('\n\n')[0]
    source = Path(pyg_multipose.io.__file__).parent
    code = '\n'.join(path.read_text() for path in source.rglob('*.py'))
    reasons = [
        reason
        for row in table.splitlines()[2:]
        for reason in re.findall('`(.*?)`', row.split(' | ')[0])
    ]
    assert len(reasons) > 25
    for reason in reasons:
        for part in reason.split('\u2026'):
            assert part.strip() in code, reason
    ends = text[text.index('## Formats') : text.index('## Groups')]
    for format_ in FORMATS:
        assert f'`{format_.suffixes[0]}`' in ends
