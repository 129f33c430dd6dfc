"""Sampled backward over the gradient modes."""

from __future__ import annotations

import copy
import itertools
import math
import pickle

import pytest
import torch

from pyg_multipose.gradient import Evaluation
from pyg_multipose.gradient.plan.budget import bytes_per_node
from pyg_multipose.nn import MultiPoseReadout

MODES = ['full', 'store', 'recompute', 'auto']
#: Atoms of a pose, with those of its receptor.
ATOMS = 13
SIZES = (4, 2, 3)


@pytest.fixture
def model(kit):
    return kit.make_model('tiny').module


@pytest.fixture
def batch_of(kit):
    """Sets of so many poses, all of one size."""

    def make(sizes=SIZES):
        return kit.make_batch(sizes=[[ATOMS - 9] * size for size in sizes])

    return make


def readout_of(model, mode, count=2, combination='free_energy', **kwargs):
    kwargs.setdefault('max_nodes_per_chunk', ATOMS)
    return MultiPoseReadout(
        model, combination, mode, backward_poses=count, **kwargs
    )


def gradients(readout, batch, seed=0):
    """Of a loss on sets, for a step of its own."""
    readout.generator.manual_seed(seed)
    out = readout(batch)
    return torch.autograd.grad(out.pow(2).sum(), list(readout.parameters()))


def same(got, expected, tolerance=1e-12):
    return all(
        torch.allclose(a, b, rtol=tolerance, atol=tolerance)
        for a, b in zip(got, expected, strict=True)
    )


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('count', [4, 100])
def test_as_many_as_poses_is_exact(model, batch_of, mode, count):
    batch = batch_of()
    exact = MultiPoseReadout(model, 'free_energy', 'full')(batch)
    expected = torch.autograd.grad(exact.pow(2).sum(), [*model.parameters()])
    assert same(gradients(readout_of(model, mode, count), batch), expected)


