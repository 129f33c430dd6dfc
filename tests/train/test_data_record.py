"""Which data a model was trained on."""

import pytest
import torch

from pyg_multipose.datasets import PoseSetDataset
from pyg_multipose.train import DataRecord
from pyg_multipose.train.data_record import fingerprint

from .conftest import pose_set


def names_of(sets):
    return [one.name for one in sets]


def test_the_fingerprint_is_that_of_content_and_names(sets, tmp_path):
    names, first = names_of(sets), list(range(8))
    one = fingerprint(sets, names, first)
    assert one == fingerprint(sets, names, first[::-1])
    assert one != fingerprint(sets, names, first[:-1])
    renamed = ['another', *names[1:]]
    assert one != fingerprint(sets, renamed, first)
    moved = [pose_set(0, 12, 2, y=9.0), *sets[1:]]
    assert one != fingerprint(moved, names, first)


def test_checksums_of_a_dataset_are_not_computed_again(
    sets, tmp_path, monkeypatch
):
    dataset = PoseSetDataset(tmp_path)
    dataset.extend(sets)
    again = PoseSetDataset(tmp_path / 'again')
    again.extend(reversed(sets))
    monkeypatch.setattr(PoseSetDataset, '__getitem__', None)
    names = dataset.names
    one = fingerprint(dataset, names, range(8))
    place = {name: number for number, name in enumerate(again.names)}
    other = fingerprint(
        again, again.names, [place[names[number]] for number in range(8)]
    )
    assert one == other


def test_parts_and_leaks(sets):
    names = names_of(sets)
    smiles = [f'{"C" * (1 + number)}O' for number in range(len(names))]
    parts = {'train': [0, 1], 'valid': [2], 'test': [3, 4]}
    record = DataRecord.of(sets, names, smiles, parts, {'pocket': 8.0})
    assert record.part_of([*names[:5], 'x']) == [
        'train', 'train', 'valid', 'test', 'test', ''
    ]  # fmt: skip
    # By name, by molecule, not at all; the part to test on is no leak.
    assert record.leaks(
        [names[1], 'x', 'y', names[3]], ['N', smiles[2], 'N', smiles[3]]
    ) == [0, 1]
    again = DataRecord.from_dict(record.to_dict())
    assert torch.equal(again.sets['train'], record.sets['train'])
    record.check({'pocket': 8.0}, 'a')
    record.check({}, 'a')  # not known
    with pytest.raises(ValueError, match='6.0 here, 8.0 there'):
        record.check({'pocket': 6.0}, 'a')
