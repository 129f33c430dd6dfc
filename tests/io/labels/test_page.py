"""The page on receptors and labels says what the code does."""

import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip('gemmi')
pytest.importorskip('rdkit')

from pyg_multipose.io.labels.column_name import read_name  # noqa: E402
from pyg_multipose.io.labels.join import SCALES, LabeledPoses  # noqa: E402
from pyg_multipose.io.labels.rows import LOW, ROLES  # noqa: E402
from pyg_multipose.io.labels.units import (  # noqa: E402
    LOGARITHMS,
    UNITS,
    from_pk,
    parse_unit,
)
from pyg_multipose.io.labels.value_text import ValueText  # noqa: E402
from pyg_multipose.io.poses.overlap import (  # noqa: E402
    NEAR,
    TOUCH,
    TOUCH_ALONE,
)
from pyg_multipose.io.receptor.bonds import BOND, NEIGHBORS  # noqa: E402
from pyg_multipose.io.receptor.read_receptor import SHORT  # noqa: E402
from pyg_multipose.io.receptor.structure_file import PARSERS  # noqa: E402

PAGE = Path(__file__).parents[3] / 'docs' / 'receptors_and_labels.md'
CASES = Path(__file__).parents[1] / 'cases'


def test_code_blocks(tmp_path, monkeypatch, capsys):
    (case,) = CASES.glob('30-*')
    shutil.copy(case / 'receptor.pdb', tmp_path)
    shutil.copy(case / 'pose.sdf', tmp_path / 'poses.sdf')
    table = 'Compound ID,IC50 (\u03bcM)\nCPD,> 99\n'
    (tmp_path / 'activity.csv').write_text(table)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    names = {}
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 1
    assert isinstance(names['dataset'], LabeledPoses)
    (pose_set,) = names['dataset']
    assert pose_set.y.item() == pytest.approx(4.00436, abs=1e-5)
    assert pose_set.y_relation.item() == -1
    assert '27 of 43 atoms' in capsys.readouterr().out


def test_numbers():
    text = ' '.join(PAGE.read_text().split())
    for words in (
        f'{NEAR} \u00c5', f'{TOUCH} \u00c5', f'({TOUCH_ALONE} \u00c5',
        f'({SHORT} residues', f'at most {NEIGHBORS} numbers', f'{BOND} \u00c5',
        f'are below {LOW:g}', f'{-from_pk(1, "kcal/mol"):.4f} kcal/mol',
        f'{from_pk(1, "kcal/mol") / from_pk(1, "kT"):.4f} kcal/mol',
        *(f'`{name}`' for name in (*ROLES, *UNITS) if name != 'pK'),
        *(f'`{name}`' for name in PARSERS),
        *(f"`'{name}'`" for name in SCALES),
    ):  # fmt: skip
        assert words in text, words


def test_names_of_columns():
    """The table of names and units."""
    rows = re.findall(r'^\| (`.*) \| (.*) \|$', PAGE.read_text(), re.MULTILINE)
    seen = 0
    for names, units in rows:
        for name in re.findall('`([^`]*)`', names):
            told = read_name(name).accepted
            if units.startswith('none fits'):
                assert told == set(), name
            elif units == 'that one':
                assert len(told) == 1 and 'pK' not in told, name
            elif units.startswith(('`pIC50`', '`log10(', 'a logarithm')):
                (unit, *_) = re.findall('`([^`]*)`', units)
                wide = set(LOGARITHMS) if 'a log' in units else set()
                assert told == (wide or {parse_unit(unit)}), name
            else:
                continue
            seen += 1
    assert seen == 18


def test_kinds_in_values():
    (row,) = re.findall(
        r'kind and unit in the cell \| (.*?) are', PAGE.read_text()
    )
    for text in re.findall('`([^`]*)`', row):
        value = ValueText.parse(text)
        assert value.kind and (value.unit or value.kind == 'pKi')
