"""Sampled backward: few poses stand for all, and right on average."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.utils import scatter, softmax

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient import (
    Counts,
    Evaluation,
    Gate,
    draw,
    evaluate,
    sampled,
)
from pyg_multipose.gradient.plan.planner import Planner
from pyg_multipose.nn import (
    MaxCombination,
    MeanCombination,
)

SIZES = (4, 2, 3)
MODES = ['full', 'store', 'recompute', 'auto']
DOUBLE = torch.float64


class Net(nn.Module):
    """Scores poses of a few atoms; wide enough to cost some memory."""

    def __init__(self, out_channels=1, dropout=0.0):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(3, 8),
            nn.Tanh(),
            nn.Dropout(dropout),
            nn.Linear(8, out_channels),
        )
        self.double()

    def forward(self, batch):
        h = self.mlp(batch.pos)
        return scatter(h, batch.batch, 0, batch.num_graphs)


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Net()


def batch_of(sizes=SIZES, atoms=4):
    generator = torch.Generator().manual_seed(0)

    def pose():
        return Data(
            pos=torch.randn(atoms, 3, generator=generator, dtype=DOUBLE)
        )

    return Batch.from_data_list(
        [PoseSet.from_poses([pose() for _ in range(n)]) for n in sizes]
    )


def layout(sizes=SIZES):
    return Layout(batch_of(sizes, 1))


def probabilities(coefficients):
    """Of one set, as Python floats."""
    rows = coefficients.reshape(len(coefficients), -1).tolist()
    norms = [math.hypot(*row) for row in rows]
    return [norm / math.fsum(norms) for norm in norms]


def every_outcome(coefficients, sizes, count):
    """All ways in which poses can be drawn: the chance, and the draws."""
    per_set = []
    for of_set in coefficients.split(list(sizes)):
        chance = probabilities(of_set)
        ends = np.cumsum([0.0, *chance])
        middle = (ends[1:] + ends[:-1]) / 2
        per_set.append(
            [
                (math.prod(chance[i] for i in chosen), middle[list(chosen)])
                for chosen in itertools.product(
                    range(len(chance)), repeat=count
                )
            ]
            if len(chance) > count
            else [(1.0, np.zeros(count))]  # nothing is drawn
        )
    for outcome in itertools.product(*per_set):
        yield (
            math.prod(chance for chance, _ in outcome),
            torch.from_numpy(np.stack([draws for _, draws in outcome])),
        )


def jacobian(sizes, features=1, parameters=5):
    generator = torch.Generator().manual_seed(1)
    shape = (sum(sizes), features, parameters)
    return torch.randn(shape, generator=generator, dtype=DOUBLE)


# Losses on predictions [P, F] of sets, through some combination.


def mean_loss(poses, sets):
    out = MeanCombination()(poses, sets)
    return ((out - 0.3) ** 2).sum()


def max_loss(poses, sets):
    out = MaxCombination(scale=1.0)(poses, sets)
    return (out**3).sum()


def attention_loss(poses, sets):
    """On poses and on what attention over them gives, both."""
    weight = softmax(poses[:, :1] * 1.3, sets)
    pooled = scatter(weight * poses, sets)
    return pooled.pow(2).sum() + (poses.sin() * 0.1).sum()


LOSSES = [(mean_loss, 1), (max_loss, 1), (max_loss, 3), (attention_loss, 3)]


# Unbiased, by enumeration #################################################


@pytest.mark.parametrize('count', [1, 2, 3])
@pytest.mark.parametrize(('loss', 'features'), LOSSES)
def test_unbiased_over_all_draws(loss, features, count):
    """E[gradient] is the gradient, and its variance is the formula's."""
    where = layout()
    sets = where.pose_to_set
    derivative = jacobian(SIZES, features)
    theta = torch.linspace(-0.5, 0.7, 5, dtype=DOUBLE)

    leaf = theta.clone().requires_grad_()
    poses = derivative @ leaf
    poses.retain_grad()
    loss(poses, sets).backward()
    exact, c = leaf.grad, poses.grad

    def gradient(draws):
        leaf = theta.clone().requires_grad_()
        poses = (derivative @ leaf).squeeze(1)  # as models return F = 1
        every = [np.arange(len(sets))]
        out = Gate.apply(where, 0.0, draws, Counts(), every, poses)
        out = out if out.dim() > 1 else out.unsqueeze(1)
        loss(out, sets).backward()
        return leaf.grad

    total = variance = 0.0
    mean = torch.zeros_like(exact)
    for chance, draws in every_outcome(c, SIZES, count):
        got = gradient(draws)
        total += chance
        mean += chance * got
        variance += chance * (got - exact).square().sum().item()
    assert total == pytest.approx(1.0, abs=1e-12)
    assert (mean - exact).norm() <= 1e-12 * exact.norm()

    expected = 0.0  # equation eq-sampling-variance
    terms = torch.einsum('pf,pfk->pk', c, derivative)
    for of_set, g in zip(c.split(SIZES), terms.split(SIZES), strict=True):
        if len(g) > count:
            p = torch.tensor(probabilities(of_set), dtype=DOUBLE)
            second = (g.square().sum(1) / p).sum()
            expected += (second - g.sum(0).square().sum()).item() / count
    assert variance == pytest.approx(expected, rel=1e-10)
    assert variance > 0


