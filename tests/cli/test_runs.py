"""Runs that were interrupted, finished, damaged, or are others."""

import errno
import json
import shutil
import sys

import pytest
import torch
import yaml

from pyg_multipose.campaign import checksum
from pyg_multipose.cli import main
from pyg_multipose.train import MultiPoseModule

from .conftest import EMA, FIT
from .test_commands import rows


@pytest.fixture
def argv(fitted, campaign, tmp_path):
    """The command of the fixture, on a copy of its folder."""
    shutil.copytree(fitted, tmp_path / 'run')
    out = ['fit', '--data', str(campaign), '--out', str(tmp_path / 'run')]
    return [*out, *FIT, *EMA, '--accumulate', '2']


def test_a_finished_run_is_left_alone(argv, tmp_path, capsys):
    run = tmp_path / 'run'
    before = {path.name: checksum(path) for path in run.iterdir()}
    told = json.loads((run / 'finished.json').read_text())
    assert told['files']['last.ckpt'] == before['last.ckpt']
    assert told['scores']['mae'] > 0
    assert main(argv) == 0
    assert 'is finished; nothing was done' in capsys.readouterr().out
    assert before == {path.name: checksum(path) for path in run.iterdir()}


def test_another_run_is_refused_with_what_differs(argv, tmp_path, capsys):
    assert main([*argv, '--lr', '0.5', '--seed', '3']) == 1
    text = capsys.readouterr().err
    assert 'holds another run (lr: 0.01 there, 0.5 here; seed: 0 there' in text
    # What makes no other run.
    argv[argv.index('--progress') + 1] = 'true'
    assert main(argv) == 0


def test_tables_are_made_again_from_the_checkpoint(argv, tmp_path, fitted):
    run = tmp_path / 'run'
    for name in ('finished.json', 'test_predictions.csv', 'test_scores.csv'):
        (run / name).unlink()
    assert main(argv) == 0
    for name in ('test_predictions.csv', 'test_scores.csv', 'last.ckpt'):
        assert (run / name).read_bytes() == (fitted / name).read_bytes(), name


