"""Campaigns of predictions: parts, processes, damage, SDF."""

import csv
import json
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest
import torch

from pyg_multipose.cli import main
from pyg_multipose.cli.prediction_shards import PredictionShards

from .conftest import write_campaign

Chem = pytest.importorskip('rdkit.Chem')


@pytest.fixture(scope='module')
def of_data(fitted, campaign):
    return [
        'predict', '--checkpoint', str(fitted / 'last.ckpt'),
        '--data', str(campaign), '--processes', '1', '--device', 'cpu',
        '--shard-size', '8',
    ]  # fmt: skip


@pytest.fixture(scope='module')
def expected(of_data, tmp_path_factory):
    """The files of a run in one go."""
    folder = tmp_path_factory.mktemp('whole')
    assert main([*of_data, *outputs(folder)]) == 0
    return contents(folder)


def outputs(folder):
    return [
        '--out', str(folder / 'out.csv'), '--sdf', str(folder / 'out.sdf'),
        '--sdf-poses', 'all',
    ]  # fmt: skip


def contents(folder):
    names = ('out.csv', 'out_poses.csv', 'out.sdf')
    return {name: (folder / name).read_bytes() for name in names}


def rows(path):
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


# Parts #######################################################################


def test_parts_in_any_order_make_the_same_tables(
    of_data, expected, tmp_path, capsys
):
    for part in ('3/3', '1/3'):
        assert main([*of_data, *outputs(tmp_path), '--shard', part]) == 0
        assert f'Part {part} is done' in capsys.readouterr().out
    assert not (tmp_path / 'out.csv').exists()
    assert main([*of_data, *outputs(tmp_path), '--shard', '2/3']) == 0
    assert contents(tmp_path) == expected
    assert not (tmp_path / 'out.csv.parts').exists()


def test_what_is_done_is_not_done_again(
    of_data, expected, tmp_path, capsys, monkeypatch
):
    argv = [*of_data, *outputs(tmp_path)]
    assert main([*argv, '--shard', '1/2']) == 0
    before = PredictionShards._predict
    done = []

    def predict(self, shard, *args):
        done.append(shard)
        return before(self, shard, *args)

    monkeypatch.setattr(PredictionShards, '_predict', predict)
    assert main(argv) == 0
    assert done and all(shard % 2 for shard in done)
    assert 'shards are done' in capsys.readouterr().out
    assert contents(tmp_path) == expected
    done.clear()
    assert main(argv) == 0 and not done
    assert 'All was done before' in capsys.readouterr().out
    (tmp_path / 'out_poses.csv').write_text('cut')
    assert main(argv) == 0 and done
    assert contents(tmp_path) == expected


def test_a_damaged_shard_is_done_again(of_data, expected, tmp_path, capsys):
    argv = [*of_data, *outputs(tmp_path)]
    assert main([*argv, '--shard', '1/2']) == 0
    parts = tmp_path / 'out.csv.parts'
    part = parts / 'poses-000000.parquet'
    part.write_bytes(part.read_bytes()[:-5])
    (parts / 'shard-000002.json').write_text('{"cut')
    assert main(argv) == 0
    text = capsys.readouterr().err
    assert "Shard 0 of '" in text and 'bytes instead of' in text
    assert "'shard-000002.json' is damaged" in text
    assert contents(tmp_path) == expected


def test_shards_of_another_run_are_refused(of_data, tmp_path, capsys, fitted):
    argv = [*of_data, *outputs(tmp_path)]
    assert main([*argv, '--shard', '1/2']) == 0
    other = [str(fitted / 'best.ckpt') if 'last' in a else a for a in argv]
    other += ['--max-poses', '5']
    assert main(other) == 1
    text = capsys.readouterr().err
    assert 'holds shards of another run' in text
    assert "'max_poses' is 256 there and 5 here" in text
    # A result that is complete is replaced, as it always was.
    shutil.rmtree(tmp_path / 'out.csv.parts')
    assert main(argv) == 0
    assert main(other) == 0
    assert 'of another run, and will be replaced' in capsys.readouterr().out


def test_processes_make_the_same_tables(of_data, expected, tmp_path):
    argv = [*of_data, *outputs(tmp_path), '--processes', '2']
    assert main(argv) == 0
    assert contents(tmp_path) == expected


def test_dry_run(of_data, tmp_path, capsys):
    argv = [*of_data, *outputs(tmp_path), '--shard', '1/2', '--dry-run']
    assert main(argv) == 0
    text = capsys.readouterr().out
    assert '7 shards would be predicted; of these 4 here' in text
    assert "out_poses.csv' would be written" in text
    assert not list(tmp_path.iterdir())


# Poses from files ############################################################


