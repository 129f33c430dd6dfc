"""Errors say what is wrong, and how it was meant."""

import signal

import pytest
import torch

from pyg_multipose.cli import main
from pyg_multipose.cli.main import COMMANDS
from pyg_multipose.train import MultiPoseModule

from .conftest import FIT, prepare_args


def error(capsys, argv, code=1):
    """The message of a command that fails without a traceback."""
    assert main([str(one) for one in argv]) == code
    text = capsys.readouterr().err
    assert 'error: ' in text and 'Traceback' not in text
    return text


def test_help(capsys):
    assert main(['--help']) == 0
    assert 'multipose fit --data campaign' in capsys.readouterr().out
    assert main([]) == 2
    assert main(['--version']) == 0
    capsys.readouterr()
    for command in COMMANDS:
        assert main([command, '--help']) == 0
        text = capsys.readouterr().out
        assert f'usage: multipose {command}' in text
        assert 'type: ' not in text and 'default: null' not in text
        assert '(required)' in text


def test_unknown_commands_and_options(capsys):
    assert "did you mean 'predict'" in error(capsys, ['predcit'], 2)
    text = error(capsys, ['fit', '--data', 'a', '--ouut', 'b'], 2)
    assert "no option --ouut; did you mean 'out'" in text
    text = error(capsys, ['fit', '--data', 'MproMoonshot'], 2)
    assert 'out' in text
    text = error(capsys, ['inspect', '--data'], 2)
    assert 'expected one argument' in text
    text = error(capsys, ['fit', '--data', 'a', '--out', 'b', '--lr', 'x'], 2)
    assert 'lr' in text and 'float' in text


def test_configurations(capsys, tmp_path):
    file = tmp_path / 'run.yaml'
    argv = ['fit', '--config', file]
    assert 'there is no configuration' in error(capsys, argv, 2)
    file.write_text('data: MproMoonshot\ncutof: 5.0\nout: run\n')
    text = error(capsys, argv, 2)
    assert "the key 'cutof', which is no option; did you mean 'cutoff'" in text
    file.write_text('epochs: many\ndata: a\nout: b\n')
    assert 'epochs' in error(capsys, argv, 2)
    file.write_text('a: [1\n')
    assert 'is no YAML' in error(capsys, argv, 2)
    file.write_text('- 1\n')
    assert 'holds no options' in error(capsys, argv, 2)
    file.write_text('data: nowhere\nout: run\n')
    assert "'nowhere' does not exist" in error(capsys, argv)
    # What is given besides goes before the file.
    text = error(capsys, [*argv, '--data', 'elsewhere'])
    assert "'elsewhere' does not exist" in text


@pytest.mark.parametrize('option', ['--poses', '--receptor', '--labels'])
def test_missing_files(option, files, tmp_path, capsys):
    argv = prepare_args(files, tmp_path / 'out')
    argv[argv.index(option) + 1] = 'gone.sdf'
    assert "'gone.sdf' does not exist" in error(capsys, argv)
    assert not (tmp_path / 'out').exists()


def test_wrong_choices(files, tmp_path, capsys):
    argv = prepare_args(files, tmp_path / 'out')
    text = error(capsys, [*argv, '--scale', 'pk'])
    assert "did you mean 'pK'" in text
    text = error(capsys, [*argv, '--unlabeled', 'dropp'])
    assert "did you mean 'drop'" in text
    argv[argv.index('uM')] = 'um'
    assert 'um' in error(capsys, argv)


def test_labels_of_nothing(files, tmp_path, capsys):
    table = tmp_path / 'other.csv'
    table.write_text('compound,IC50\nX-1,3.0\n')
    argv = prepare_args(files, tmp_path / 'out')
    argv[argv.index('--labels') + 1] = str(table)
    text = error(capsys, argv)
    assert 'Nothing is left' in text and 'X-1' in text


