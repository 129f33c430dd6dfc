"""What the mass rule promises, through every gradient mode."""

from __future__ import annotations

import pytest
import torch

from pyg_multipose.gradient import Evaluation, evaluate
from pyg_multipose.nn import MaxCombination, MultiPoseReadout

SIZES = ((4, 3, 5, 4, 3, 5, 4), (6,), (2, 3, 4, 3))
#: Small enough that several poses of a set have a weight.
SCALE = 20.0


@pytest.fixture
def case(kit):
    """A model, a batch; coefficients and derivatives by plain torch."""
    model = kit.make_model('tiny').module
    batch = kit.make_batch(sizes=SIZES)
    poses = kit.plain(model, batch)
    rows = [kit.gradients(pose, list(model.parameters())) for pose in poses]
    derivative = torch.stack(
        [torch.cat([g.flatten() for g in row]) for row in rows]
    )
    leaf = poses.detach().requires_grad_()
    combined = kit.combine(MaxCombination(SCALE), leaf, batch)
    combined.pow(2).sum().backward()
    return model, batch, leaf.grad, derivative


def bound(c, derivative, tolerance):
    """The sum over sets of equation eq-mass-bound.

    Whatever is dropped: by the steepest pose of all.
    """
    sizes = [len(of_set) for of_set in SIZES]
    return sum(
        tolerance * of_set.abs().sum() * rows.norm(dim=1).max()
        for of_set, rows in zip(
            c.split(sizes), derivative.split(sizes), strict=True
        )
    )


@pytest.mark.parametrize('mode', ['store', 'stream', 'recompute', 'auto'])
@pytest.mark.parametrize('tolerance', [0.0, 1e-6, 1e-2, 0.3])
def test_bound_holds(case, mode, tolerance):
    model, batch, c, derivative = case
    readout = MultiPoseReadout(
        model,
        MaxCombination(SCALE),
        mode,
        max_nodes_per_chunk=25,
        tolerance=tolerance,
    )
    loss = readout(batch).pow(2).sum()
    got = torch.autograd.grad(loss, [*model.parameters()])
    exact = c @ derivative
    off = (torch.cat([g.flatten() for g in got]) - exact).norm()
    assert off <= bound(c, derivative, tolerance) + 1e-12 * exact.norm()
    counts = readout.last_plan.counts
    if tolerance == 0.3:
        assert off > 1e-6 * exact.norm()  # something was dropped
        assert counts.mattered < counts.poses
    if tolerance == 0.0:
        assert counts.mattered == counts.poses


@pytest.mark.parametrize('keep', [0, 2, 99])
def test_bound_holds_among_held_graphs(case, keep):
    model, batch, c, derivative = case
    record = Evaluation(model, batch, max_nodes=25)
    poses = evaluate(record, keep, tolerance=0.3)
    got = torch.autograd.grad(poses, [*model.parameters()], c)
    exact = c @ derivative
    off = (torch.cat([g.flatten() for g in got]) - exact).norm()
    assert 1e-6 * exact.norm() < off <= bound(c, derivative, 0.3)