def test_a_damaged_checkpoint(argv, tmp_path, fitted, capsys):
    run = tmp_path / 'run'
    (run / 'finished.json').unlink()
    content = bytearray((run / 'last.ckpt').read_bytes())
    content[len(content) // 2] ^= 1
    shutil.copy(run / 'last.ckpt', run / 'previous.ckpt')
    (run / 'last.ckpt').write_bytes(content)
    assert main(argv) == 0
    assert 'goes on from previous.ckpt' in capsys.readouterr().err
    (run / 'finished.json').unlink()
    for name in ('last.ckpt', 'previous.ckpt'):
        (run / name).write_bytes(content[:2000])
    assert main(argv) == 1
    assert 'No checkpoint in' in capsys.readouterr().err


def test_a_full_disk_keeps_the_last_good_checkpoint(
    campaign, tmp_path, capsys, monkeypatch
):
    """It is full when the second epoch is saved."""
    from pyg_multipose.train import AtomicCheckpoints, atomic_checkpoints

    run = tmp_path / 'run'
    argv = ['fit', '--data', str(campaign), '--out', str(run), *FIT]
    save = AtomicCheckpoints.save_checkpoint
    good = []

    class Full:
        def __init__(self, file):
            self.file = file

        def write(self, content):
            self.file.write(content[:1000])
            raise OSError(errno.ENOSPC, 'No space left on device')

    def limited(self, checkpoint, path, storage_options=None):
        if checkpoint['epoch'] == 2:
            good.append((run / 'last.ckpt').read_bytes())
            whole = atomic_checkpoints.atomic_file
            from contextlib import contextmanager

            @contextmanager
            def full(name):
                with whole(name) as file:
                    yield Full(file)

            with monkeypatch.context() as patch:
                patch.setattr(atomic_checkpoints, 'atomic_file', full)
                save(self, checkpoint, path)
        save(self, checkpoint, path)

    with monkeypatch.context() as patch:
        patch.setattr(AtomicCheckpoints, 'save_checkpoint', limited)
        assert main(argv) == 1
    text = capsys.readouterr().err
    assert "last.ckpt' cannot be written: No space left" in text
    assert (run / 'last.ckpt').read_bytes() == good[0]
    assert not list(run.glob('.*'))
    assert main(argv) == 0  # there is room again
    assert len(rows(run / 'metrics.csv')) == 2


def test_a_loss_that_is_none_keeps_the_last_good_checkpoint(
    campaign, tmp_path, capsys
):
    run = tmp_path / 'run'
    argv = ['fit', '--data', str(campaign), '--out', str(run), *FIT]
    argv += ['--lr', '1e30', '--clip', 'null', '--schedule', 'constant']
    assert main(argv) == 1
    text = capsys.readouterr().err
    assert 'CPD-' in text and 'Traceback' not in text
    if (run / 'last.ckpt').exists():
        module = MultiPoseModule.load_from_checkpoint(run / 'last.ckpt')
        assert all(one.isfinite().all() for one in module.parameters())


def test_a_dry_run_writes_nothing(campaign, tmp_path, capsys):
    argv = ['fit', '--data', str(campaign), '--out', str(tmp_path / 'run')]
    assert main([*argv, *FIT, '--dry-run']) == 0
    text = capsys.readouterr().out
    assert 'weights' in text and 'batches in an epoch, 2 epochs' in text
    assert 'nothing was done' in text and not (tmp_path / 'run').exists()


def test_a_configuration_is_enough(campaign, tmp_path, capsys):
    file = tmp_path / 'c.yaml'
    options = {'data': str(campaign), 'out': str(tmp_path / 'run')}
    file.write_text(yaml.safe_dump({**options, 'model': 'SchNet'}))
    assert main(['fit', '--config', str(file), '--dry-run']) == 0
    assert f"be in '{tmp_path / 'run'}'" in capsys.readouterr().out


def test_loggers_by_name(campaign, tmp_path, capsys, monkeypatch):
    argv = ['fit', '--data', str(campaign), *FIT, '--epochs', '1']
    assert main([*argv, '--out', str(tmp_path / 'a'), '--logger', 'cvs']) == 1
    assert "did you mean 'csv'" in capsys.readouterr().err
    if 'tensorboard' not in sys.modules:
        monkeypatch.setitem(sys.modules, 'tensorboard', None)
        monkeypatch.setitem(sys.modules, 'tensorboardX', None)
    from lightning.pytorch import loggers

    def missing(*args, **kwargs):
        raise ModuleNotFoundError('wandb')

    monkeypatch.setattr(loggers, 'WandbLogger', missing)
    out = str(tmp_path / 'b')
    assert main([*argv, '--out', out, '--logger', 'wandb']) == 1
    assert 'pip install wandb' in capsys.readouterr().err


def test_data_that_have_changed_are_refused(argv, tmp_path, capsys):
    """By the content of the sets to train on."""
    run = tmp_path / 'run'
    (run / 'finished.json').unlink()
    found = torch.load(run / 'last.ckpt', weights_only=True)
    found['pyg_multipose']['data']['fingerprint'] = 'another'
    torch.save(found, run / 'last.ckpt')
    assert main(argv) == 1
    assert 'has changed since the run in' in capsys.readouterr().err


def test_early_stopping_needs_something_to_look_at(campaign, tmp_path, capsys):
    table = tmp_path / 'parts.csv'
    lines = [f'CPD-{n},{"train" if n < 9 else "test"}\n' for n in range(13)]
    table.write_text('ligand_id,part\n' + ''.join(lines))
    argv = ['fit', '--data', str(campaign), *FIT, '--out']
    argv += [str(tmp_path / 'run'), '--split', 'given', '--table', str(table)]
    assert main([*argv, '--patience', '2']) == 1
    assert "there is no part 'valid'" in capsys.readouterr().err
    argv[argv.index(str(tmp_path / 'run'))] = str(tmp_path / 'other')
    assert main([*argv, '--epochs', '1']) == 0
    assert not (tmp_path / 'other' / 'best.ckpt').exists()
    assert len(rows(tmp_path / 'other' / 'test_predictions.csv')) == 4
