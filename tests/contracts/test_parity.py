"""Values and gradients of every mode against plain autograd, float64."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import aggr

from pyg_multipose.nn import (
    BoltzmannMeanCombination,
    FreeEnergyCombination,
    GatedAttentionCombination,
    HardMaxCombination,
    LogMeanExpCombination,
    MaxCombination,
    MeanCombination,
    TopKMeanCombination,
)

MODELS = ['tiny', 'gat', 'schnet', 'e3nn']
MODES = ['full', 'store', 'stream', 'recompute', 'auto']
COMBINATIONS = {
    'mean': MeanCombination,
    'max': MaxCombination,
    'max-10': lambda: MaxCombination(scale=10.0, negate=False, normalize=True),
    'free-energy': FreeEnergyCombination,
    'softmax': lambda: aggr.SoftmaxAggregation(t=2.0),
}
STREAMS = ['mean', 'max', 'max-10', 'free-energy']
#: On one small model only.
MORE = {
    'boltzmann-mean': BoltzmannMeanCombination,
    'hard-max': HardMaxCombination,
    'log-mean-exp': lambda: LogMeanExpCombination(scale=5.0, negate=False),
    'top-1-mean': lambda: TopKMeanCombination(1, negate=False),
    'attention': lambda: GatedAttentionCombination(1, 3, 1).double(),
}
MORE_STREAMS = ['hard-max', 'log-mean-exp']


def check(kit, model, combination, mode, loss, max_nodes, batch, leaf=False):
    """Compares a readout with plain autograd on one PyG Batch."""
    cls = {**COMBINATIONS, **MORE}[combination]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        combine = cls()
    tensors = [*model.module.parameters(), *combine.parameters()]
    if leaf:
        batch.pos.requires_grad_()
        tensors.append(batch.pos)
    poses = kit.plain(model.module, batch, model.inputs)
    combined = kit.combine(combine, poses, batch)
    expected = kit.gradients(kit.loss_of(loss, combined, poses), tensors)

    readout = kit.MultiPoseReadout(
        model.module,
        combine,
        gradient=mode,
        inputs=model.inputs,
        max_nodes_per_chunk=max_nodes,
    )
    out = readout(batch, return_poses=loss != 'combined')
    got_combined, got_poses = (out, None) if loss == 'combined' else out
    got = kit.gradients(kit.loss_of(loss, got_combined, got_poses), tensors)

    values = [got_combined] if got_poses is None else [got_combined, got_poses]
    wanted = [combined] if got_poses is None else [combined, poses]
    assert kit.relative_error(values, wanted, mode) <= 1e-10
    assert kit.relative_error(got, expected, mode) <= 1e-10
    return readout


@pytest.mark.parametrize('receptor', [True, False])
@pytest.mark.parametrize('combination', COMBINATIONS)
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('name', MODELS)
def test_combined_loss(kit, name, mode, combination, receptor):
    if mode == 'stream' and combination not in STREAMS:
        pytest.raises(
            ValueError,
            kit.MultiPoseReadout,
            kit.make_model(name).module,
            COMBINATIONS[combination](),
            gradient=mode,
        )
        return
    batch = kit.make_batch(receptor)
    model = kit.make_model(name)
    check(kit, model, combination, mode, 'combined', 30, batch)


@pytest.mark.parametrize('loss', ['combined', 'both'])
@pytest.mark.parametrize('combination', MORE)
@pytest.mark.parametrize('mode', MODES)
def test_more_combinations(kit, mode, combination, loss):
    model = kit.make_model('tiny')
    if mode == 'stream' and combination not in MORE_STREAMS:
        with pytest.raises(ValueError, match='running form'):
            kit.MultiPoseReadout(model.module, MORE[combination](), mode)
        return
    if mode == 'stream' and loss == 'both':
        return
    for max_nodes in (1, 30, None):
        batch = kit.make_batch()
        check(kit, model, combination, mode, loss, max_nodes, batch)


@pytest.mark.parametrize('loss', ['poses', 'both'])
@pytest.mark.parametrize('combination', COMBINATIONS)
@pytest.mark.parametrize('mode', ['full', 'store', 'recompute', 'auto'])
@pytest.mark.parametrize('name', MODELS)
def test_loss_on_poses(kit, name, mode, combination, loss):
    batch = kit.make_batch()
    check(kit, kit.make_model(name), combination, mode, loss, 30, batch)


@pytest.mark.parametrize('max_nodes', [1, 14, 40, None])
@pytest.mark.parametrize('mode', MODES)
def test_any_chunking(kit, mode, max_nodes):
    batch = kit.make_batch()
    for combination in STREAMS:
        model = kit.make_model('tiny')
        check(kit, model, combination, mode, 'combined', max_nodes, batch)


@pytest.mark.parametrize('receptor', [True, False])
@pytest.mark.parametrize('mode', ['full', 'recompute', 'auto'])
@pytest.mark.parametrize('name', MODELS)
def test_gradient_of_positions(kit, name, mode, receptor):
    if name == 'gat':  # does not see positions
        name = 'tiny'
    batch = kit.make_batch(receptor)
    model = kit.make_model(name)
    check(kit, model, 'max-10', mode, 'both', 30, batch, leaf=True)
    assert batch.pos.grad is None


@pytest.mark.parametrize('mode', ['full', 'recompute', 'auto'])
def test_gradient_of_an_upstream_module(kit, mode):
    batch = kit.make_batch()
    model = kit.make_model('tiny').module
    upstream = torch.nn.Linear(4, 4).double()
    tensors = [*model.parameters(), *upstream.parameters()]
    raw = batch.x

    def run(predict):
        batch.x = upstream(raw)
        return kit.gradients(predict().pow(2).sum(), tensors)

    expected = run(
        lambda: kit.combine(MeanCombination(), kit.plain(model, batch), batch)
    )
    readout = kit.MultiPoseReadout(
        model, 'mean', gradient=mode, max_nodes_per_chunk=20
    )
    got = run(lambda: readout(batch))
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('pool', ['transformer', 'attention'])
@pytest.mark.parametrize('mode', ['full', 'recompute', 'auto'])
def test_features_per_pose(kit, mode, pool):
    batch = kit.make_batch()
    model = kit.TinyGNN(out_channels=5).double()
    if pool == 'transformer':
        aggregation = aggr.SetTransformerAggregation(5, heads=1).double()
    else:
        aggregation = GatedAttentionCombination(5).double()
    tensors = [*model.parameters(), *aggregation.parameters()]
    poses = kit.plain(model, batch)
    expected = kit.combine(aggregation, poses, batch)
    readout = kit.MultiPoseReadout(
        model, aggregation, gradient=mode, max_nodes_per_chunk=20
    )
    got, got_poses = readout(batch, return_poses=True)
    assert got.shape == (3, 5) and got_poses.shape == (7, 5)
    assert kit.relative_error([got, got_poses], [expected, poses]) <= 1e-10
    assert (
        kit.relative_error(
            kit.gradients(got.pow(2).sum(), tensors),
            kit.gradients(expected.pow(2).sum(), tensors),
            mode,
        )
        <= 1e-10
    )


@pytest.mark.parametrize('mode', ['store', 'stream'])
def test_features_per_pose_are_refused(kit, mode):
    readout = kit.MultiPoseReadout(
        kit.TinyGNN(out_channels=5).double(), 'mean', gradient=mode
    )
    with pytest.raises(ValueError, match=r"returned 5 .*gradient='recompute'"):
        readout(kit.make_batch())


def test_auto_learns_that_poses_have_features(kit):
    batch = kit.make_batch()
    readout = kit.MultiPoseReadout(
        kit.TinyGNN(out_channels=5).double(), 'mean', max_nodes_per_chunk=20
    )
    assert readout(batch).shape == (3, 5)
    assert readout.last_plan.mode != 'stream'
    assert 'several predictions' in readout.plan(batch).reason


@pytest.mark.parametrize('mode', MODES)
def test_learnable_combination(kit, mode):
    if mode == 'stream':
        return  # refused at construction, see test_combined_loss
    batch = kit.make_batch()
    model = kit.make_model('tiny').module
    softmax = aggr.SoftmaxAggregation(t=1.5, learn=True).double()
    tensors = [*model.parameters(), softmax.t]
    expected = kit.combine(softmax, kit.plain(model, batch), batch)
    readout = kit.MultiPoseReadout(
        model, softmax, gradient=mode, max_nodes_per_chunk=20
    )
    got = readout(batch)
    assert (
        kit.relative_error(
            kit.gradients(got.sum(), tensors),
            kit.gradients(expected.sum(), tensors),
            mode,
        )
        <= 1e-10
    )


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('combination', [*STREAMS, 'hard-max'])
def test_permuted_poses_and_company(kit, mode, combination):
    """A set's value and gradient depend on nothing but the set."""
    model = kit.make_model('tiny').module
    tensors = list(model.parameters())
    one = kit.make_set((4, 3, 5, 4), True, 0, 'a')
    expected = None
    for batch in (
        one,
        one.select([2, 0, 3, 1]),
        kit.make_batch(sizes=((4, 3, 5, 4), (2, 2))),
    ):
        readout = kit.MultiPoseReadout(
            model,
            {**COMBINATIONS, **MORE}[combination](),
            gradient=mode,
            max_nodes_per_chunk=25,
        )
        out = readout(batch)[:1]
        got = [out, *kit.gradients(out.sum(), tensors)]
        expected = expected or got
        assert kit.relative_error(got, expected) <= 1e-10


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize(
    'combination', ['mean', 'max', 'free-energy', 'hard-max']
)
def test_duplicate_poses(kit, mode, combination):
    """Ties share the gradient; together they weigh as one, or as two."""
    model = kit.make_model('tiny').module
    tensors = list(model.parameters())
    twice = kit.make_set((4, 3), True, 0, 'a').select([0, 0])
    poses = kit.plain(model, _batched(twice))
    expected = kit.combine(
        {**COMBINATIONS, **MORE}[combination](), poses, twice_of(twice)
    )
    readout = kit.MultiPoseReadout(
        model,
        {**COMBINATIONS, **MORE}[combination](),
        gradient=mode,
        max_nodes_per_chunk=1,
    )
    got, weights = readout(twice, return_weights=True)
    assert weights.tolist() == [0.5, 0.5]
    assert (
        kit.relative_error(
            [got, *kit.gradients(got.sum(), tensors)],
            [expected, *kit.gradients(expected.sum(), tensors)],
            mode,
        )
        <= 1e-10
    )


def test_a_nan_is_no_parity(kit):
    good, bad = torch.tensor([1.0, 2.0]), torch.tensor([1.0, torch.nan])
    for pair in ([bad], [good]), ([good], [bad]), ([bad], [bad]):
        with pytest.raises(AssertionError):
            kit.relative_error(*pair)


def _batched(pose_set):
    from torch_geometric.data import Batch

    return Batch.from_data_list([pose_set])


twice_of = _batched