@pytest.mark.parametrize('nodes', [ATOMS, 2 * ATOMS, 1000])
@pytest.mark.parametrize('budget', [None, 3])
@pytest.mark.parametrize('dropout', [0.0, 0.5])
def test_every_mode_draws_the_same(kit, batch_of, dropout, budget, nodes):
    """One seed, one gradient: drawing does not depend on the plan."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kit.TinyGNN(dropout=dropout).double()
    batch, plans = batch_of(), set()
    if budget is not None:
        record = Evaluation(model, batch, max_nodes=nodes)
        budget *= math.ceil(nodes * bytes_per_node(record))

    def of(mode, **kwargs):
        torch.manual_seed(5)
        readout = readout_of(model, mode, max_nodes_per_chunk=nodes, **kwargs)
        found = gradients(readout, batch)
        plans.add(readout.last_plan.mode)
        return found

    expected = of('full')
    for mode in ('store', 'recompute'):
        assert same(of(mode), expected)
    assert same(of('auto', memory_budget=budget), expected)
    assert 'stream' not in plans
    if budget is not None and nodes == ATOMS and not dropout:
        assert 'mixed' in plans
    exact = MultiPoseReadout(
        model, 'free_energy', 'full', max_nodes_per_chunk=nodes
    )
    torch.manual_seed(5)
    loss = exact(batch).pow(2).sum()
    assert not same(torch.autograd.grad(loss, [*model.parameters()]), expected)


@pytest.mark.parametrize('combination', ['mean', 'free_energy', 'max'])
@pytest.mark.parametrize('count', [1, 2, 3])
def test_at_most_k_backward_passes(model, batch_of, combination, count):
    sizes = (9, 1, 5, 2)
    for batch in (batch_of(sizes), *(batch_of((size,)) for size in sizes)):
        readout = readout_of(model, 'recompute', count, combination)
        for _ in range(5):
            readout(batch).sum().backward()
            counts = readout.last_plan.counts
            most = batch.set_size.clamp(max=count).sum()
            assert 0 < counts.backward <= most
            assert counts.forward == counts.poses + counts.backward
            assert counts.backward <= counts.mattered


@pytest.mark.parametrize('mode', MODES)
def test_global_random_state_is_left_alone(model, batch_of, mode):
    batch = batch_of()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = gradients(readout_of(model, mode, 1), batch)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(4)
    second = gradients(readout_of(model, mode, 1), batch)
    assert same(first, second, 0.0)


@pytest.mark.parametrize('mode', MODES)
def test_reproducible(model, batch_of, mode):
    """Runs agree, ranks with seeds of their own do not, steps neither."""
    batch = batch_of()

    def run(seed=None):
        readout = readout_of(model, mode, 1)
        if seed is not None:
            readout.generator.manual_seed(seed)
        steps = []
        for _ in range(3):
            model.zero_grad()
            readout(batch).sum().backward()
            steps.append([p.grad.clone() for p in model.parameters()])
        return steps

    runs = [run(), run(), run(1), run(2)]
    for first, second in zip(runs[0], runs[1], strict=True):
        assert same(first, second, 0.0)
    flat = [step for of_run in runs[1:] for step in of_run]
    for first, second in itertools.combinations(flat[::3], 2):
        assert not same(first, second)
    assert not (same(*runs[0][:2]) and same(*runs[0][1:]))


def test_state_is_copied_pickled_and_set(model, batch_of):
    batch = batch_of()
    readout = readout_of(model, 'recompute', 1)
    readout(batch)

    def step(readout):
        out = readout(batch)
        loss = out.pow(2).sum()
        return torch.autograd.grad(loss, [*readout.parameters()])

    copied = copy.deepcopy(readout)
    pickled = pickle.loads(pickle.dumps(readout))
    resumed = readout_of(model, 'recompute', 1)
    resumed.generator.set_state(readout.generator.get_state())
    for _ in range(3):
        expected = step(readout)
        for other in (copied, pickled, resumed):
            assert same(step(other), expected, 0.0)
    assert set(readout.state_dict()) == {
        f'model.{key}' for key in model.state_dict()
    }


def test_draws_only_with_gradient(model, batch_of):
    batch = batch_of()
    readout = readout_of(model, 'auto')
    before = readout.generator.get_state()
    with torch.no_grad():
        readout(batch)
    readout.plan(batch)
    assert torch.equal(before, readout.generator.get_state())
    readout(batch)
    assert not torch.equal(before, readout.generator.get_state())
    assert MultiPoseReadout(model).generator is None


@pytest.mark.parametrize('mode', MODES)
def test_a_graph_has_one_gradient(model, batch_of, mode):
    """Twice by retain_graph, and set by set."""
    batch, tensors = batch_of(), list(model.parameters())
    readout = readout_of(model, mode, 1)
    out = readout(batch)
    first = torch.autograd.grad(out.sum(), tensors, retain_graph=True)
    second = torch.autograd.grad(out.sum(), tensors, retain_graph=True)
    assert same(first, second, 0.0)
    parts = [
        torch.autograd.grad(out[index], tensors, retain_graph=True)
        for index in range(len(SIZES))
    ]
    total = [sum(of_sets) for of_sets in zip(*parts, strict=True)]
    assert same(total, first)
    out.sum().backward()
    assert same([p.grad for p in tensors], first)


@pytest.mark.parametrize(
    ('mode', 'count', 'plan'),
    [
        ('recompute', None, 'recompute'),
        ('recompute', 2, 'recompute'),
        ('auto', None, 'full'),
    ],
)
def test_satisfied_sets_cost_no_backward(model, batch_of, mode, count, plan):
    """Also where graphs are held: a chunk here is a set of four."""
    batch, parameters = batch_of((4, 4, 4)), list(model.parameters())
    for hinge in ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]):
        # A new one: after a step, auto knows that few poses matter.
        readout = readout_of(
            model, mode, count, 'mean', max_nodes_per_chunk=4 * ATOMS
        )
        weight = torch.tensor(hinge, dtype=torch.float64)
        out = readout(batch, return_poses=True)[0]
        got = torch.autograd.grad((out * weight).sum(), parameters)
        assert readout.last_plan.mode == plan
        counts = readout.last_plan.counts
        assert counts.mattered == 4
        if count is None:
            assert counts.backward == 4
            out = MultiPoseReadout(model, 'mean', 'full')(batch)
            exact = torch.autograd.grad((out * weight).sum(), parameters)
            assert same(got, exact)
        else:
            assert 0 < counts.backward <= count


def test_left_out_poses_are_never_drawn(model, batch_of):
    batch = batch_of((5, 5))
    with torch.no_grad():
        batch.pos[9:ATOMS] = math.nan  # the first ligand
    readout = readout_of(model, 'recompute', 1, 'mean', nonfinite='mask')
    for _ in range(20):
        with pytest.warns(UserWarning, match='Left out 1 pose'):
            out = readout(batch)
        for gradient in torch.autograd.grad(out.sum(), [*model.parameters()]):
            assert gradient.isfinite().all()


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('count', [1, 100])
def test_double_backward_is_refused(model, batch_of, mode, count):
    """Also where nothing happens to be drawn: it may be in another batch."""
    out = readout_of(model, mode, count)(batch_of())
    with pytest.raises(RuntimeError, match=r"'full'\) without backward_poses"):
        torch.autograd.grad(
            out.sum(), list(model.parameters()), create_graph=True
        )


def test_stream_is_refused(model):
    with pytest.raises(ValueError, match=r"backward_poses=2 .*'stream'"):
        readout_of(model, 'stream')


@pytest.mark.parametrize('combination', ['mean', 'max', 'free_energy'])
def test_auto_never_streams(model, batch_of, combination):
    """Not even where it would have been best: every pose matters."""
    batch = batch_of((8, 8, 8))
    kwargs = {'max_nodes_per_chunk': 2 * ATOMS, 'share_receptor': False}
    plain = MultiPoseReadout(model, combination, **kwargs)
    assert plain.plan(batch).mode == 'stream'
    plan = readout_of(model, 'auto', 2, combination, **kwargs).plan(batch)
    assert plan.mode != 'stream'
    assert 'at most 2 of a set go backward' in plan.reason
    assert 'not stream, since poses are drawn in backward' in plan.reason


@pytest.mark.parametrize('bad', [0, -1, True, 1.5, '2'])
def test_bad_number_of_poses(model, bad):
    with pytest.raises(ValueError, match='backward_poses=.*positive integer'):
        MultiPoseReadout(model, backward_poses=bad)


def test_shows_in_the_representation(model):
    assert 'backward_poses=3' in repr(readout_of(model, 'auto', 3))
