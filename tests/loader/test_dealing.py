import pickle
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.loader import DealtSets, PoseSetSampler, set_costs
from pyg_multipose.loader.dealing import StandIn, deal

from .test_pose_set_sampler import Sized, all_ranks, budgets, sizes_of_sets


@given(
    st.lists(st.floats(0, 1e6, allow_subnormal=False), max_size=40),
    st.integers(1, 6),
)
def test_what_is_dealt(costs, ranks):
    shares = deal(costs, ranks)
    assert len(shares) == ranks
    assert sorted(i for share in shares for i in share) == list(
        range(len(costs))
    )
    loads = [sum(costs[i] for i in share) for share in shares]
    # No rank has more than its part and one thing.
    assert max(loads) <= sum(costs) / ranks + max(costs, default=0) + 1e-6
    assert all(shares) or len(costs) < ranks


@settings(deadline=None, max_examples=100)
@given(
    sizes_of_sets, budgets, st.booleans(), st.integers(1, 4), st.integers(0, 3)
)
def test_the_sets_of_each_batch(sizes, limits, shuffle, ranks, epoch):
    """Batches are those of one process, whatever the number of ranks."""
    dataset = Sized(sizes)
    alone = PoseSetSampler(dataset, shuffle=shuffle, **limits)
    samplers = all_ranks(
        ranks, dataset, shuffle=shuffle, deal='sets', **limits
    )
    for sampler in (alone, *samplers):
        sampler.set_epoch(epoch)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        dealt = [list(sampler) for sampler in samplers]
    whole = list(alone)
    assert {len(of_rank) for of_rank in dealt} == {len(alone)}
    for number, batch in enumerate(whole):
        shares = [of_rank[number] for of_rank in dealt]
        real = [i for share in shares for i in share if isinstance(i, int)]
        assert sorted(real) == sorted(batch)
        for share in shares:
            stand_ins = [one for one in share if isinstance(one, StandIn)]
            assert share and (not stand_ins or len(share) == 1)
            assert not stand_ins or len(batch) < ranks
            nodes = dataset.sizes[batch, 0].min()
            for one in stand_ins:
                assert dataset.sizes[one.index, 0] == nodes


def test_large_sets_are_dealt_by_cost():
    """One large set is as much as all others; by number it would not be."""
    dataset = Sized([(900, 0, 9)] + [(300, 0, 3)] * 3)
    found = [
        list(sampler)
        for sampler in all_ranks(2, dataset, max_nodes=2000, deal='sets')
    ]
    assert found == [[[0]], [[1, 2, 3]]]
    costs = torch.tensor([0.0, 1.0, 1.0, 2.0])
    found = all_ranks(2, dataset, max_nodes=2000, deal='sets', costs=costs)
    assert [list(one) for one in found] == [[[0, 3]], [[1, 2]]]


def test_costs_leave_the_receptor_out():
    sets = MproMoonshot('test')[:3]
    found = set_costs(sets, progress=False)
    expected = [int(one.pose_size.sum()) for one in sets]
    assert found.tolist() == expected
    assert all(one.num_nodes > cost for one, cost in zip(sets, expected,
               strict=True))  # fmt: skip


def labeled(**labels):
    out = PoseSet.from_poses([Data(z=torch.ones(2).long())], name='a')
    for key, value in labels.items():
        out.put(key, value, 'set')
    return out


def test_a_stand_in_has_no_label():
    one = labeled(
        y=torch.tensor([5.0]), right=torch.tensor([0]),
        good=torch.tensor([True]),
    )  # fmt: skip
    dealt = DealtSets([one], labels=('y', 'right', 'good', 'missing'))
    assert dealt[0] is one
    stand_in = dealt[StandIn(0)]
    assert stand_in.y.isnan() and stand_in.right == -1 and not stand_in.good
    assert one.y == 5.0
    assert pickle.loads(pickle.dumps(StandIn(3))) == StandIn(3)


def test_stand_ins_are_no_sets():
    """No dataset takes one for a set, which would count twice."""
    sets = MproMoonshot('test')[:1]
    sampler = PoseSetSampler(
        sets, max_poses=64, deal='sets', num_replicas=2, rank=1
    )
    assert list(sampler) == [[StandIn(0)]]
    with pytest.raises((TypeError, IndexError)):
        list(DataLoader(list(sets), batch_sampler=sampler))
    (batch,) = DataLoader(DealtSets(sets), batch_sampler=sampler)
    assert batch.y.isnan().all() and batch.num_graphs == 1


def test_wrong_arguments():
    with pytest.raises(ValueError, match="deal='all', expected one of"):
        PoseSetSampler(Sized([(1, 1, 1)]), 5, deal='all')
    for costs in ([1.0], torch.ones(2)):
        with pytest.raises(ValueError, match=r'shape \[1\]'):
            PoseSetSampler(Sized([(1, 1, 1)]), 5, deal='sets', costs=costs)
    with pytest.raises(ValueError, match='finite numbers of at least 0'):
        PoseSetSampler(
            Sized([(1, 1, 1)]), 5, deal='sets', costs=torch.tensor([-1.0])
        )
    with pytest.raises(ValueError, match="'a' has none of the labels"):
        DealtSets([labeled()])[StandIn(0)]
