"""Sets in several files are one sequence."""

import json
import pickle

import pytest
import torch
from torch_geometric.loader import DataLoader

from pyg_multipose.datasets import PoseSetDataset, PoseSetShards
from pyg_multipose.loader import PoseSetSampler


@pytest.fixture
def root(make, tmp_path):
    """Seven sets in three files."""
    files = []
    sets = [make.small(name, 1 + n % 3) for n, name in enumerate('ABCDEFG')]
    for number, part in enumerate((sets[:3], sets[3:4], sets[4:])):
        name = f'shards/{number}/processed/sqlite.db'
        PoseSetDataset(tmp_path / 'shards' / str(number)).extend(part)
        files.append(name)
    PoseSetShards.write_list(tmp_path, files)
    return tmp_path


def test_it_is_one_sequence(root):
    dataset = PoseSetShards(root)
    assert len(dataset) == 7 and dataset.num_shards == 3
    assert list(dataset.names) == list('ABCDEFG') == [s.name for s in dataset]
    assert dataset.names[-1] == 'G' and dataset.names[2:5] == list('CDE')
    assert dataset.names == list('ABCDEFG') and dataset.names != ['A']
    with pytest.raises(IndexError):
        dataset.names[7]
    with pytest.raises(IndexError):
        dataset.get(7)
    sizes = [[s.num_nodes, s.num_edges, s.num_poses] for s in dataset]
    assert dataset.set_sizes().tolist() == sizes
    some = dataset[[6, 0, 3]]
    assert some.names == ['G', 'A', 'D']
    assert some.set_sizes().tolist() == [sizes[6], sizes[0], sizes[3]]
    assert [one.name for one in some.__getitems__([2, 0])] == ['D', 'G']
    assert len(dataset.receptor_names()) == 1


@pytest.mark.parametrize('workers', [0, 2])
def test_loaders(root, workers):
    dataset = PoseSetShards(root)
    dataset[0]  # a connection of this process
    sampler = PoseSetSampler(dataset, max_poses=4)
    loader = DataLoader(dataset, batch_sampler=sampler, num_workers=workers)
    names = [name for batch in loader for name in batch.name]
    assert sorted(names) == list('ABCDEFG')
    again = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(again[5].pos, dataset[5].pos)


def test_no_more_than_a_few_files_are_open(root, monkeypatch):
    monkeypatch.setattr('pyg_multipose.datasets.pose_set_shards._OPEN', 1)
    dataset = PoseSetShards(root)
    assert [dataset[n].name for n in (0, 6, 3, 1)] == ['A', 'G', 'D', 'B']
    assert len(dataset._dbs) == 1


def test_what_is_no_dataset(root, tmp_path):
    with pytest.raises(FileNotFoundError, match='holds no dataset in shards'):
        PoseSetShards(tmp_path / 'shards')
    file = root / 'shards.json'
    text = file.read_text()
    file.write_text('{')
    with pytest.raises(ValueError, match="shards.json' cannot be read"):
        PoseSetShards(root)
    file.write_text(json.dumps({**json.loads(text), 'version': 9}))
    with pytest.raises(ValueError, match='version 9, but this release'):
        PoseSetShards(root)
    file.write_text(text)
    path = root / 'shards/1/processed/sqlite.db'
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r'1/processed/sqlite.db. has \d+ b'):
        PoseSetShards(root)
    path.unlink()
    with pytest.raises(FileNotFoundError, match='is gone, a shard'):
        PoseSetShards(root)


def test_files_with_other_keys(make, root):
    other = make.small('H', 1).put('more', torch.tensor([1.0]), 'set')
    PoseSetDataset(root / 'other').append(other)
    files = ['shards/0/processed/sqlite.db', 'other/processed/sqlite.db']
    with pytest.raises(ValueError, match='differs from the sets'):
        PoseSetShards.write_list(root, files)
    with pytest.raises(ValueError, match='holds no pose sets'):
        PoseSetShards.write_list(root, ['none.sqlite'])
    assert len(PoseSetShards(root)) == 7
