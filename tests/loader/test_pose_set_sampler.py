import pickle
import subprocess
import sys
import warnings

import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import BatchSampler
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.loader import PoseSetSampler, set_sizes

NAMES = ('max_nodes', 'max_edges', 'max_poses')


class Sized:
    """As many sets as a table of sizes has rows; none can be loaded."""

    def __init__(self, sizes):
        self.sizes = torch.tensor(sizes, dtype=torch.long).view(-1, 3)

    def __len__(self):
        return len(self.sizes)

    def set_sizes(self):
        return self.sizes


def random_sizes(num=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    poses = torch.randint(1, 20, (num,), generator=generator)
    more = torch.randint(50, (num,), generator=generator)
    sizes = [100 + 30 * poses + more, 900 * poses + more, poses]
    return Sized(torch.stack(sizes, dim=1).tolist())


def all_ranks(ranks, *args, **kwargs):
    return [
        PoseSetSampler(*args, num_replicas=ranks, rank=rank, **kwargs)
        for rank in range(ranks)
    ]


sizes_of_sets = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 90), st.integers(1, 9)),
    max_size=60,
)
budgets = st.fixed_dictionaries(
    {},
    optional={
        'max_nodes': st.integers(1, 200),
        'max_edges': st.integers(1, 300),
        'max_poses': st.integers(1, 30),
    },
).filter(bool)


@settings(deadline=None, max_examples=300)
@given(
    sizes_of_sets, budgets, st.booleans(), st.integers(1, 4), st.integers(0, 3)
)
def test_what_must_hold(sizes, limits, shuffle, ranks, epoch):
    dataset = Sized(sizes)
    if 0 < len(sizes) < ranks:
        with pytest.raises(ValueError, match=f'to {ranks} ranks'):
            len(all_ranks(ranks, dataset, shuffle=shuffle, **limits)[0])
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        samplers = all_ranks(ranks, dataset, shuffle=shuffle, **limits)
        for sampler in samplers:
            sampler.set_epoch(epoch)
        batches = [list(sampler) for sampler in samplers]

    # Every rank gets as many batches as all, and as len says.
    counts = {len(of_rank) for of_rank in batches}
    assert counts == {len(samplers[0])} == {len(s) for s in samplers}
    # No set is lost, split or repeated, and no batch is empty.
    flat = [batch for of_rank in batches for batch in of_rank]
    assert all(flat)
    assert sorted(i for batch in flat for i in batch) == list(
        range(len(sizes))
    )
    columns = [NAMES.index(name) for name in limits]
    limit = torch.tensor(list(limits.values()))
    table = dataset.sizes[:, columns]
    over = [
        batch
        for batch in flat
        if len(batch) > 1 and (table[batch].sum(dim=0) > limit).any()
    ]
    if caught:
        # Too few sets: fewer pairs than ranks, nothing larger.
        assert len(over) < ranks
        assert max(map(len, flat)) == 2
    else:
        assert not over
    if not shuffle:  # the order of the dataset, dealt to ranks in turn
        dealt = [of_rank[n] for n in range(len(batches[0])) for of_rank in
                 batches]  # fmt: skip
        assert [i for batch in dealt for i in batch] == list(range(len(sizes)))


@pytest.mark.parametrize('shuffle', [False, True])
def test_a_set_beyond_the_budget_goes_alone(shuffle):
    dataset = Sized([(10, 0, 1), (500, 0, 50), (10, 0, 1), (10, 0, 1)])
    sampler = PoseSetSampler(dataset, max_nodes=100, shuffle=shuffle)
    batches = sorted(sorted(batch) for batch in sampler)
    assert [1] in batches
    assert len(batches) == len(sampler) == (2 if shuffle else 3)


def test_equal_sets_fill_batches():
    sampler = PoseSetSampler(Sized([(10, 20, 3)] * 35), 100, shuffle=True)
    assert sorted(map(len, sampler)) == [8, 9, 9, 9]
    sampler = PoseSetSampler(Sized([(10, 20, 3)] * 35), 100)
    assert list(map(len, sampler)) == [10, 10, 10, 5]


def test_a_few_large_sets_do_not_shrink_all_batches():
    # Nine tenths of the budget, three of them, and one tenth, a hundred.
    dataset = Sized([(90, 0, 1)] * 3 + [(10, 0, 1)] * 100)
    assert len(PoseSetSampler(dataset, max_nodes=100, shuffle=True)) == 13