@pytest.mark.parametrize('keep', [0, 1, 3, None])
@pytest.mark.parametrize('out_channels', [1, 2])
def test_unbiased_through_a_model(keep, out_channels):
    """All draws again, with the passes of a real evaluation under them."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = Net(out_channels)
    sizes, batch = (3, 1, 3), batch_of((3, 1, 3))
    batch.pos.requires_grad_()
    tensors = [*model.parameters(), batch.pos]

    def gradients(keep, draws):
        record = Evaluation(model, batch, max_nodes=8)
        out = evaluate(record, keep, None, draws)
        poses = out if out.dim() > 1 else out.unsqueeze(1)
        loss = max_loss(poses, record.layout.pose_to_set)
        (c,) = torch.autograd.grad(loss, out, retain_graph=True)
        return c, torch.autograd.grad(loss, tensors)

    c, exact = gradients(None, None)
    mean = [torch.zeros_like(tensor) for tensor in exact]
    for chance, draws in every_outcome(c, sizes, 2):
        for total, part in zip(mean, gradients(keep, draws)[1], strict=True):
            total += chance * part
    scale = max(tensor.norm() for tensor in exact)
    for got, expected in zip(mean, exact, strict=True):
        assert (got - expected).norm() <= 1e-12 * scale


# What is drawn ############################################################


def test_few_enough_are_exact():
    c = torch.tensor([1.0, 0.0, -2.0, 1e-30, 3.0, 4.0, 5.0, 0.0, 7.0])
    draws = torch.rand(3, 3, dtype=DOUBLE)
    assert sampled(c, layout(), draws).tolist() == [1.0] * 9


def test_ends_of_the_interval():
    """The first and the last number that a generator can give."""
    c = torch.tensor([0.0, -0.7, 0.1, 0.2, 0.0, 1.0, 1.0, 1.0], dtype=DOUBLE)
    draws = torch.tensor([[0.0], [0.0]], dtype=DOUBLE)
    where = layout((5, 3))
    assert sampled(c, where, draws).nonzero().squeeze(1).tolist() == [1, 5]
    draws = torch.full((2, 1), 1 - 2**-53, dtype=DOUBLE)
    assert sampled(c, where, draws).nonzero().squeeze(1).tolist() == [3, 7]


def test_drawn_several_times_weighs_several_times():
    c = torch.tensor([3.0, -1.0], dtype=DOUBLE)
    for draws, factors in (
        ([[0.1]], [4 / 3, 0.0]),
        ([[0.9]], [0.0, 4.0]),
    ):
        got = sampled(c, layout((2,)), torch.tensor(draws))
        assert got.tolist() == pytest.approx(factors, rel=1e-15)
    c = torch.tensor([2.0, 1.0, 1.0], dtype=DOUBLE)
    got = sampled(c, layout((3,)), torch.tensor([[0.9, 0.1]]))
    assert got.tolist() == pytest.approx([1.0, 0.0, 2.0], rel=1e-15)
    got = sampled(c, layout((3,)), torch.tensor([[0.4, 0.1]]))
    assert got.tolist() == pytest.approx([2.0, 0.0, 0.0], rel=1e-15)


@pytest.mark.parametrize('size', [1e-320, 1e-300, 1.0, 1e300, 1.7e308])
def test_no_size_is_too_large_or_small(size):
    c = torch.tensor([[2.0, 0.0], [0.0, -1.0], [1.0, 0.0]], dtype=DOUBLE)
    draws = torch.tensor([[0.1, 0.9]], dtype=DOUBLE)
    got = sampled(c / 2 * size, layout((3,)), draws)
    assert got.tolist() == pytest.approx([1.0, 0.0, 2.0], rel=1e-3)


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('u', [0.0, 0.3, 0.6, 0.999])
def test_nonfinite_is_never_sampled_away(bad, u):
    c = torch.tensor([1.0, bad, 1.0, bad, 2.0, 1.0, 1.0, 1.0, 1.0])
    factor = sampled(c, layout(), torch.full((3, 1), u))
    assert factor.isfinite().all()
    assert factor[1] == factor[3] == 1
    # The finite ones of its set are drawn, and other sets as always.
    assert factor[[0, 2]].sum() == 2
    assert factor[6:].count_nonzero() == 1
    leaf = torch.zeros(9, requires_grad=True)
    draws = torch.full((3, 1), u)
    every = [np.arange(9)]
    Gate.apply(layout(), None, draws, Counts(), every, leaf).backward(c)
    assert not leaf.grad[1].isfinite() and not leaf.grad[3].isfinite()
    assert leaf.grad[4:].isfinite().all()


def test_sets_do_not_mix():
    """Whatever the other sets are and draw, a set's factors stay."""
    c = torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8, 9], dtype=DOUBLE)
    draws = torch.tensor([[0.2], [0.8], [0.5]], dtype=DOUBLE)
    together = sampled(c, layout(), draws)
    alone = [
        sampled(part, layout((len(part),)), row.unsqueeze(0))
        for part, row in zip(c.split(SIZES), draws, strict=True)
    ]
    assert torch.equal(together, torch.cat(alone))


