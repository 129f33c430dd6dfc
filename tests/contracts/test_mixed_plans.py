"""`auto` where some graphs are held and the rest is evaluated again."""

from __future__ import annotations

import math

import pytest
import torch

from pyg_multipose.gradient import Evaluation
from pyg_multipose.gradient.plan.budget import bytes_per_node


def readout_of(kit, model, batch, graphs=5, **kwargs):
    """Seven chunks of one pose; about `graphs` graphs fit."""
    per_node = bytes_per_node(Evaluation(model, batch, max_nodes=14))
    return kit.MultiPoseReadout(
        model,
        kwargs.pop('combination', 'free_energy'),
        max_nodes_per_chunk=14,
        memory_budget=int(per_node * 13 * graphs),
        **kwargs,
    )


def setting(kit, positions=True, **kwargs):
    """A model, a batch that is not for `stream`, and what is expected."""
    torch.manual_seed(0)
    model = kit.TinyGNN(**kwargs).double()
    batch = kit.make_batch()
    if positions:
        batch.pos.requires_grad_()
    return model, batch, [*model.parameters(), batch.pos]


def expected_of(kit, model, batch):
    combination = kit.MultiPoseReadout(model, 'free_energy').combination
    return kit.combine(combination, kit.plain(model, batch), batch)


@pytest.mark.parametrize('graphs', [3, 4, 5, 6])
@pytest.mark.parametrize('loss', ['combined', 'poses', 'both'])
def test_parity(kit, loss, graphs):
    model, batch, tensors = setting(kit)
    readout = readout_of(kit, model, batch, graphs)
    combined, poses = readout(batch, return_poses=True)
    assert readout.last_plan.mode == 'mixed'
    plain = kit.plain(model, batch)
    expected = kit.loss_of(
        loss, kit.combine(readout.combination, plain, batch), plain
    )
    got = kit.loss_of(loss, combined, poses)
    got = [combined, poses, *kit.gradients(got, tensors)]
    expected = [
        kit.combine(readout.combination, plain, batch),
        plain,
        *kit.gradients(expected, tensors),
    ]
    assert kit.relative_error(got, expected, 'auto') <= 1e-10


def test_sets_one_after_the_other_and_two_losses(kit):
    model, batch, tensors = setting(kit)
    plain = expected_of(kit, model, batch)
    out = readout_of(kit, model, batch)(batch)
    for loss in (lambda y: y[0], lambda y: y[2], lambda y: y.pow(3).sum()):
        got = kit.gradients(loss(out), tensors)
        expected = kit.gradients(loss(plain), tensors)
        assert kit.relative_error(got, expected, 'auto') <= 1e-10
    out.sum().backward()
    with pytest.raises(RuntimeError, match='second time'):
        out.sum().backward()


def test_some_parameters_and_none(kit):
    model, batch, _ = setting(kit)
    plain = expected_of(kit, model, batch)
    out = readout_of(kit, model, batch)(batch)
    for tensors in ([model.head.weight], [batch.pos], [model.conv.nn[0].bias]):
        got = kit.gradients(out.sum(), tensors)
        expected = kit.gradients(plain.sum(), tensors)
        assert kit.relative_error(got, expected, 'auto') <= 1e-10
    for grad in kit.gradients(0 * out.sum(), list(model.parameters())):
        assert grad.eq(0).all()


def test_nonfinite_upstream_gradient_arrives(kit):
    model, batch, _ = setting(kit)
    out = readout_of(kit, model, batch)(batch)
    for index in range(3):
        upstream = torch.ones_like(out)
        upstream[index] = math.nan
        (grad,) = torch.autograd.grad(
            out, model.head.weight, upstream, retain_graph=True
        )
        assert grad.isnan().any()


@pytest.mark.parametrize('how', ['in place', 'data'])
def test_changed_parameter_is_an_error(kit, how):
    model, batch, _ = setting(kit)
    out = readout_of(kit, model, batch)(batch)
    with torch.no_grad():
        weight = model.head.weight
        (weight.data if how == 'data' else weight).add_(0.1)
    with pytest.raises(RuntimeError, match='changed|modified'):
        out.sum().backward()
    assert all(p.grad is None for p in model.parameters())