def test_files_in_parts_are_as_in_a_data_set(
    fitted, campaign, files, of_data, expected, tmp_path, capsys
):
    argv = [
        'predict', '--checkpoint', str(fitted / 'last.ckpt'), '--poses',
        str(files / 'docked.sdf'), '--receptor', str(campaign),
        '--processes', '1', '--device', 'cpu', '--shard-size', '8',
        *outputs(tmp_path),
    ]  # fmt: skip
    assert main([*argv, '--dry-run']) == 0
    assert '7 shards would be' in capsys.readouterr().out
    for part in ('2/2', '1/2'):
        assert main([*argv, '--shard', part]) == 0
    assert '41 records in 1 files: 41 kept' in capsys.readouterr().out
    table = {row['id']: row for row in rows(tmp_path / 'out.csv')}
    assert [row['rank'] for row in table.values()] != []
    (tmp_path / 'data.csv').write_bytes(expected['out.csv'])
    for row in rows(tmp_path / 'data.csv'):
        assert float(table[row['id']]['prediction']) == pytest.approx(
            float(row['prediction']), abs=1e-4
        )
    assert len(table) == 14


def test_files_without_poses(fitted, campaign, tmp_path, capsys):
    (tmp_path / 'empty.sdf').write_text('')
    argv = [
        'predict', '--checkpoint', str(fitted / 'last.ckpt'), '--poses',
        str(tmp_path / 'empty.sdf'), '--receptor', str(campaign),
        *outputs(tmp_path),
    ]  # fmt: skip
    assert main(argv) == 1
    assert 'No pose could be read' in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['empty.sdf']


def test_the_receptor_is_evaluated_once(
    fitted, campaign, of_data, tmp_path, monkeypatch
):
    """Beside the looks at the model, whatever the number of shards."""
    from pyg_multipose.gradient.receptors.cache import ReceptorCache

    encode = ReceptorCache.encode
    counts = []

    def counted(self, *args):
        states, count = encode(self, *args)
        counts.append(count)
        return states, count

    monkeypatch.setattr(ReceptorCache, 'encode', counted)
    assert main([*of_data, *outputs(tmp_path)]) == 0
    assert len(counts) >= 5 and sum(counts) == 1


# What is in the tables #######################################################


def test_intervals_and_flags(fitted, files, tmp_path, capsys):
    file = fitted / 'last.ckpt'
    argv = [
        'predict', '--checkpoint', str(file), '--poses',
        str(files / 'docked.sdf'), '--receptor', str(files / 'receptor.pdb'),
        '--device', 'cpu', '--out', str(tmp_path / 'out'),
    ]  # fmt: skip
    assert main(argv) == 0
    assert '14 sets: receptor not in training' in capsys.readouterr().out
    for row in rows(tmp_path / 'out.csv'):
        assert row['flags'] == 'receptor not in training'
        if row['low']:
            low, high = float(row['low']), float(row['high'])
            assert low < float(row['prediction']) < high


def test_sdf(expected, tmp_path):
    (tmp_path / 'all.sdf').write_bytes(expected['out.sdf'])
    found = list(Chem.SDMolSupplier(str(tmp_path / 'all.sdf')))
    (tmp_path / 'poses.csv').write_bytes(expected['out_poses.csv'])
    table = rows(tmp_path / 'poses.csv')
    assert len(found) == len(table) == 38
    for molecule, row in zip(found, table, strict=True):
        assert molecule.GetProp('_Name') == row['id']
        assert molecule.GetProp('multipose_pose') == row['pose']
        assert molecule.GetProp('multipose_rank') == row['rank']
        assert float(
            molecule.GetProp('multipose_pose_prediction')
        ) == pytest.approx(float(row['prediction']), abs=1e-5)
        assert molecule.GetConformer().Is3D()


def test_best_and_weighted_poses(of_data, campaign, tmp_path):
    for choice in ('best', 'weighted'):
        argv = [*of_data, '--out', str(tmp_path / f'{choice}.csv')]
        argv += ['--sdf', str(tmp_path / f'{choice}.sdf.gz')]
        assert main([*argv, '--sdf-poses', choice]) == 0
    import gzip

    texts = {
        choice: gzip.open(tmp_path / f'{choice}.sdf.gz', 'rt').read()
        for choice in ('best', 'weighted')
    }
    assert texts['best'].count('$$$$\n') == 13
    heavy = [
        row for row in rows(tmp_path / 'weighted_poses.csv')
        if float(row['weight']) >= 0.01 or row['rank'] == '1'
    ]  # fmt: skip
    assert texts['weighted'].count('$$$$\n') == len(heavy)


# Bad input ###################################################################


