"""The demo from end to end, on a few compounds."""

import json

import pytest

from pyg_multipose.demo.__main__ import main
from pyg_multipose.demo.training import MODELS

NAMES = [
    'mean of training labels',
    'ligand size alone',
    'best Vina score',
    *(model.name for model in MODELS),
]
PICTURES = ['curves', 'memory', 'pose_weights', 'predictions']


@pytest.fixture(scope='module')
def quick(tmp_path_factory):
    folder = tmp_path_factory.mktemp('demo') / 'out'
    with pytest.MonkeyPatch.context() as patch:
        lines = []
        patch.setattr('builtins.print', lambda text, **_: lines.append(text))
        main(['--quick', '--epochs', '1', '--out', str(folder)])
    return folder, '\n'.join(lines)


def test_files(quick):
    folder, _ = quick
    files = {path.name for path in folder.iterdir()}
    pictures = {f'{name}.png' for name in PICTURES}
    assert files == pictures | {'table.md', 'results.json'}
    for picture in pictures:
        assert (folder / picture).read_bytes().startswith(b'\x89PNG')


def test_table(quick):
    folder, output = quick
    table = (folder / 'table.md').read_text()
    rows = [line for line in table.split('\n') if line.startswith('| ')][2:]
    assert [row.split('|')[1].strip() for row in rows] == NAMES
    assert rows[0].count('n/a') == 2
    assert table.strip() in output


def test_output_says_what_was_done(quick):
    _, output = quick
    assert 'IC50 for Ki' in output
    assert 'residues with an atom within 5 A of the crystal ligand' in output
    assert '    1: ' in output  # the curve
    assert 'MAE: best is ' in output
    assert 'is best by' in output
    assert "minus that of 'single best-docked pose'" in output


def test_all_numbers_are_written(quick):
    folder, _ = quick
    results = json.loads((folder / 'results.json').read_text())
    assert list(results['table']) == NAMES
    assert results['table'][NAMES[0]]['Spearman']['value'] is None
    assert results['settings']['seed'] == 0
    assert {'torch', 'pyg_multipose'} < set(results['versions'])
    held = results['bytes held for backward']
    assert set(held) == {'full', 'store', 'stream', 'recompute'}
    assert held['full']['8'] > 6 * held['full']['1']
    assert held['stream']['8'] < 1.05 * held['stream']['1']
    for training in results['training']:
        assert len(training['train_curve']) == 1


def test_without_matplotlib_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(SystemExit, match=r'pip install .pyg_multipose\[viz'):
        main(['--out', str(tmp_path / 'out')])
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    'arguments', [['--epochs', '0'], ['--seed', '-1'], ['--epochs', 'x']]
)
def test_bad_arguments(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert 'is not an integer from' in capsys.readouterr().err
