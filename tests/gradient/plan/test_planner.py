import copy
import pickle

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.utils import scatter

from pyg_multipose.data import PoseSet
from pyg_multipose.gradient import Counts, Evaluation, LiveBytes
from pyg_multipose.gradient.plan.budget import bytes_per_node, gradient_bytes
from pyg_multipose.gradient.plan.planner import RUNNING, Planner, free_bytes
from pyg_multipose.nn import MaxCombination, MultiPoseReadout


class Net(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(3, 32), nn.Tanh(), nn.Dropout(dropout), nn.Linear(32, 1)
        )

    def forward(self, batch):
        h = self.mlp(batch.pos)
        return scatter(h, batch.batch, 0, batch.num_graphs, 'mean')


class Uncopied(Net):
    def __deepcopy__(self, memo):
        raise TypeError('there is one of it')


def test_a_model_that_cannot_be_measured():
    """A budget that nobody can keep is refused; without one, it runs."""
    readout = MultiPoseReadout(Uncopied(), 'mean', max_nodes_per_chunk=20)
    readout(batch_of()).sum().backward()
    assert 'there is one of it' in readout.last_plan.reason
    readout.memory_budget = 10**9
    with pytest.raises(ValueError, match='cannot be kept.*there is one of it'):
        readout(batch_of())


def batch_of(sizes=(8, 8), atoms=10):
    generator = torch.Generator().manual_seed(0)
    return Batch.from_data_list(
        [
            PoseSet.from_poses(
                [
                    Data(pos=torch.randn(atoms, 3, generator=generator))
                    for _ in range(size)
                ]
            )
            for size in sizes
        ]
    )


def evaluation(model=None, max_nodes=20):
    return Evaluation(model or Net(), batch_of(), max_nodes=max_nodes)


def test_measures_what_a_graph_takes():
    model = Net()
    with LiveBytes() as live:
        held = Evaluation(model, batch_of(), max_nodes=1000)
        out = held.predict(range(16))
    per_node = bytes_per_node(evaluation(model))
    assert out.requires_grad
    assert 0.4 * live.held() < 160 * per_node < 1.1 * live.held()


def test_measuring_leaves_no_trace():
    model = Net(dropout=0.5)
    record = evaluation(model)
    state = torch.get_rng_state()
    with LiveBytes() as live:
        bytes_per_node(record)
    assert live.held() == 0
    assert torch.equal(state, torch.get_rng_state())
    assert record.counts.forward == 0
    assert all(p.grad is None for p in model.parameters())


def test_parameters_are_no_part_of_a_graph():
    model = Net()
    model.mlp = nn.Sequential(
        nn.Linear(3, 500), nn.Tanh(), nn.Linear(500, 500), nn.Linear(500, 1)
    )
    assert 20 * bytes_per_node(evaluation(model)) < 500 * 500 * 4


def test_a_gradient_for_each_set():
    model = Net()
    size = 4 * sum(p.numel() for p in model.parameters())
    assert gradient_bytes(evaluation(model), 0) == 2 * size
    assert gradient_bytes(evaluation(model), 99.5) == 2 * (size + 100)
    model.mlp[0].requires_grad_(False)
    assert gradient_bytes(evaluation(model), 0) == 2 * 4 * 33


@pytest.mark.parametrize('share', [1.0, 0.0])
def test_follows_how_many_poses_mattered(share):
    planner = Planner(10**9)
    for _ in range(20):
        planner.watch(Counts(poses=10, mattered=int(10 * share)))
    assert planner.lately.share == pytest.approx(share, abs=0.01)
    choice = planner.choose(evaluation(), 'reasons')
    assert choice.mode == ('full' if share else 'recompute')
    assert 'not stream, since reasons' in choice.reason
    choice = planner.choose(evaluation(), None)
    assert choice.mode == ('stream' if share else 'recompute')


def test_earlier_steps_count():
    planner = Planner()
    for mattered in (0, 10, 0, None):
        planner.watch(Counts(poses=10, mattered=mattered))
    assert planner.lately.share == pytest.approx(0.7 * 0.3)


def test_steps_whose_backward_never_came_teach_nothing():
    planner = Planner()
    planner.watch(Counts(poses=10))
    planner.watch(Counts(poses=10))
    assert planner.lately.share == 1.0


def test_keeps_as_many_graphs_as_the_budget_holds():
    per_node = bytes_per_node(evaluation())
    for share, budget, keep in ((1.0, 5.6, 4), (1.0, 8.6, 8), (0.0, 5.6, 0)):
        planner = Planner(int(per_node * 20 * budget))
        planner.lately.share = share
        choice = planner.choose(evaluation(), 'reasons')
        assert choice.keep == keep
        assert choice.bytes <= planner.budget - RUNNING * 20 * per_node * (
            keep < 8
        )


def test_cuts_smaller_chunks_before_it_gives_up():
    per_node = bytes_per_node(evaluation())
    planner = Planner(int(per_node * 1.1 * RUNNING * 10))
    choice = planner.choose(evaluation(), 'reasons')
    assert choice.mode == 'recompute' and 10 <= choice.max_nodes <= 12
    with pytest.raises(ValueError, match='one pose of 10 atoms'):
        Planner(int(per_node * 10)).choose(evaluation(), 'reasons')


