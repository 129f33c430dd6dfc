import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import SchNet, aggr
from torch_geometric.utils import scatter

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import (
    MaxCombination,
    MeanCombination,
    MultiPoseReadout,
    RadiusInteractionGraph,
)


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))

    def forward(self, batch):
        h = self.mlp(batch.pos)
        return scatter(h, batch.batch, 0, batch.num_graphs, 'mean')


def pose_set(count=3, atoms=4, name=None):
    generator = torch.Generator().manual_seed(count)
    return PoseSet.from_poses(
        [
            Data(
                pos=torch.randn(atoms, 3, generator=generator),
                z=torch.full((atoms,), 6),
            )
            for _ in range(count)
        ],
        name=name,
    )


def test_single_set_gives_one_prediction():
    readout = MultiPoseReadout(Linear())
    one = pose_set()
    out, poses, weights = readout(one, return_poses=True, return_weights=True)
    assert out.shape == (1,)
    assert poses.shape == weights.shape == (3,)
    assert torch.equal(out, readout(Batch.from_data_list([one])))
    assert not weights.requires_grad
    assert weights.sum().item() == pytest.approx(1, abs=1e-6)


def test_weights_are_derivatives():
    readout = MultiPoseReadout(
        Linear(), MaxCombination(scale=2.0), gradient='full'
    )
    combined, poses, weights = readout(
        pose_set(5), return_poses=True, return_weights=True
    )
    (expected,) = torch.autograd.grad(combined.sum(), poses)
    assert torch.allclose(weights, expected)


@pytest.mark.parametrize(
    ('query', 'expected'),
    [
        ('max', MaxCombination),
        ('mean', MeanCombination),
        ('MaxAggregation', aggr.MaxAggregation),
        ('softmax', aggr.SoftmaxAggregation),
    ],
)
def test_combination_by_name(query, expected):
    readout = MultiPoseReadout(Linear(), query)
    assert type(readout.combination) is expected
    assert readout(pose_set()).shape == (1,)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'gradient': 'lazy'}, "gradient='lazy'.*'stream'"),
        ({'combination': 'med'}, "combination 'med'.*'MaxCombination'"),
        ({'combination': 3}, '3'),
        ({'nonfinite': 'ignore'}, "nonfinite='ignore'.*'mask'"),
        ({'tolerance': 1.0}, 'tolerance=1.0'),
        ({'tolerance': -1e-3}, 'tolerance=-0.001'),
        ({'max_nodes_per_chunk': 0}, 'max_nodes_per_chunk=0'),
        ({'max_nodes_per_chunk': 1.5}, 'max_nodes_per_chunk=1.5'),
        ({'memory_budget': -1}, 'memory_budget=-1'),
        ({'inputs': 'z, pos batch'}, "'z, pos, batch'"),
        ({'share_receptor': True}, "Linear has no encode_receptor.*'auto'"),
        ({'share_receptor': 'yes'}, "share_receptor='yes'"),
        (
            {'gradient': 'stream', 'combination': 'softmax'},
            "no running form|has none.*gradient='recompute'",
        ),
    ],
)
def test_argument_errors(kwargs, message):
    with pytest.raises((ValueError, TypeError), match=message):
        MultiPoseReadout(Linear(), **kwargs)