def test_places_that_cannot_be_written_to(files, campaign, tmp_path, capsys):
    file = tmp_path / 'file'
    file.write_text('')
    text = error(capsys, prepare_args(files, file / 'out'))
    assert 'cannot be written to' in text
    text = error(capsys, prepare_args(files, campaign))
    assert "of another run: 'pocket' is 6.0 there and None here" in text
    (file.parent / 'full').mkdir()
    (file.parent / 'full' / 'notes').write_text('')
    text = error(capsys, prepare_args(files, file.parent / 'full'))
    assert "holds files already, such as 'notes'" in text
    argv = ['fit', '--data', campaign, '--out', campaign, *FIT]
    assert 'holds files already' in error(capsys, argv)
    argv = ['predict', '--checkpoint', 'a', '--data', 'b', '--out']
    assert 'no folder' in error(capsys, [*argv, tmp_path / 'no' / 'a.csv'])
    assert '.parquet' in error(capsys, [*argv, tmp_path / 'a.xlsx'])


def test_folders_that_are_no_data_set(tmp_path, capsys):
    text = error(capsys, ['inspect', '--data', tmp_path])
    assert 'holds no data set' in text and 'multipose prepare' in text


def test_checkpoints_that_are_none(campaign, tmp_path, capsys):
    argv = ['predict', '--data', campaign, '--out', tmp_path / 'a.csv',
            '--checkpoint']  # fmt: skip
    assert 'no.ckpt' in error(capsys, [*argv, tmp_path / 'no.ckpt'])
    torch.save({'a': 1}, tmp_path / 'a.ckpt')
    text = error(capsys, [*argv, tmp_path / 'a.ckpt'])
    assert 'not of a MultiPoseModule' in text


def test_models_that_are_none(campaign, tmp_path, capsys):
    argv = ['fit', '--data', campaign, '--out', tmp_path / 'run', *FIT]
    text = error(capsys, [*argv, '--model', 'SchNett'])
    assert "did you mean 'SchNet'" in text
    text = error(capsys, [*argv, '--combination', 'maxx'])
    assert 'Unknown combination' in text
    text = error(capsys, [*argv, '--ema', '2'])
    assert 'between 0 and 1' in text
    argv[argv.index(tmp_path / 'run')] = tmp_path / 'another'
    text = error(capsys, [*argv, '--precision', '12'])
    assert '12' in text


def test_an_interruption(campaign, tmp_path, capsys, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(MultiPoseModule, 'training_step', interrupt)
    argv = ['fit', '--data', campaign, '--out', tmp_path / 'run', *FIT]
    handler = signal.getsignal(signal.SIGINT)
    try:
        assert main([str(one) for one in argv]) == 130
    finally:  # Lightning ignores further interruptions
        signal.signal(signal.SIGINT, handler)
    assert 'fit: interrupted' in capsys.readouterr().err


def test_sets_without_labels_train_nothing(files, tmp_path, capsys):
    out = tmp_path / 'bare'
    poses = str(files / 'docked.sdf')
    assert main(['prepare', '--poses', poses, '--out', str(out)]) == 0
    argv = ['fit', '--data', out, '--out', tmp_path / 'run', *FIT]
    assert 'does not say what the unit' in error(capsys, argv)
    text = error(capsys, [*argv, '--unit', 'pK'])
    assert "the part 'train' has a label" in text


def test_columns_are_named_by_options(capsys, files, tmp_path):
    argv = prepare_args(files, tmp_path / 'out')
    argv[argv.index('compound')] = 'Compund'
    text = error(capsys, argv)
    assert "no column 'Compund', only ['compound', 'IC50']" in text
    assert '--id-column' in text and 'columns={' not in text
    assert not any((tmp_path / 'out').iterdir())  # so it may be used again


@pytest.mark.parametrize('command', ['predict', 'test', 'export'])
def test_there_is_no_checkpoint(command, capsys, tmp_path):
    out = tmp_path / ('o.safetensors' if command == 'export' else 'o.csv')
    argv = [command, '--checkpoint', tmp_path / 'run' / 'last.ckpt']
    argv += [] if command == 'export' else ['--data', 'MproMoonshot']
    argv += [] if command == 'test' else ['--out', out]
    text = error(capsys, argv)
    assert "last.ckpt' does not exist; expected the file of a check" in text
    assert 'multipose fit writes one, last.ckpt' in text
    folder = tmp_path / 'run'
    folder.mkdir()
    (folder / 'best.ckpt').touch()
    assert f"such as '{folder / 'best.ckpt'}'" in error(capsys, argv)
    argv[2] = folder
    text = error(capsys, argv)
    assert f"'{folder}' is a folder, not the file of a checkpoint such" in text
    assert f"as '{folder / 'best.ckpt'}'; pass that" in text