def test_graphs_that_all_fit_are_all_held(monkeypatch):
    """Whatever rounding makes of the sum of their bytes."""
    module = 'pyg_multipose.gradient.plan.planner'
    monkeypatch.setattr(f'{module}.HOLD', {})
    record = Evaluation(Net(), batch_of([9] * 12, 11), max_nodes=60)
    for number in range(1, 100):
        monkeypatch.setattr(
            f'{module}.bytes_per_node', lambda _, n=number: n / 7
        )
        planner = Planner()
        planner.lately.share = 1.0
        assert planner.choose(record, None).mode == 'full'


def test_one_chunk_is_plain():
    """Once all poses were seen to matter; till then, some may not."""
    record, planner = evaluation(max_nodes=1000), Planner()
    assert planner.choose(record, None).mode == 'full'
    assert planner.choose(record, None).keep == 1
    planner.watch(Counts(4, mattered=4))
    planner.watch(Counts(4))
    assert planner.choose(record, None).mode == 'full'
    assert planner.choose(record, None).keep is None


def test_graphs_of_the_last_chunks_are_held():
    """The last chunk is the smallest, and the only one that fits."""
    record = evaluation(max_nodes=30)
    assert record.nodes_of(record.chunks)[-2:] == [30, 10]
    budget = bytes_per_node(record) * (30 * RUNNING + 20)
    assert Planner(int(budget)).choose(record, 'reasons').keep == 1


def test_half_of_the_memory_that_is_free(monkeypatch):
    numbers = {'SC_AVPHYS_PAGES': 10, 'SC_PAGE_SIZE': 4096}
    monkeypatch.setattr('os.sysconf', numbers.__getitem__)
    assert free_bytes(torch.device('cpu')) == 5 * 4096


def test_free_memory_of_a_cpu():
    assert free_bytes(torch.device('cpu')) > 2**20


def test_copies_and_pickles():
    planner = Planner(10**6)
    planner.choose(evaluation(), 'reasons')
    planner.watch(Counts(10, mattered=1))
    assert copy.deepcopy(planner).lately.share == planner.lately.share
    assert pickle.loads(pickle.dumps(planner)).budget == 10**6


@pytest.mark.parametrize('return_poses', [False, True])
def test_never_above_the_budget(return_poses):
    """What is held after forward, and the plan says so before."""
    model = Net()
    batch = batch_of((32, 32))
    per_node = bytes_per_node(evaluation(model))
    for chunks in (3, 5, 17, 64):
        budget = int(per_node * 20 * chunks) + 1
        readout = MultiPoseReadout(
            model, memory_budget=budget, max_nodes_per_chunk=20
        )
        plan = readout.plan(batch, return_poses)
        with LiveBytes() as live:
            out = readout(batch, return_poses)
        assert live.held() <= budget + 64 * 4 * 8  # and the predictions
        if return_poses:
            assert plan.mode in ('mixed', 'full')
            (out[0].sum() + out[1].sum()).backward()
        else:
            out.sum().backward()


@pytest.mark.parametrize('share', [0.1, 0.6, 0.7, 1.0])
def test_one_chunk_counts_passes_too(share):
    """A second pass over few poses is less than a backward pass over all."""
    planner = Planner()
    planner.lately.share = share
    choice = planner.choose(evaluation(max_nodes=1000), 'reasons')
    assert choice.mode == ('full' if share > 2 / 3 else 'recompute')


@pytest.mark.parametrize('return_poses', [False, True])
def test_one_chunk_that_turns_sharp(return_poses):
    model = Net()
    readout = MultiPoseReadout(model, MaxCombination())
    batch = batch_of((8,))
    with torch.no_grad():
        model.mlp[-1].weight.mul_(1e4)
    modes = []
    for _ in range(8):
        out = readout(batch, return_poses)
        (out[0] if return_poses else out).sum().backward()
        modes.append(readout.last_plan.mode)
    assert modes[0] == 'full' and modes[-1] == 'recompute'
    assert readout.last_plan.counts.backward == 1


def test_a_training_run_turns_sharp():
    """At first all poses matter, later one: the plan follows."""
    model = Net()
    with torch.no_grad():
        model.mlp[-1].weight.mul_(1e-4)
    batch = batch_of()
    readout = MultiPoseReadout(model, MaxCombination(), max_nodes_per_chunk=20)
    readout(batch).sum().backward()
    assert readout.last_plan.mode == 'stream'
    assert readout.last_plan.counts.mattered > 8
    with torch.no_grad():
        model.mlp[-1].weight.mul_(1e7)
    modes = []
    for _ in range(12):
        readout(batch).sum().backward()
        modes.append(readout.last_plan.mode)
    assert modes[0] == 'stream' and modes[-1] == 'recompute'
    assert readout.last_plan.counts.mattered == 2
    assert 'of the poses mattered lately' in str(readout.plan(batch))
