import pytest
import torch

from pyg_multipose.datasets import MproMoonshot, PoseSetDataset
from pyg_multipose.train import PoseSetDataModule
from pyg_multipose.transforms import RadiusGraph

from .conftest import pose_set


def names(data, part):
    return [name for batch in data.loader(part) for name in batch.name]


def test_a_split_has_no_ligand_twice(sets):
    data = PoseSetDataModule(sets, lengths=(0.5, 0.25, 0.25), seed=1)
    data.setup()
    found = [names(data, part) for part in ('train', 'valid', 'test')]
    assert [len(one) for one in found] == [10, 5, 5]
    assert sorted(sum(found, [])) == sorted(one.name for one in sets)
    other = PoseSetDataModule(sets, lengths=(0.5, 0.25, 0.25), seed=2)
    other.setup()
    assert other.indices != data.indices


def test_groups_and_dates(sets):
    groups = [number // 4 for number in range(20)]
    data = PoseSetDataModule(
        sets, split='group', groups=groups, lengths=(0.6, 0.2, 0.2)
    )
    data.setup()
    of = {part: {groups[i] for i in index}
          for part, index in data.indices.items()}  # fmt: skip
    assert len(set.union(*of.values())) == sum(map(len, of.values())) == 5
    dates = [f'2024-01-{20 - number:02}' for number in range(20)]
    data = PoseSetDataModule(
        sets, split='date', dates=dates, lengths=(0.6, 0.2, 0.2)
    )
    data.setup()
    assert data.indices['test'] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="needs 'dates'"):
        PoseSetDataModule(sets, split='date').setup()


def test_leaks_between_parts_are_refused(sets):
    data = PoseSetDataModule(train=sets[:5], test=sets[4:6])
    with pytest.raises(ValueError, match="'CPD-4' in part 0"):
        data.setup()


def test_one_molecule_under_two_ids_is_a_leak():
    class Named(list):
        pass

    train, test = Named([pose_set(0)]), Named([pose_set(1)])
    train.smiles, test.smiles = ['CCO'], ['CCO']
    with pytest.raises(ValueError, match='molecules are in several parts'):
        PoseSetDataModule(train=train, test=test).setup()


def test_batches_are_within_their_budget(sets):
    data = PoseSetDataModule(train=sets, max_poses=9, max_nodes=80)
    data.setup()
    for batch in data.train_dataloader():
        assert batch.num_poses <= 9 and batch.num_nodes <= 80
    plain = PoseSetDataModule(train=sets)
    assert plain.budgets['max_poses'] == 64
    by_edges = PoseSetDataModule(train=sets, max_edges=700)
    batches = list(by_edges.loader('train'))
    assert all(b.num_edges <= 700 or b.num_graphs == 1 for b in batches)
    assert 1 < len(batches) < len(sets)


def test_edges_are_those_of_the_cutoff(sets):
    data = PoseSetDataModule(train=sets[:3], cutoff=3.0)
    data.setup()
    assert data.inputs.cutoff == 3.0
    got = data.parts['train'][1].edge_index
    assert torch.equal(got, RadiusGraph(3.0)(sets[1]).edge_index)


def test_edges_of_the_sets_have_to_be_those_of_the_cutoff(connected):
    with pytest.raises(ValueError, match='edges are not .* 5.0 Å'):
        PoseSetDataModule(train=connected, cutoff=5.0).setup()
    data = PoseSetDataModule(train=connected, cutoff=4.5)
    data.setup()
    assert data.inputs.cutoff == 4.5


def test_the_cutoff_of_a_dataset_is_found():
    sets = MproMoonshot('test', transform=RadiusGraph(4.0))[:3]
    data = PoseSetDataModule(train=sets, cutoff=None)
    data.setup()
    assert data.inputs.cutoff == 4.0
    bare = PoseSetDataModule(train=MproMoonshot('test')[:3], cutoff=None)
    bare.setup()
    assert bare.inputs.cutoff is None
    assert 'edge_index' not in bare.inputs.keys


def test_sets_on_disk_are_batched_by_their_table(sets, tmp_path):
    stored = PoseSetDataset(tmp_path)
    stored.extend(sets)
    data = PoseSetDataModule(stored, max_poses=10)
    data.setup()
    memory = PoseSetDataModule(sets, max_poses=10)
    memory.setup()
    for one, other in zip(
        data.train_dataloader(), memory.train_dataloader(), strict=True
    ):
        assert one.name == other.name
        assert torch.equal(one.edge_index, other.edge_index)


def test_a_transform_comes_before_the_edges(sets):
    data = PoseSetDataModule(
        train=sets, transform=lambda one: one.select([0]), max_poses=5
    )
    data.setup()
    assert {one.num_poses for one in data.parts['train']} == {1}
    assert [b.num_graphs for b in data.loader('train')] == [5, 5, 5, 5]


def test_parts_that_are_not_there(sets):
    data = PoseSetDataModule(train=sets)
    data.setup()
    assert data.val_dataloader() == []
    with pytest.raises(ValueError, match="no sets for 'test'"):
        data.test_dataloader()


@pytest.mark.parametrize(
    'kwargs, message',
    [
        ({}, "either 'dataset'"),
        ({'dataset': [1], 'train': [1]}, "either 'dataset'"),
        ({'dataset': [1], 'test': [1]}, "leave out 'valid' and 'test'"),
        ({'dataset': [1], 'split': 'scafold'}, 'expected one of'),
        ({'dataset': [1], 'lengths': (0.5, 0.5)}, "'train', 'valid', 'test'"),
        ({'dataset': [1], 'unit': 'nM'}, 'is no unit'),
    ],
)
def test_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        PoseSetDataModule(**kwargs)


def test_sets_without_names_or_that_are_none():
    nameless = pose_set(0)
    del nameless['name']
    with pytest.raises(ValueError, match="Set 0 has no 'name'"):
        PoseSetDataModule([nameless, pose_set(1)]).setup()
    with pytest.raises(ValueError, match='expected a PoseSet'):
        PoseSetDataModule(
            [torch.ones(1)], ligands=['a'], lengths=(0.8, 0.1, 0.1)
        )._part([torch.ones(1)], [0])[0]


def test_parts_that_are_given(sets):
    places = ['train'] * 12 + ['test'] * 5 + [''] * 3
    data = PoseSetDataModule(sets, split='given', places=places, max_sets=5)
    data.setup()
    assert {part: len(one) for part, one in data.parts.items()} == {
        'train': 12, 'test': 5
    }  # fmt: skip
    assert [batch.num_graphs for batch in data.loader('train')] == [5, 5, 2]
    assert data.val_dataloader() == []
    places[3] = 'tset'
    with pytest.raises(ValueError, match=r"got \['tset'\]"):
        PoseSetDataModule(sets, split='given', places=places).setup()
    with pytest.raises(ValueError, match='has 2 entries, expected the part'):
        PoseSetDataModule(sets, split='given', places=places[:2]).setup()
    with pytest.raises(ValueError, match='1 of 1 ligands are in several'):
        PoseSetDataModule(
            sets[:2],
            split='given',
            places=['train', 'test'],
            ligands=['CO', 'CO'],
        ).setup()
