import pytest

from pyg_multipose.campaign import dask_workers, run_shards
from tests.campaign.work import Touch

distributed = pytest.importorskip('distributed')


@pytest.fixture(scope='module')
def cluster():
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=None,
        host='127.0.0.1',
    ) as cluster:
        yield cluster


def test_shards_of_killed_workers_are_done_again(cluster, tmp_path):
    found = {}
    run_shards(
        Touch(tmp_path, kills={1: 1, 4: 1}),
        range(6),
        scheduler=cluster.scheduler_address,
        done=found.__setitem__,
    )
    assert found == {shard: 2 * shard for shard in range(6)}


def test_a_shard_that_kills_all_workers_ends_the_run(cluster, tmp_path):
    with pytest.raises(RuntimeError, match='had shard 0 died'):
        run_shards(
            Touch(tmp_path, kills={0: 99}),
            [0],
            scheduler=cluster.scheduler_address,
        )


def test_no_scheduler(monkeypatch):
    monkeypatch.setattr(dask_workers, 'TIMEOUT', '1s')
    with pytest.raises(ConnectionError, match='no Dask scheduler answers'):
        run_shards(abs, [1], scheduler='tcp://127.0.0.1:1')
