"""A campaign in shards is that of one file."""

import json
import os
import pickle
import sqlite3
import sys

import pytest
import torch

from pyg_multipose.campaign import checksum
from pyg_multipose.cli import main, preparation, prepare
from pyg_multipose.cli.data_set import open_data
from pyg_multipose.datasets import PoseSetDataset, PoseSetShards
from pyg_multipose.loader import PoseSetSampler, set_sizes

from .conftest import prepare_args

MANY = ['--shard-size', '5', '--processes', '1']


def contents(folder):
    """All files of a data set: bytes of tables, rows of databases."""
    out = {}
    for path in sorted(folder.rglob('*')):
        if path.suffix in ('.sqlite', '.db') and path.stem != 'index':
            with sqlite3.connect(path) as connection:
                out[str(path.relative_to(folder))] = list(
                    connection.iterdump()
                )
            connection.close()
        elif path.is_file() and 'shard-' not in path.name:
            out[str(path.relative_to(folder))] = checksum(path)
    return out


def same_sets(one, other):
    """Keys may be in another order where a set was not stored."""
    assert len(one) == len(other) and list(one.names) == list(other.names)
    for number in range(len(one)):
        mine, theirs = one[number], other[number]
        assert set(mine.keys()) == set(theirs.keys())
        for key, value in mine.to_dict().items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(
                    value.nan_to_num(7), theirs[key].nan_to_num(7)
                )
            else:
                assert value == theirs[key]


@pytest.mark.parametrize(
    'more', [(), ('--pocket', '6'), ('--unlabeled', 'keep')]
)
def test_shards_hold_what_one_file_holds(files, tmp_path, capsys, more):
    one, many = tmp_path / 'one', tmp_path / 'many'
    assert main(prepare_args(files, one, *more)) == 0
    text = capsys.readouterr().out.replace(str(one), str(many))
    assert main(prepare_args(files, many, *more, *MANY)) == 0
    assert capsys.readouterr().out == text
    for name in ('sets.csv', 'report.txt', 'report.json'):
        assert (one / name).read_bytes() == (many / name).read_bytes()
    dataset = PoseSetShards(many)
    assert len(json.loads((many / 'shards.json').read_text())['shards']) > 4
    same_sets(PoseSetDataset(one), dataset)
    assert torch.equal(set_sizes(dataset), PoseSetDataset(one).set_sizes())
    data = open_data(str(many))
    assert data.columns['smiles'] == open_data(str(one)).columns['smiles']
    sampler = PoseSetSampler(dataset, max_poses=10)
    assert sum(map(len, sampler)) == len(dataset)
    # The same again finds that it is done.
    before = contents(many)
    assert main(prepare_args(files, many, *more, *MANY)) == 0
    assert contents(many) == before
    assert text in capsys.readouterr().out


def test_sets_are_stored_as_they_are_read(files, tmp_path):
    """Rows are packed from tables; a set that was built says the same."""
    from pyg_multipose.io import read_poses, read_receptor

    for more in ([], ['--hydrogens', 'true']):
        out = tmp_path / f'{len(more)}'
        argv = ['prepare', '--poses', str(files / 'docked.sdf'), '--receptor',
                str(files / 'receptor.pdb'), '--out', str(out)]  # fmt: skip
        assert main([*argv, *more]) == 0
        receptor = read_receptor(files / 'receptor.pdb', hydrogens=bool(more))
        poses = read_poses(
            files / 'docked.sdf',
            receptor=receptor,
            receptor_name='receptor',
            hydrogens=bool(more),
        )
        same_sets(poses, PoseSetDataset(out))


def test_parts_of_an_array(files, tmp_path, capsys):
    one, many = tmp_path / 'one', tmp_path / 'many'
    argv = prepare_args(files, one, '--pocket', '6', *MANY)
    assert main(argv) == 0
    argv[argv.index(str(one))] = str(many)
    for part in ('2/3', '3/3'):
        assert main([*argv, '--shard', part]) == 0
        assert 'the last part to end will finish it' in capsys.readouterr().out
        assert main(['inspect', str(many)]) == 1
        text = capsys.readouterr().err
        assert 'has not been prepared to the end' in text
    assert main([*argv, '--shard', '1/3']) == 0
    assert contents(one) == contents(many)
    for part in ('4/3', '0/3', 'x'):
        assert main([*argv, '--shard', part]) == 1
        assert '--shard' in capsys.readouterr().err


def test_work_that_is_sent_to_processes(files, tmp_path, monkeypatch):
    """What arrives there has loaded nothing, and does the same."""
    one, many = tmp_path / 'one', tmp_path / 'many'
    argv = prepare_args(files, one, '--pocket', '6', *MANY)
    assert main(argv) == 0

    def elsewhere(task, shards, *args, **kwargs):
        for shard in shards:
            preparation._LOADED.clear()
            pickle.loads(pickle.dumps(task))(shard)

    monkeypatch.setattr(prepare, 'run_shards', elsewhere)
    argv[argv.index(str(one))] = str(many)
    assert main(argv) == 0
    assert contents(one) == contents(many)