def test_flipped_to_eval_and_dropout(kit):
    model, batch, tensors = setting(kit, dropout=0.5)
    readout = readout_of(kit, model, batch)

    def grads(flip):
        torch.manual_seed(3)
        readout.train()
        out = readout(batch)
        assert readout.last_plan.mode == 'mixed'
        readout.train(not flip)
        torch.rand(5)
        return [out.detach(), *kit.gradients(out.sum(), tensors)]

    assert kit.relative_error(grads(True), grads(False)) == 0
    full = kit.MultiPoseReadout(
        model, 'free_energy', gradient='full', max_nodes_per_chunk=14
    )
    torch.manual_seed(3)
    readout.train()
    out = full(batch)
    expected = [out.detach(), *kit.gradients(out.sum(), tensors)]
    assert kit.relative_error(grads(True), expected, 'auto') <= 1e-10


def test_double_backward_needs_all_graphs(kit):
    model, batch, _ = setting(kit)

    def force_loss(energy):
        (force,) = torch.autograd.grad(
            energy.sum(), batch.pos, create_graph=True
        )
        return kit.gradients(force.pow(2).sum(), list(model.parameters()))

    expected = force_loss(expected_of(kit, model, batch))
    all_held = readout_of(kit, model, batch, graphs=10)
    got = force_loss(all_held(batch))
    assert all_held.last_plan.mode == 'full'
    assert all_held.last_plan.num_chunks == 7
    assert kit.relative_error(got, expected, 'auto') <= 1e-10
    out = readout_of(kit, model, batch)(batch)
    with pytest.raises(RuntimeError, match="gradient='full'"):
        force_loss(out)


def test_graphs_are_gone_when_the_second_pass_runs(kit):
    """What is held comes last in forward, and first in backward."""
    model, batch, _ = setting(kit)
    forward, backward = [], []
    model.head.register_forward_hook(
        lambda module, args, out: (
            forward.append(len(out)) if out.requires_grad else None
        )
    )
    model.head.register_full_backward_hook(
        lambda module, grads, out: backward.append((len(out[0]), len(forward)))
    )
    readout = readout_of(kit, model, batch, 5)
    forward.clear()
    out = readout(batch)
    keep = readout.last_plan.keep
    assert readout.last_plan.mode == 'mixed'
    with_graph = len(forward)
    out.sum().backward()
    before = [now for _, now in backward[:keep]]
    assert before == [with_graph] * keep  # nothing was evaluated again yet
    assert len(forward) > with_graph


def test_tensor_reached_by_closure_is_refused(kit):
    model, batch, _ = setting(kit)
    secret = torch.ones(1, dtype=torch.float64, requires_grad=True)
    model.register_forward_hook(lambda module, args, out: out * secret)
    with pytest.raises(ValueError, match='neither one of its parameters'):
        readout_of(kit, model, batch)(batch)


def test_masked_poses(kit):
    class Bad(kit.TinyGNN):
        def forward(self, batch):
            out = super().forward(batch)
            nodes = torch.bincount(batch.batch, minlength=batch.num_graphs)
            return torch.where(nodes.view(-1, 1) == 14, torch.nan, out)

    torch.manual_seed(0)
    model, batch = Bad().double(), kit.make_batch()
    batch.pos.requires_grad_()
    tensors = [*model.parameters(), batch.pos]
    out = []
    for graphs in (100, 5):
        readout = readout_of(kit, model, batch, graphs, nonfinite='mask')
        with pytest.warns(UserWarning, match='Left out 1 poses'):
            combined = readout(batch)
        out.append([combined, *kit.gradients(combined.sum(), tensors)])
    assert readout.last_plan.mode == 'mixed'
    assert kit.relative_error(out[1], out[0], 'auto') <= 1e-10
