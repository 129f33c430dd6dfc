"""The pages that fit and predict leave, and the command that repeats one."""

import csv
import shutil

import pytest

from pyg_multipose.cli import main

pytestmark = pytest.mark.filterwarnings('ignore:.*LeafSpec')


@pytest.fixture(scope='module')
def page(fitted):
    return (fitted / 'report.html').read_text()


def test_a_training_leaves_a_page(fitted, page):
    for title in (
        'Scores', 'Predicted and measured', 'Which poses matter', 'Learning',
        'What was left out', 'Settings and versions',
    ):  # fmt: skip
        assert f'>{title}</h2>' in page
    with open(fitted / 'test_predictions.csv', newline='') as file:
        for row in csv.DictReader(file):
            assert f'data-tip="{row["id"]}\n' in page
            assert f'{float(row["prediction"]):.2f}' in page
    assert 'ligand size alone' in page and 'best docking score' in page
    assert '>minimizedAffinity<' in page
    assert '>no label<' in page and '>label without poses<' in page
    assert '"pocket":{"z":[' in page  # in 3-D
    assert '>accumulate<' in page


def test_the_command_writes_the_same(fitted, page, campaign, tmp_path):
    copy = tmp_path / fitted.name
    shutil.copytree(fitted, copy)
    (copy / 'report.html').unlink()
    assert main(['report', '--run', str(copy)]) == 0
    assert (copy / 'report.html').read_text() == page
    moved = tmp_path / 'moved'
    shutil.copytree(campaign, moved)
    argv = ['report', '--run', str(copy), '--data', str(moved)]
    assert main(argv) == 0
    again = (copy / 'report.html').read_text()
    assert again == page.replace(f'<dd>{campaign}<', f'<dd>{moved}<')


def test_what_is_missing_is_said(fitted, campaign, tmp_path, capsys):
    assert main(['report', '--run', str(campaign)]) == 1
    assert 'is not the folder of a run' in capsys.readouterr().err
    gone = tmp_path / 'gone'
    argv = ['report', '--run', str(fitted), '--data', str(gone)]
    assert main(argv) == 1
    assert f"'{gone}' does not exist" in capsys.readouterr().err


def test_of_another_data_set_little_is_known(fitted, tmp_path):
    """None of its compounds is there: no labels, no poses in 3-D."""
    copy = tmp_path / 'run'
    shutil.copytree(fitted, copy)
    argv = ['report', '--run', str(copy), '--data', 'MproMoonshot']
    assert main(argv) == 0
    page = (copy / 'report.html').read_text()
    assert '>Which poses matter</h2>' in page
    assert '"pocket":{' not in page and '>Scores</h2>' not in page


def test_predictions_leave_a_page(fitted, files, campaign, tmp_path):
    out = tmp_path / 'out.csv'
    argv = ['predict', '--checkpoint', str(fitted / 'last.ckpt'),
            '--data', str(files / 'docked.sdf'),
            '--receptor', str(campaign), '--out', str(out)]  # fmt: skip
    assert main(argv) == 0
    page = (tmp_path / 'out.html').read_text()
    assert '>Predictions</h2>' in page and '>Scores</h2>' not in page
    assert 'All 14 compounds' in page and '"pocket":{"z":[' in page
    assert 'last.ckpt<' in page


def test_predictions_of_labelled_sets_are_scored(fitted, campaign, tmp_path):
    pytest.importorskip('pyarrow')
    out = tmp_path / 'out.parquet'
    argv = ['predict', '--checkpoint', str(fitted / 'last.ckpt'),
            '--data', str(campaign), '--out', str(out)]  # fmt: skip
    assert main(argv) == 0
    page = (tmp_path / 'out.html').read_text()
    assert '>Scores</h2>' in page and '>no label<' in page
    assert 'No baselines' in page


def test_names_are_texts(files, fitted, campaign, tmp_path):
    name = '<img src=x onerror=alert(1)>'
    (tmp_path / 'files').mkdir()
    text = (files / 'docked.sdf').read_text().replace('CPD-3\n', f'{name}\n')
    poses = tmp_path / 'files' / 'docked.sdf'
    poses.write_text(text)
    out = tmp_path / 'out.csv'
    argv = ['predict', '--checkpoint', str(fitted / 'last.ckpt'),
            '--data', str(poses), '--receptor', str(campaign),
            '--out', str(out)]  # fmt: skip
    assert main(argv) == 0
    page = (tmp_path / 'out.html').read_text()
    assert '<img' not in page
    assert '&lt;img src=x onerror=alert(1)&gt;' in page


def test_only_some_of_many_compounds_are_looked_at(
    fitted, tmp_path, monkeypatch
):
    monkeypatch.setattr('pyg_multipose.cli.reporting.MOST', 2)
    copy = tmp_path / 'run'
    shutil.copytree(fitted, copy)
    assert main(['report', '--run', str(copy)]) == 0
    page = (copy / 'report.html').read_text()
    with open(fitted / 'test_predictions.csv', newline='') as file:
        count = len(list(csv.DictReader(file)))
    assert count > 2 and f'test {count}<' in page
    assert f'evenly taken from {count} compounds' in page