def test_every_budget_counts():
    dataset = Sized([(10, 50, 1), (10, 50, 7), (10, 1, 1), (10, 1, 1)])
    found = {
        kwargs: list(PoseSetSampler(dataset, **dict(kwargs)))
        for kwargs in (
            (('max_nodes', 30),),
            (('max_edges', 99),),
            (('max_poses', 8),),
            (('max_nodes', 30), ('max_poses', 8)),
        )
    }
    assert list(found.values()) == [
        [[0, 1, 2], [3]],
        [[0], [1, 2, 3]],
        [[0, 1], [2, 3]],
        [[0, 1], [2, 3]],
    ]


def test_shuffled_by_seed_and_epoch():
    dataset = random_sizes()

    def batches(seed, epoch):
        sampler = PoseSetSampler(dataset, 5000, shuffle=True, seed=seed)
        sampler.set_epoch(epoch)
        assert list(sampler) == list(sampler)
        return list(sampler)

    state = torch.random.get_rng_state()
    first = batches(0, 0)
    assert torch.equal(state, torch.random.get_rng_state())
    assert batches(0, 0) == first
    others = [batches(0, 1), batches(1, 0), batches(1, 1)]
    for other in others:
        assert len(other) == len(first)
        together = {frozenset(batch) for batch in first}
        assert not together & {frozenset(batch) for batch in other}
    assert others[0] != others[1]


def test_equal_sets_meet():
    """Sets of one size are not kept apart by their place in the dataset."""
    sampler = PoseSetSampler(Sized([(10, 0, 1)] * 20), 20, shuffle=True)
    met = set()
    for epoch in range(200):
        sampler.set_epoch(epoch)
        met |= {tuple(sorted(batch)) for batch in sampler}
    assert len(met) == 20 * 19 // 2


