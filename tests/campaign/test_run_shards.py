import sys

import pytest

from pyg_multipose.campaign import run_shards
from tests.campaign.work import Touch, threads

WAYS = ({'processes': 1}, {'processes': 2})


@pytest.mark.parametrize('way', WAYS)
def test_each_shard_is_done_once(tmp_path, way):
    found = {}
    run_shards(Touch(tmp_path), range(5), done=found.__setitem__, **way)
    assert found == {shard: 2 * shard for shard in range(5)}
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        str(shard): 'x' for shard in range(5)
    }


def test_a_shard_whose_process_died_is_done_again(tmp_path):
    found = {}
    work = Touch(tmp_path, kills={1: 2})
    with pytest.warns(UserWarning, match='A process died.*done again'):
        run_shards(work, range(4), 2, done=found.__setitem__)
    assert found == {shard: 2 * shard for shard in range(4)}


def test_it_is_not_done_again_for_ever(tmp_path):
    work = Touch(tmp_path, kills={0: 99})
    with (
        pytest.warns(UserWarning, match='A process died'),
        pytest.raises(RuntimeError, match='3 times'),
    ):
        run_shards(work, [0, 1], 2)


@pytest.mark.parametrize('way', WAYS)
def test_an_error_of_the_work_is_raised(tmp_path, way):
    with pytest.raises(ValueError, match='shard 2 is bad'):
        run_shards(Touch(tmp_path, error=2), range(5), **way)


def test_processes_have_one_thread():
    found = {}
    run_shards(threads, range(2), 2, done=found.__setitem__)
    assert set(found.values()) == {1}


def test_auto_starts_processes_when_they_are_worth_it(tmp_path, monkeypatch):
    module = sys.modules[run_shards.__module__]
    asked = []

    def stand_in(work, shards, count):
        asked.append((list(shards), count))
        return ((shard, work(shard)) for shard in shards)

    monkeypatch.setattr(module, 'in_processes', stand_in)
    monkeypatch.setattr(module, 'cores', lambda: 8)
    run_shards(Touch(tmp_path), range(5))
    assert asked == []
    monkeypatch.setattr(module, 'WORTH', 0.0)
    run_shards(Touch(tmp_path), range(5))
    assert asked == [([2, 3, 4], 3)]


@pytest.mark.parametrize('processes', (0, -1, 'many', '1.5'))
def test_bad_numbers_of_processes(processes):
    with pytest.raises(ValueError, match='expected auto, or a number'):
        run_shards(abs, [1], processes)