def test_draws_are_no_wider_than_sets():
    draws = draw(layout(), 10**9, torch.Generator().manual_seed(0))
    assert draws.shape == (3, 4) and draws.dtype == DOUBLE
    assert draw(layout(), 2).shape == (3, 2)
    assert draw(layout(), None) is None


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    leaf = torch.zeros(3, dtype=dtype, requires_grad=True)
    draws, every = torch.tensor([[0.1, 0.9]]), [np.arange(3)]
    out = Gate.apply(layout((3,)), None, draws, Counts(), every, leaf)
    out.backward(torch.tensor([2.0, 1.0, 1.0], dtype=dtype))
    assert leaf.grad.dtype == dtype
    assert leaf.grad.tolist() == [2.0, 0.0, 2.0]


# Where it is used #########################################################


def test_satisfied_sets_among_held_and_recomputed_chunks(model):
    batch = batch_of((4, 4, 4))
    record = Evaluation(model, batch, max_nodes=16)
    for keep in (0, 1, 2, 3):
        for satisfied in range(3):
            record = Evaluation(model, batch, max_nodes=16)
            c = torch.ones(12, dtype=DOUBLE)
            c[4 * satisfied : 4 * satisfied + 4] = 0
            evaluate(record, keep).backward(c)
            assert record.counts.backward == 8
            again = sum(n < 3 - keep for n in range(3) if n != satisfied)
            assert record.counts.forward == 12 + 4 * again


def test_planner_counts_on_at_most_k(model):
    """One of twelve goes backward: not worth holding graphs for."""
    record = Evaluation(model, batch_of((12, 12)), max_nodes=48)
    assert Planner().choose(record, 'reasons').mode == 'full'
    assert Planner(None, 12).choose(record, 'reasons').mode == 'full'
    assert Planner(None, 1).choose(record, 'reasons').mode == 'recompute'


@pytest.mark.parametrize('keep', [0, 1, 5, 9, None])
def test_at_most_k_passes_with_graphs_held(model, keep):
    """A chunk here is a pose; one that is not drawn costs nothing."""
    for seed in range(5):
        record = Evaluation(model, batch_of(), max_nodes=4)
        generator = torch.Generator().manual_seed(seed)
        draws = draw(record.layout, 1, generator)
        evaluate(record, keep, None, draws).sum().backward()
        assert record.counts.backward == len(SIZES)
        assert record.counts.mattered == sum(SIZES)