def test_ranks_have_batches_of_their_own():
    dataset = random_sizes(103)
    for shuffle in (False, True):
        samplers = all_ranks(4, dataset, max_nodes=3000, shuffle=shuffle)
        alone = PoseSetSampler(dataset, max_nodes=3000, shuffle=shuffle)
        rounded = -(-len(alone) // 4) * 4
        assert [len(sampler) for sampler in samplers] == [rounded // 4] * 4


def test_too_few_sets_for_one_more_batch():
    dataset = Sized([(90, 0, 9)] * 3 + [(300, 0, 9)] * 2)
    for shuffle in (False, True):
        samplers = all_ranks(2, dataset, max_nodes=100, shuffle=shuffle)
        with pytest.warns(UserWarning, match='1 of 4 batches hold two sets'):
            batches = [batch for sampler in samplers for batch in sampler]
        assert sorted(map(len, batches)) == [1, 1, 1, 2]
    pair = next(batch for batch in batches if len(batch) == 2)
    assert max(pair) < 3  # the small ones, where they can be chosen


def test_the_process_group_is_asked_when_it_is_there(monkeypatch):
    sampler = PoseSetSampler(random_sizes(), max_nodes=5000)
    whole = list(sampler)
    monkeypatch.setattr(dist, 'is_initialized', lambda: True)
    monkeypatch.setattr(dist, 'get_world_size', lambda: 2)
    monkeypatch.setattr(dist, 'get_rank', lambda: 1)
    assert len(sampler) == -(-len(whole) // 2)
    given = PoseSetSampler(
        random_sizes(), max_nodes=5000, num_replicas=2, rank=1
    )
    assert list(sampler) == list(given)


def test_with_a_loader_and_workers():
    dataset = MproMoonshot('test')
    sampler = PoseSetSampler(dataset, max_poses=40, shuffle=True)
    for workers in (0, 2):
        loader = DataLoader(
            dataset, batch_sampler=sampler, num_workers=workers
        )
        assert len(loader) == len(sampler)
        batches = list(loader)
        names = [name for batch in batches for name in batch.name]
        assert sorted(names) == sorted(dataset.names)
        assert all(batch.num_poses <= 40 for batch in batches)
        assert names == [dataset.names[i] for b in sampler for i in b]


def test_what_lightning_does_with_a_batch_sampler():
    """Its rules, as its sources have them; Lightning itself is not run."""
    dataset = MproMoonshot('test')
    sampler = PoseSetSampler(dataset, max_poses=40, shuffle=True)
    loader = DataLoader(dataset, batch_sampler=sampler)
    # It would rebuild what looks like PyTorch's own class; ours it refuses,
    # unless told to leave samplers alone.
    assert not isinstance(sampler, BatchSampler)
    assert not hasattr(sampler, 'batch_size')
    first = list(loader.batch_sampler)
    loader.batch_sampler.sampler.set_epoch(1)
    assert list(loader.batch_sampler) != first
    loader.batch_sampler.sampler.set_epoch(0)
    assert list(loader.batch_sampler) == first


def test_pickle_and_repr():
    sampler = PoseSetSampler(random_sizes(), max_nodes=5000, shuffle=True)
    sampler.set_epoch(3)
    assert list(pickle.loads(pickle.dumps(sampler))) == list(sampler)
    assert repr(sampler) == (
        f'PoseSetSampler(200 sets in {len(sampler)} batches, max_nodes=5000, '
        f'shuffle=True)'
    )


def test_the_same_in_another_process():
    code = (
        'import torch; from pyg_multipose.loader import PoseSetSampler\n'
        'sizes = torch.arange(60).view(20, 3) + 1\n'
        'print(list(PoseSetSampler(range(20), 100, sizes=sizes, '
        'shuffle=True)))'
    )
    run = [sys.executable, '-c', code]
    out = subprocess.run(run, capture_output=True, text=True, check=True)
    sizes = torch.arange(60).view(20, 3) + 1
    here = PoseSetSampler(range(20), 100, sizes=sizes, shuffle=True)
    assert out.stdout == f'{list(here)}\n'


@pytest.mark.parametrize(
    'kwargs, message',
    [
        ({}, 'needs a budget'),
        ({'max_nodes': 0}, "'max_nodes' has to be a positive"),
        ({'max_edges': 1.5}, "'max_edges' has to be a positive"),
        ({'max_poses': True}, "'max_poses' has to be a positive"),
        ({'max_nodes': 1, 'num_replicas': 0}, "'num_replicas'"),
        ({'max_nodes': 1, 'num_replicas': 2, 'rank': 2}, "'rank'"),
        ({'max_nodes': 1, 'rank': 1}, "'rank'"),
    ],
)
def test_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        len(PoseSetSampler(random_sizes(), **kwargs))


def test_sizes_of_sets(capsys):
    dataset = MproMoonshot('test')
    sizes = set_sizes(dataset[:3])
    assert sizes.tolist() == [
        [item.num_nodes, item.num_edges, item.num_poses]
        for item in dataset[:3]
    ]
    set_sizes(list(dataset[:2]), progress=False)
    assert capsys.readouterr().out == ''


def test_a_table_of_sizes_holds_for_what_is_stored():
    class Transformed(Sized):
        transform = None

        def __getitem__(self, index):
            return PoseSet.from_poses([Data(z=torch.ones(4).long())])

    dataset = Transformed([(1, 2, 3)])
    assert set_sizes(dataset).tolist() == [[1, 2, 3]]
    dataset.transform = object()
    assert set_sizes(dataset).tolist() == [[4, 0, 1]]


def test_what_is_no_table_of_sizes():
    dataset = range(2)
    with pytest.raises(ValueError, match='Item 0 of the dataset is a int'):
        set_sizes(dataset)
    for sizes in (torch.ones(2, 2).long(), torch.ones(2, 3), [[1, 2, 3]]):
        with pytest.raises(ValueError, match=r'shape \[2, 3\]'):
            PoseSetSampler(dataset, 5, sizes=sizes)
    sizes = torch.tensor([[1, 1, 1], [1, -1, 1]])
    with pytest.raises(ValueError, match='Set 1 has sizes'):
        PoseSetSampler(dataset, 5, sizes=sizes)


def test_a_budget_of_sets():
    """Alone, and beside others; as many batches in every epoch."""
    sizes = torch.randint(1, 9, (50, 3))
    sampler = PoseSetSampler(range(50), max_sets=8, shuffle=True, sizes=sizes)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler) == 7
        assert sorted(sum(batches, [])) == list(range(50))
        assert max(map(len, batches)) <= 8
    sampler = PoseSetSampler(range(50), max_poses=30, max_sets=5, sizes=sizes)
    for batch in sampler:
        assert len(batch) <= 5 and sizes[batch, 2].sum() <= 30
