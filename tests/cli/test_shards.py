"""A campaign in shards is that of one file."""

import json
import sqlite3

import pytest
import torch

from pyg_multipose.campaign import checksum
from pyg_multipose.cli import main
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
    assert len(one) == len(other) and list(one.names) == list(other.names)
    for number in range(len(one)):
        mine, theirs = one[number], other[number]
        assert list(mine.keys()) == list(theirs.keys())
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