def test_workers_of_dask(files, tmp_path):
    distributed = pytest.importorskip('distributed')
    one, many = tmp_path / 'one', tmp_path / 'many'
    argv = prepare_args(files, one, *MANY)
    assert main(argv) == 0
    argv[argv.index(str(one))] = str(many)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False,
        dashboard_address=None,
    ) as cluster:  # fmt: skip
        address = cluster.scheduler_address
        assert main([*argv, '--scheduler', address]) == 0
    assert contents(one) == contents(many)


def test_what_inspect_says_of_shards(files, tmp_path, capsys):
    out = tmp_path / 'many'
    assert main(prepare_args(files, out, *MANY)) == 0
    capsys.readouterr()
    assert main(['inspect', str(out)]) == 0
    text = capsys.readouterr().out
    count = PoseSetShards(out).num_shards
    assert f'13 sets with 38 poses in {count} files' in text
    assert 'labels: 13 of 13 sets, 1 of them bounds, in pIC50' in text
    assert 'dropped by poses and labels: 1\n        1  no label' in text
    assert 'flagged by poses and labels: 1' in text


def test_a_shard_that_was_cut_off(files, tmp_path, capsys):
    out = tmp_path / 'many'
    argv = prepare_args(files, out, *MANY)
    assert main(argv) == 0
    before = contents(out)
    path = out / 'shards' / '000001.sqlite'
    path.write_bytes(path.read_bytes()[:-100])
    capsys.readouterr()
    assert main(['inspect', str(out)]) == 1
    assert "000001.sqlite' has" in capsys.readouterr().err
    # The same command makes it whole.
    assert main(argv) == 0
    text = capsys.readouterr().err
    assert 'Shard 1 of' in text and 'is done again' in text
    assert contents(out) == before
    path.unlink()
    assert main(['inspect', str(out)]) == 1
    assert "000001.sqlite' is gone" in capsys.readouterr().err
    (out / 'shards' / 'index.sqlite').write_bytes(b'nothing')
    assert main(argv) == 0
    assert 'was damaged; it is made again' in capsys.readouterr().err
    assert contents(out) == before


def test_files_that_change(files, tmp_path, capsys):
    poses = tmp_path / 'docked.sdf'
    poses.write_bytes((files / 'docked.sdf').read_bytes())
    out = tmp_path / 'many'
    argv = ['prepare', '--poses', str(poses), '--out', str(out), *MANY]
    assert main([*argv, '--shard', '1/2']) == 0
    poses.write_bytes(poses.read_bytes() + b'\n')
    assert main([*argv, '--shard', '2/2']) == 1
    text = capsys.readouterr().err
    assert 'of another run' in text and "'poses.bytes'" in text
    poses.unlink()
    assert main([*argv, '--shard', '2/2']) == 1
    assert f"'{poses}' does not exist" in capsys.readouterr().err


def test_a_run_that_did_nothing_is_no_other_run(files, tmp_path, capsys):
    out = tmp_path / 'out'
    argv = prepare_args(files, out, '--unlabeled', 'refuse')
    assert main(argv) == 1
    assert main(prepare_args(files, out)) == 0
    assert len(PoseSetDataset(out)) == 13


def test_a_full_disk(files, tmp_path):
    """A limit on the size of files fails as a full disk does."""
    import resource

    from ..kills.runs import wait

    out, errors = tmp_path / 'many', tmp_path / 'errors'
    argv = prepare_args(files, out, *MANY)
    pid = os.fork()
    if not pid:
        code = 70
        try:
            with open(errors, 'w') as sys.stderr:
                resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, 70_000))
                code = main(argv)
        finally:
            os._exit(code)
    assert wait(pid) == 1
    text = errors.read_text()
    assert 'cannot be written' in text and 'Traceback' not in text
    assert str(out) in text
    assert main(argv) == 0
    assert len(PoseSetShards(out)) == 13
    assert not list(out.rglob('*.part'))


def test_a_folder_that_was_killed_before_its_first_file(files, tmp_path):
    out = tmp_path / 'out'
    (out / 'shards').mkdir(parents=True)
    (out / 'shards' / '.run.json.1-0@nowhere.part').write_text('{"ve')
    assert main(prepare_args(files, out)) == 0
    other = tmp_path / 'other'
    (other / 'shards').mkdir(parents=True)
    (other / 'shards' / 'mine.txt').write_text('of somebody else')
    assert main(prepare_args(files, other)) == 1
    assert [path.name for path in other.rglob('*')] == ['shards', 'mine.txt']