class Shifted(MeanCombination):
    """Its running form is that of the mean, and knows no shift."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(()))

    def combine(self, *args):
        return super().combine(*args) + self.shift


def test_what_learns_is_not_streamed():
    combination = Shifted()
    with pytest.raises(ValueError, match='parameters require grad'):
        MultiPoseReadout(Linear(), combination, 'stream')
    combination.requires_grad_(False)
    readout = MultiPoseReadout(Linear(), combination, 'stream')
    combination.requires_grad_(True)
    with pytest.raises(ValueError, match='parameters require grad'):
        readout(pose_set())


def test_model_errors():
    with pytest.raises(ValueError, match='expected a torch.nn.Module'):
        MultiPoseReadout(lambda batch: batch)
    with pytest.raises(ValueError, match='SyncBatchNorm'):
        MultiPoseReadout(nn.Sequential(nn.SyncBatchNorm(3)))
    for lazy in (nn.LazyLinear(1), nn.LazyBatchNorm1d(affine=False)):
        with pytest.raises(ValueError, match='not initialised yet'):
            MultiPoseReadout(nn.Sequential(lazy))


def test_threads_are_documented():
    assert 'must not be called by several threads' in MultiPoseReadout.__doc__


@pytest.mark.parametrize('batch', [None, 3, Data(pos=torch.zeros(2, 3))])
def test_not_a_pose_set(batch):
    with pytest.raises(ValueError, match=r'PoseSet\.from_poses'):
        MultiPoseReadout(Linear())(batch)


def test_model_that_is_not_called_with_a_batch():
    graph = RadiusInteractionGraph(3.0)
    model = SchNet(8, 8, 1, 5, 3.0, interaction_graph=graph)
    with pytest.raises(ValueError, match='inputs="z, pos, batch"'):
        MultiPoseReadout(model)


def test_inputs_that_the_poses_do_not_have():
    readout = MultiPoseReadout(Linear(), inputs='charge')
    with pytest.raises(ValueError, match=r"'charge'.*\['batch', 'pos'"):
        readout(pose_set())


def test_plain_schnet_by_names_of_inputs():
    graph = RadiusInteractionGraph(3.0)
    model = SchNet(8, 8, 1, 5, 3.0, interaction_graph=graph)
    one = pose_set()
    readout = MultiPoseReadout(model, 'mean', inputs='z, pos, batch')
    expected = torch.cat(
        [
            model(pose.z, pose.pos, torch.zeros(4, dtype=torch.long))
            for pose in one.to_poses()
        ]
    )
    assert torch.allclose(readout(one), expected.mean().view(1), atol=1e-6)


def test_plan_says_what_and_why():
    readout = MultiPoseReadout(Linear(), max_nodes_per_chunk=8)
    batch = Batch.from_data_list([pose_set(3), pose_set(2)])
    plan = readout.plan(batch)
    assert (plan.mode, plan.num_chunks, plan.max_nodes) == ('stream', 3, 8)
    assert 'one gradient of the parameters per set' in str(plan)
    assert 'whole complexes' in str(plan)
    assert plan.counts.forward == 0
    every = readout.plan(batch, return_poses=True)
    assert (every.mode, every.keep) == ('full', 3)
    assert f'about {every.bytes:,} bytes' in str(every)
    assert readout.plan(pose_set(1)).mode == 'full'
    with torch.no_grad():
        assert readout.plan(batch).mode == 'none'


def test_auto_avoids_stream_where_it_is_not_valid():
    batch = Batch.from_data_list([pose_set(3), pose_set(2)])
    readout = MultiPoseReadout(Linear(), max_nodes_per_chunk=8)
    batch.pos.requires_grad_()
    plan = readout.plan(batch)
    assert plan.mode != 'stream' and "['pos'] require grad" in plan.reason
    batch.pos.requires_grad_(False)
    with torch.autocast('cpu', torch.float16):
        assert 'fp16' in readout.plan(batch).reason
    other = MultiPoseReadout(Linear(), 'softmax', max_nodes_per_chunk=8)
    assert 'no running form' in other.plan(batch).reason


def test_memory_budget():
    model = Linear()
    batch = Batch.from_data_list([pose_set(9), pose_set(9)])
    state = torch.get_rng_state()
    roomy = MultiPoseReadout(model, memory_budget=10**6)
    assert roomy.plan(batch, return_poses=True).mode == 'full'
    tight = MultiPoseReadout(model, memory_budget=1000)
    plan = tight.plan(batch, return_poses=True)
    assert plan.mode == 'recompute' and plan.num_chunks > 2
    assert torch.equal(state, torch.get_rng_state())
    with pytest.raises(ValueError, match='memory_budget=10 bytes.*4 atoms'):
        MultiPoseReadout(model, memory_budget=10)(batch)
    for readout in (roomy, tight):
        combined, poses = readout(batch, return_poses=True)
        (combined.sum() + poses.sum()).backward()
        got = [p.grad for p in model.parameters()]
        model.zero_grad()
        full = MultiPoseReadout(model, gradient='full')
        combined, poses = full(batch, return_poses=True)
        (combined.sum() + poses.sum()).backward()
        for a, p in zip(got, model.parameters(), strict=True):
            assert torch.allclose(a, p.grad, atol=1e-5)
        model.zero_grad()


def test_counts_of_poses_that_matter():
    model = Linear()
    with torch.no_grad():
        model.mlp[-1].weight.mul_(100)
    batch = Batch.from_data_list([pose_set(9), pose_set(8)])
    readout = MultiPoseReadout(
        model, gradient='recompute', max_nodes_per_chunk=8
    )
    out = readout(batch)
    assert readout.last_plan.counts.forward == 17
    assert readout.last_plan.counts.backward == 0
    out.sum().backward()
    assert readout.last_plan.counts.backward == 2
    assert readout.last_plan.counts.forward == 19
    (readout(batch) * torch.tensor([0.0, 1.0])).sum().backward()
    assert readout.last_plan.counts.backward == 1  # one set is satisfied


def test_tolerance_zero_drops_only_zeros():
    batch = Batch.from_data_list([pose_set(9)])
    for tolerance, expected in ((0.0, 9), (0.9, 1)):
        readout = MultiPoseReadout(
            Linear(),
            MaxCombination(scale=1.0),
            gradient='recompute',
            tolerance=tolerance,
        )
        readout(batch).sum().backward()
        count = readout.last_plan.counts.backward
        assert count == expected or (tolerance and count < 9)


def test_full_counts_its_backward():
    readout = MultiPoseReadout(Linear(), gradient='full')
    out = readout(pose_set(5))
    assert readout.last_plan.counts.backward == 0
    out.sum().backward()
    assert readout.last_plan.counts.backward == 5


def test_repr():
    text = repr(MultiPoseReadout(Linear(), 'mean', gradient='stream'))
    assert "gradient='stream'" in text and 'MeanCombination()' in text