def test_what_is_predicted_has_to_be_said(of_data, tmp_path, capsys):
    short = of_data[: of_data.index('--data')]
    assert main([*short, '--out', str(tmp_path / 'a.csv')]) == 1
    assert 'Give --data' in capsys.readouterr().err


@pytest.mark.parametrize(
    'more, message',
    (
        (['--shard', '0/2'], 'there is no such part'),
        (['--shard', 'x'], 'expected i/n'),
        (['--processes', '0'], 'expected auto, or a number'),
        (['--sdf-poses', 'good'], "none of ['best'"),
        (['--max-poses', '0'], 'expected a number from 1 on'),
        (['--scheduler', 'tcp://127.0.0.1:1'], 'Dask'),
    ),
)
def test_bad_options(of_data, tmp_path, capsys, more, message, monkeypatch):
    from pyg_multipose.campaign import dask_workers

    monkeypatch.setattr(dask_workers, 'TIMEOUT', '1s')
    assert main([*of_data, '--out', str(tmp_path / 'a.csv'), *more]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_sets_without_bonds_have_no_sdf(tmp_path, capsys, fitted):
    from torch_geometric.data import Data

    from pyg_multipose.data import PoseSet
    from pyg_multipose.datasets import PoseSetDataset

    one = Data(z=torch.tensor([6, 8]), pos=torch.eye(2, 3))
    PoseSetDataset(tmp_path / 'ds').append(PoseSet.from_poses([one], name='a'))
    argv = [
        'predict', '--checkpoint', str(fitted / 'last.ckpt'),
        '--data', str(tmp_path / 'ds'), *outputs(tmp_path),
    ]  # fmt: skip
    assert main(argv) == 1
    assert "have no ['bond_index', 'bond_type']" in capsys.readouterr().err


def test_a_full_disk_loses_nothing(
    of_data, expected, tmp_path, capsys, monkeypatch
):
    """At the third shard; what was done before is kept."""
    import errno

    record, calls = PredictionShards._predict, []

    def full(self, shard, *args):
        calls.append(shard)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, 'No space left on device')
        return record(self, shard, *args)

    argv = [*of_data, *outputs(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr(PredictionShards, '_predict', full)
        assert main(argv) == 1
    assert 'No space left' in capsys.readouterr().err
    assert main(argv) == 0
    assert '2 of 7 shards are done' in capsys.readouterr().out
    assert contents(tmp_path) == expected
    about = json.loads(Path(tmp_path, 'out.csv.json').read_text())
    assert about['counts']['sets'] == 13


def test_new_files_are_another_run(fitted, campaign, tmp_path, capsys):
    new = write_campaign(tmp_path / 'new', first=0, count=5)
    argv = [
        'predict', '--checkpoint', str(fitted / 'last.ckpt'), '--poses',
        str(new), '--receptor', str(campaign), '--out',
        str(tmp_path / 'out.csv'), '--device', 'cpu',
    ]  # fmt: skip
    assert main(argv) == 0
    write_campaign(new, first=0, count=6)
    assert main(argv) == 0
    assert len(rows(tmp_path / 'out.csv')) == 6


# Dask ########################################################################


@pytest.mark.processes
def test_workers_of_dask_that_are_killed(of_data, expected, tmp_path):
    distributed = pytest.importorskip('distributed')
    killed = []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None,
        host='127.0.0.1',
    ) as cluster:  # fmt: skip
        over = threading.Event()

        def kill():
            """Kills a worker whenever another shard is done, three times."""
            seen = 0
            while len(killed) < 3 and not over.wait(0.02):
                done = len(list(tmp_path.glob('out.csv.parts/shard-*.json')))
                if done > seen:
                    seen = done
                    nannies = list(cluster.workers.values())
                    process = nannies[len(killed) % 2].process
                    if process is not None and process.pid is not None:
                        killed.append(process.pid)
                        os.kill(process.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        argv = [*of_data, *outputs(tmp_path)]
        argv += ['--scheduler', cluster.scheduler_address]
        try:
            assert main(argv) == 0
        finally:
            over.set()
            killer.join()
    assert killed
    for name in ('out.csv', 'out_poses.csv'):
        (tmp_path / 'one').mkdir(exist_ok=True)
        (tmp_path / 'one' / name).write_bytes(expected[name])
        pairs = zip(
            rows(tmp_path / name), rows(tmp_path / 'one' / name), strict=True
        )
        for found, one in pairs:
            assert found.keys() == one.keys()
            for key, value in one.items():
                try:
                    wanted = pytest.approx(float(value), rel=1e-4, abs=1e-5)
                    assert float(found[key]) == wanted
                except ValueError:
                    assert found[key] == value
    assert not (tmp_path / 'out.csv.parts').exists()
