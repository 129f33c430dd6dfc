"""What `readout.plan` says, what it costs, and that it is kept."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.utils import scatter

from pyg_multipose.data import PoseSet
from pyg_multipose.gradient import LiveBytes
from pyg_multipose.gradient.plan import planner
from pyg_multipose.gradient.plan.budget import bytes_per_node
from pyg_multipose.nn import MultiPoseReadout


class Net(nn.Module):
    """A model that counts its calls."""

    def __init__(self, width=32):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 1)
        )
        self.calls = 0

    def forward(self, batch):
        self.calls += 1
        h = self.mlp(batch.pos)
        return scatter(h, batch.batch, 0, batch.num_graphs, 'mean')


def batch_of(sizes, edges=None, seed=0):
    """Sets of poses of so many atoms, with so many edges for each."""
    generator = torch.Generator().manual_seed(seed)

    def pose(size):
        data = Data(pos=torch.randn(size, 3, generator=generator))
        if edges is not None:
            data.edge_index = torch.zeros(2, edges * size, dtype=torch.long)
        return data

    return Batch.from_data_list(
        [PoseSet.from_poses([pose(n) for n in of_set]) for of_set in sizes]
    )


SIZES = ((10,) * 8, (12,) * 8)


@pytest.fixture
def measured(monkeypatch):
    """The calls that are measured."""
    calls = []

    def measure(evaluation):
        calls.append(evaluation)
        return bytes_per_node(evaluation)

    monkeypatch.setattr(planner, 'bytes_per_node', measure)
    return calls


@pytest.mark.parametrize('return_poses', [False, True])
def test_measured_once_for_each_kind_of_call(return_poses, measured):
    model = Net()
    readout = MultiPoseReadout(
        model, max_nodes_per_chunk=40, memory_budget=10**6
    )
    plan = readout.plan(batch_of(SIZES), return_poses)
    assert len(measured) == 1
    for batch in (
        batch_of(SIZES),
        batch_of(SIZES, seed=1),
        batch_of(SIZES[::-1]),
        batch_of(((30, 2, 7), (5,))),
    ):
        again = readout.plan(batch, return_poses)
    assert len(measured) == 1
    assert str(readout.plan(batch_of(SIZES), return_poses)) == str(plan)
    assert again.num_sets == 2
    readout(batch_of(SIZES), return_poses)
    assert model.calls == plan.num_chunks


def test_another_kind_of_call_is_measured_anew(measured):
    readout = MultiPoseReadout(
        Net(), max_nodes_per_chunk=40, memory_budget=10**6
    )
    dense = batch_of(SIZES, edges=50)
    leaf = batch_of(SIZES)
    leaf.pos.requires_grad_()
    calls = 0
    for change in (
        lambda: readout.plan(batch_of(SIZES)),
        lambda: readout.plan(dense),
        lambda: readout.plan(leaf),
        lambda: readout.eval().plan(batch_of(SIZES)),
    ):
        for _ in range(3):
            change()
        calls += 1
        assert len(measured) == calls
    with torch.autocast('cpu', torch.bfloat16):
        readout.plan(batch_of(SIZES))
        readout.plan(batch_of(SIZES))
    assert len(measured) == calls + 1


@pytest.mark.parametrize('gradient', ['full', 'store', 'stream', 'recompute'])
def test_modes_that_were_asked_for_measure_nothing(gradient, measured):
    plan = MultiPoseReadout(Net(), gradient=gradient).plan(batch_of(SIZES))
    assert not measured
    assert f"gradient '{gradient}': asked for" in str(plan)


def test_without_gradient_nothing_is_measured(measured):
    with torch.no_grad():
        plan = MultiPoseReadout(Net()).plan(batch_of(SIZES))
    assert not measured
    assert 'gradients are switched off' in str(plan)
    assert 'nothing but the predictions' in str(plan)


def test_leaves_no_trace():
    model = nn.Sequential(Net(), nn.Dropout(), nn.BatchNorm1d(1))
    readout = MultiPoseReadout(model, memory_budget=10**6)
    before = {k: v.clone() for k, v in readout.state_dict().items()}
    random = torch.get_rng_state()
    readout.plan(batch_of(SIZES))
    assert model[0].calls == 0
    assert torch.equal(random, torch.get_rng_state())
    for key, value in readout.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert all(p.grad is None for p in model.parameters())
    assert readout.last_plan is None


@pytest.mark.parametrize(
    ('share', 'budget', 'mode', 'words'),
    [
        (1.0, 10**6, 'stream', 'one gradient of the parameters per set'),
        (0.0, 10**6, 'recompute', 'the inputs and the predictions'),
        (1.0, 16_000, 'mixed', r'the graphs of \d+ chunks'),
        (1.0, 10**6, 'full', "every pose's graph"),
    ],
)
def test_says_in_words_and_bytes_what_is_held(share, budget, mode, words):
    model = Net()
    batch = batch_of(SIZES)
    readout = MultiPoseReadout(
        model, max_nodes_per_chunk=40, memory_budget=budget
    )
    poses = mode in ('mixed', 'full')
    readout._planner.lately.share = share
    plan = readout.plan(batch, return_poses=poses)
    assert plan.mode == mode
    text = str(plan)
    assert re.search(f'held until backward: {words}', text)
    assert '16 poses in 2 sets' in text and 'of at most 40 atoms' in text
    assert f'{share:.0%} of the poses mattered lately' in text
    with LiveBytes() as live:
        out = readout(batch, return_poses=poses)
    assert out is not None
    if mode == 'recompute':
        assert not plan.bytes and live.held() < 16 * 100
        return
    assert f', about {plan.bytes:,} bytes' in text
    assert plan.bytes <= budget
    assert 0.6 * plan.bytes < live.held() < 1.2 * plan.bytes + 1000


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(
        st.lists(st.integers(1, 30), min_size=1, max_size=20),
        min_size=1,
        max_size=4,
    ),
    width=st.sampled_from([4, 32, 128]),
    max_nodes=st.sampled_from([None, 1, 25, 200]),
    budget=st.integers(500, 400_000),
    share=st.sampled_from([0.0, 0.05, 1.0]),
    return_poses=st.booleans(),
)
@example(
    sizes=[[1, 2]] * 8,
    width=128,
    max_nodes=1,
    budget=4000,
    share=1.0,
    return_poses=False,
)
@example(
    sizes=[[16] * 10 + [30] * 10],
    width=32,
    max_nodes=30,
    budget=30_000,
    share=1.0,
    return_poses=True,
)
def test_never_above_the_budget(
    sizes, width, max_nodes, budget, share, return_poses
):
    """What is held after forward; or the error says what would do."""
    model, batch = Net(width), batch_of(sizes)
    readout = MultiPoseReadout(
        model, memory_budget=budget, max_nodes_per_chunk=max_nodes
    )
    readout._planner.lately.share = share
    predictions = 4096 + 100 * sum(map(len, sizes))  # and what is as long
    try:
        plan = readout.plan(batch, return_poses)
    except ValueError as error:
        needed = int(re.search(r'about (\d+) bytes', str(error)).group(1))
        assert needed > budget
        readout = MultiPoseReadout(
            model, memory_budget=needed, max_nodes_per_chunk=max_nodes
        )
        readout.plan(batch, return_poses)
        return
    with LiveBytes() as live:
        out = readout(batch, return_poses)
    assert (
        str(readout.last_plan).split('\n')[1:3] == (str(plan).split('\n')[1:3])
    )
    assert live.held() <= budget + predictions
    (sum(part.sum() for part in out) if return_poses else out.sum()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
