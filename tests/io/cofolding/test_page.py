"""The page on flexible docking and co-folding says what the code does."""

import re
from pathlib import Path

import pytest

from pyg_multipose.io.cofolding.confidences import CONFIDENCES
from pyg_multipose.io.cofolding.members import FAR
from pyg_multipose.io.cofolding.read_cofolded import read_cofolded
from pyg_multipose.io.cofolding.superposition import BACKBONES
from pyg_multipose.io.flexible.receptor_atoms import SAME, SLACK
from pyg_multipose.io.flexible.torsions import TOLERANCE

ROOT = Path(__file__).parents[3]
PAGE = ROOT / 'docs' / 'cofolding.md'


@pytest.fixture
def files(tmp_path, fold, three, make):
    """What the code on the page reads."""
    protein = fold.peptide()
    (tmp_path / 'receptor.pdb').write_text(fold.pdb(protein))
    serine = [
        a for a in protein if a.number == 4 and a.name not in ('N', 'C', 'O')
    ]
    (tmp_path / 'flex.pdb').write_text(fold.pdb(serine))
    mol = make.embedded('CCO')
    xyz = mol.GetConformer().GetPositions() + [0.0, 0.0, 30.0]
    mol.GetConformer().SetPositions(xyz)
    record = make.sdf(mol, 'CPD', [('CNNscore', 0.5)])
    (tmp_path / 'docked.sdf').write_text(record)
    fold.write_boltz(tmp_path / 'boltz_results', 'CPD-1', three)
    (tmp_path / 'ligands.smi').write_text(f'{fold.SMILES} CPD-1\n')
    return tmp_path


def test_code_blocks(files, monkeypatch, capsys):
    monkeypatch.chdir(files)
    names = {}
    blocks = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    exec(blocks[0], names)
    assert names['poses'].num_poses.tolist() == [1]
    assert 'moved_index' in names['poses'][0]
    for block in blocks[1:]:
        exec(block, names)
    assert len(blocks) == 3
    (pose_set,) = names['poses']
    assert pose_set.num_poses == 3 and pose_set.edge_index.numel()
    assert '3 kept' in capsys.readouterr().out


def test_confidences_are_complete():
    text = PAGE.read_text().replace('\u2212', '-')
    rows = re.findall(r'^\| (`.*) \|$', text, re.MULTILINE)
    rows = [row.split(' | ') for row in rows if row.count(' | ') == 4]
    named = [name for row in rows for name in re.findall(r'`(\w+)`', row[0])]
    assert sorted(named) == sorted(CONFIDENCES)
    for names, _, unit, good, span in rows:
        for name in re.findall(r'`(\w+)`', names):
            score = CONFIDENCES[name]
            assert unit == score.unit
            assert good == ('high' if score.higher_is_better else 'low')
            assert span == '{:g} to {:g}'.format(*score.range)


def test_numbers():
    import inspect

    text = ' '.join(PAGE.read_text().split())
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(
            read_cofolded
        ).parameters.items()
    }
    for words in (
        f'`pocket={defaults["pocket"]}`',
        f'within {defaults["pocket"]:g} \u00c5 of the ligand',
        f'`max_rmsd={defaults["max_rmsd"]}`',
        f'above {defaults["max_rmsd"]:g} \u00c5 is dropped',
        f'more than {FAR:g} \u00c5 from the receptor',
        f'(to {SAME} \u00c5)', f'(to {TOLERANCE} \u00c5)',
        f'more than {SLACK} \u00c5 from',
        'N, CA and C', "C3', C4' and C5'",
    ):  # fmt: skip
        assert words in text, words
    assert BACKBONES == (('N', 'CA', 'C'), ("C3'", "C4'", "C5'"))


def test_reasons_are_on_the_page():
    """Each text that the code gives as a reason."""
    text = ' '.join(PAGE.read_text().split())
    for room in ('cofolding', 'flexible'):
        for path in (ROOT / 'pyg_multipose/io' / room).glob('*.py'):
            code = path.read_text()
            for reason in re.findall(
                r"Rejected\(\s*'([^']+)'|_drop\(\s*[^,]*,\s*'([^']+)'", code
            ):
                (found,) = filter(None, reason)
                if found != 'unexpected error':
                    assert f'`{found}`' in text, found
