import pytest

from pyg_multipose.campaign import Shard


def test_parts_are_all_shards_once():
    parts = [list(Shard(i, 3).of(8)) for i in (1, 2, 3)]
    assert sorted(sum(parts, [])) == list(range(8))
    assert not Shard(5, 5).of(3)


@pytest.mark.parametrize('text', ('0/4', '5/4', '1/0', '0/0'))
def test_no_such_part(text):
    with pytest.raises(ValueError, match='there is no such part'):
        Shard.parse(text)


@pytest.mark.parametrize('text', ('3', 'a/b', '-1/4', '1/2/3', ''))
def test_no_part(text):
    with pytest.raises(ValueError, match='expected i/n'):
        Shard.parse(text)


def test_of_the_environment():
    slurm = {
        'SLURM_ARRAY_TASK_ID': '14',
        'SLURM_ARRAY_TASK_MIN': '10',
        'SLURM_ARRAY_TASK_STEP': '2',
        'SLURM_ARRAY_TASK_COUNT': '5',
    }
    assert Shard.parse('auto', slurm) == Shard(3, 5)
    ranks = {'RANK': '3', 'WORLD_SIZE': '4'}
    assert Shard.parse('auto', ranks) == Shard(4, 4)
    with pytest.raises(ValueError, match='no task of a Slurm array'):
        Shard.parse('auto', {})
    with pytest.raises(ValueError, match="variable RANK is ''"):
        Shard.parse('auto', {'WORLD_SIZE': '4'})
