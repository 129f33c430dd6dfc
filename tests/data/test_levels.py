import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.data.levels import (
    Level,
    Levels,
    level_by_name,
    parse,
    without,
)

LEVELS = Level.__args__
KEYS = st.text(st.characters(categories=['L', 'N']), min_size=1)


@given(st.dictionaries(KEYS, st.sampled_from(LEVELS)))
def test_a_declaration_reads_back(levels):
    text = str(Levels(levels))
    assert parse(text) == levels
    for key in levels:
        assert key not in parse(without(text, key))


@given(st.dictionaries(KEYS, st.sampled_from(LEVELS)))
def test_a_declaration_does_not_depend_on_order(levels):
    turned = dict(reversed(levels.items()))
    assert str(Levels(levels)) == str(Levels(turned))


@pytest.mark.parametrize(
    ('key', 'level'),
    [
        ('edge_index', 'edge'),
        ('edge_attr', 'edge'),
        ('bond_type', 'bond'),
        ('pos', 'node'),
        ('is_ligand', 'node'),
        ('y', 'set'),
        ('name', 'set'),
        ('score', None),
        ('edges', None),
    ],
)
def test_levels_by_name(key, level):
    assert level_by_name(key) == level


def test_levels_of_a_set(make):
    levels = Levels.of(make.set('complex', (2, 3)))
    assert levels.on('pose') == list(make.attrs)
    assert levels.on('edge') == ['edge_index', 'edge_attr']
    assert set(levels.on('set')) == {'y', 'name', 'receptor_name'}
    assert {'x', 'ring', 'is_ligand'} < set(levels.on('node'))
    assert not {'pose_size', 'levels'} & set(levels)


def test_levels_of_a_batch_are_those_of_its_sets(make):
    sets = [make.set('complex', (2, 3)), make.set('complex', (1,))]
    batch = Batch.from_data_list(sets, follow_batch=['pose_size'])
    assert 'pose_size_batch' in batch
    assert dict(Levels.of(batch)) == dict(Levels.of(sets[0]))


def test_known_keys_need_no_declaration(make):
    pose_set = make.set('complex', (2, 3))
    pose_set.edge_weight = torch.ones(pose_set.num_edges)
    assert Levels.of(pose_set)['edge_weight'] == 'edge'


def test_keys_have_the_same_order_in_every_process():
    keys = ['z', 'pos', 'charge', 'x', 'mass']
    pose = Data(**{key: torch.zeros(2) for key in keys})
    pose_set = PoseSet.from_poses([pose, pose])
    in_order = [key for key in pose.stores[0] if key in keys]
    assert [key for key in pose_set.stores[0] if key in keys] == in_order


@pytest.mark.parametrize('missing', ['levels', 'pose_size', 'receptor_size'])
def test_missing_bookkeeping_is_named(make, missing):
    batch = Batch.from_data_list(
        [make.set('complex', (2,))], exclude_keys=[missing]
    )
    with pytest.raises(ValueError, match=f"lacks .'{missing}'.*exclude_keys"):
        Layout(batch)


def test_an_empty_pose_set_says_what_it_is():
    with pytest.raises(ValueError, match=r'build it by PoseSet.from_poses'):
        Layout(PoseSet())


def test_sets_with_other_keys_are_refused(make):
    """PyG keeps the keys of the first set and drops the others silently."""
    one = make.set('complex', (2,), name='a')
    two = make.set('complex', (2,), name='b')
    two.put('rank', torch.zeros(1), 'pose')
    batch = Batch.from_data_list([one, one, two])
    message = "only set 'b' has rank:pose"
    for use in (Layout, PoseSet.to_poses, PoseSet.receptor_groups):
        with pytest.raises(ValueError, match=message):
            use(batch)


def test_sets_with_other_levels_are_refused(make):
    sets = [make.set('complex', (1,)) for _ in range(2)]
    for of_set, level in zip(sets, ('pose', 'set'), strict=True):
        of_set.put('rank', torch.zeros(1), level)
    with pytest.raises(
        ValueError,
        match='only set 0 has rank:pose and only set 1 has rank:set',
    ):
        Layout(Batch.from_data_list(sets))
