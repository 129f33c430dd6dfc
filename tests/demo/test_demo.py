"""The demo from end to end, on a few compounds."""

import json
from concurrent.futures import Future

import pytest

pytest.importorskip('lightning')
pytest.importorskip('jsonargparse')

from pyg_multipose.demo import processes  # noqa: E402
from pyg_multipose.demo.__main__ import main  # noqa: E402
from pyg_multipose.demo.models import MODELS  # noqa: E402
from pyg_multipose.demo.settings import Settings  # noqa: E402
from tests.trusting import Trusting  # noqa: E402

NAMES = [
    'mean of training labels',
    'ligand size alone',
    'best Vina score',
    *(model.name for model in MODELS),
]
PICTURES = ['curves', 'memory', 'pose_weights', 'predictions']
SMALL = ['--quick', '--epochs', '1', '--out']


class ThisProcess:
    """Instead of processes, each of which would import everything."""

    def __init__(self, *args):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass

    def submit(self, function, *args):
        out = Future()
        out.set_result(function(*args))
        return out


@pytest.fixture(scope='module')
def quick(tmp_path_factory):
    folder = tmp_path_factory.mktemp('demo') / 'out'
    with pytest.MonkeyPatch.context() as patch:
        lines = []
        patch.setattr(
            'builtins.print', lambda *text, **_: lines.append(' '.join(text))
        )
        patch.setattr(processes, 'ProcessPoolExecutor', ThisProcess)
        # tests/cli/test_bundled.py looks at the same model.
        patch.setattr('pyg_multipose.nn.multi_pose_readout.Verdict', Trusting)
        main([*SMALL, str(folder)])
    return folder, '\n'.join(lines)


def test_files(quick):
    folder, _ = quick
    files = {path.name for path in folder.iterdir()}
    pictures = {f'{name}.png' for name in PICTURES}
    assert files == pictures | {'table.md', 'results.json', 'runs'}
    for picture in pictures:
        assert (folder / picture).read_bytes().startswith(b'\x89PNG')
    for model in MODELS:
        page = folder / 'runs' / model.folder / 'report.html'
        assert page.read_text().startswith('<!doctype html>')


def test_table(quick):
    folder, output = quick
    table = (folder / 'table.md').read_text()
    rows = [line for line in table.split('\n') if line.startswith('| ')][2:]
    assert [row.split('|')[1].strip() for row in rows] == NAMES
    assert rows[0].count('n/a') == 2
    assert table.strip() in output


def test_output_says_what_was_done(quick):
    folder, output = quick
    assert 'IC50 for Ki' in output
    assert 'the 17 residues with an atom within 5 A of the crystal' in output
    command = f'multipose fit --config mpro_moonshot --data {Settings.data}'
    assert f'{command},sets=6' in output
    assert f'--out {folder / "runs" / "free_energy"}' in output
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
    assert results['receptor']['atoms'] == 150
    assert [len(v['name']) for v in results['compounds'].values()] == [6] * 3
    held = results['bytes held for backward']
    assert set(held) == {'full', 'store', 'stream', 'recompute'}
    assert held['full']['8'] > 6 * held['full']['1']
    assert held['stream']['8'] < 1.05 * held['stream']['1']


def test_numbers_of_poses_are_those_of_their_compounds(quick):
    folder, _ = quick
    results = json.loads((folder / 'results.json').read_text())
    single, mean, maximum, free = results['training']
    assert all(len(one) == 1 for one in single['pose_weights'])
    for training in results['training']:
        assert len(training['train_curve']) == 1
        assert training['num_parameters'] == 5153
        of_poses = training['pose_weights']
        assert [sum(one) for one in of_poses] == pytest.approx([1.0] * 6, 1e-4)
    for training, combine in (
        (mean, lambda values: sum(values) / len(values)),
        (maximum, max),  # the smooth minimum of energies is the best pIC50
    ):
        predicted = results['predictions'][training['name']]['test']
        combined = [combine(one) for one in training['pose_predictions']]
        assert combined == pytest.approx(predicted, abs=2e-3)


def test_models_start_near_the_mean_label(quick):
    """Under every combination, and with the same weights."""
    folder, _ = quick
    results = json.loads((folder / 'results.json').read_text())
    first = [one['train_curve'][0] for one in results['training']]
    assert max(first) - min(first) < 0.1


def test_a_training_that_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, 'ProcessPoolExecutor', ThisProcess)
    wrong = Settings(epochs=1, data='MproMoonshot:poket=5')
    with pytest.raises(RuntimeError, match="did you mean 'pocket'"):
        processes.fit_all(MODELS[1:2], wrong, tmp_path / 'runs')


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
