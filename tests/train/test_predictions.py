import csv
import math

import pytest
import torch
from torch_geometric.loader import DataLoader

from pyg_multipose.train import MultiPoseModule, Predictions

from .conftest import TINY


@pytest.fixture(scope='module')
def module():
    torch.manual_seed(0)
    return MultiPoseModule(TINY, 'max', affinity='PIC50')


def test_rows_are_what_the_readout_gives(module, connected):
    table = Predictions.of(module, DataLoader(connected, 7), progress=False)
    assert module.training  # as before
    assert [row['id'] for row in table.sets] == [s.name for s in connected]
    assert {row['receptor'] for row in table.sets} == {'site'}
    start = 0
    for row, one in zip(table.sets, connected, strict=True):
        energy, poses, weights = module.readout(
            one, return_poses=True, return_weights=True
        )
        energy = energy.detach()
        assert row['unit'] == 'pIC50' and row['poses'] == one.num_poses
        assert row['prediction'] == pytest.approx(
            -float(energy) / math.log(10), rel=1e-5, abs=1e-6
        )
        rows = table.poses[start : start + one.num_poses]
        start += one.num_poses
        assert [r['pose'] for r in rows] == list(range(one.num_poses))
        torch.testing.assert_close(
            torch.tensor([r['weight'] for r in rows]), weights,
            rtol=1e-4, atol=1e-5,
        )  # fmt: skip
        by_rank = sorted(range(len(rows)), key=lambda i: rows[i]['rank'])
        assert by_rank == poses.argsort(stable=True).tolist()
    assert start == len(table.poses)
    best = max(table.sets, key=lambda row: row['prediction'])
    assert best['rank'] == 1


def test_low_energies_are_strong(connected):
    module = MultiPoseModule(TINY, 'mean')
    table = Predictions.of(module, connected[:5], progress=False)
    best = min(table.sets, key=lambda row: row['prediction'])
    assert (best['rank'], best['unit']) == (1, 'kT')


def test_tables_on_disk(module, connected, tmp_path):
    table = Predictions.of(module, connected[:3], progress=False)
    files = table.write(tmp_path / 'out.csv')
    with open(files[1], newline='') as file:
        rows = list(csv.DictReader(file))
    assert [float(r['weight']) for r in rows] == [
        row['weight'] for row in table.poses
    ]
    parquet = pytest.importorskip('pyarrow.parquet')
    files = table.write(tmp_path / 'out.parquet')
    assert [file.name for file in files] == [
        'out.parquet', 'out_poses.parquet'
    ]  # fmt: skip
    assert parquet.read_table(files[0]).to_pylist() == [
        {key: row[key] for key in parquet.read_table(files[0]).column_names}
        for row in table.sets
    ]
    with pytest.raises(ValueError, match=r"\['.csv', '.parquet'\]"):
        table.write(tmp_path / 'out.xlsx')
