"""Losses of sets and of poses, in every gradient mode."""

import math

import pytest
import torch

from pyg_multipose.nn import MaxCombination, MultiPoseReadout
from pyg_multipose.nn.affinity import PIC50
from pyg_multipose.nn.loss import (
    GaussianNLLLoss,
    HuberLoss,
    MSELoss,
    PoseCrossEntropyLoss,
    WeightedLoss,
    soft_pose_labels,
)

ALL = ['full', 'store', 'stream', 'recompute', 'auto']
RELATION = torch.tensor([0, 0, -1])


def of_sets(pred, y):
    return {
        'mse': lambda: MSELoss()(pred, y, RELATION),
        'huber': lambda: HuberLoss()(pred, y, RELATION),
        'tobit': lambda: GaussianNLLLoss()(pred, y, 0.5, RELATION),
    }


def gradients(kit, mode, loss, width=1, poses=False):
    """The loss and the gradients of one step."""
    torch.manual_seed(0)
    readout = MultiPoseReadout(
        kit.Model(width), MaxCombination(3.0), gradient=mode
    )
    batch = kit.make_batch()
    out = loss(batch, *readout(batch, return_poses=True)) if poses else loss(
        batch, readout(batch)
    )  # fmt: skip
    out.backward()
    return out.detach(), [p.grad for p in readout.parameters()]


def agree(kit, modes, loss, **kwargs):
    value, expected = gradients(kit, 'full', loss, **kwargs)
    assert value.isfinite()
    for mode in modes:
        out, grads = gradients(kit, mode, loss, **kwargs)
        torch.testing.assert_close(out, value, rtol=1e-12, atol=0)
        torch.testing.assert_close(grads, expected, rtol=1e-10, atol=1e-13)
    return expected


@pytest.mark.parametrize('name', of_sets(None, None))
def test_of_sets(kit, name):
    def loss(batch, pred):
        y = torch.tensor([1.0, math.nan, -1.0]).double()
        return of_sets(PIC50()(pred), y)[name]()

    grads = agree(kit, ALL, loss)
    assert all(grad.isfinite().all() for grad in grads)
    assert any(grad.any() for grad in grads)


def test_features(kit):
    def loss(batch, pred):
        y = torch.full((3, 2), 0.5).double()
        y[1] = y[0, 1] = math.nan
        return MSELoss()(pred, y)

    agree(kit, ['recompute', 'auto'], loss, width=2)


def joint(batch, pred, pose_pred):
    y = torch.tensor([1.0, math.nan, -1.0]).double()
    size = batch.set_size
    rmsd = torch.linspace(0, 4, 8).double()
    rmsd[:4] = math.nan  # the first set has no reference
    per_pose = 1 / size.repeat_interleave(size)
    return WeightedLoss(sets=1.0, right=0.2, poses=0.1)(
        sets=MSELoss()(pred, y, RELATION),
        right=PoseCrossEntropyLoss()(
            pose_pred, soft_pose_labels(rmsd, size), size
        ),
        poses=HuberLoss()(
            pose_pred,
            y.repeat_interleave(size),
            RELATION.repeat_interleave(size),
            per_pose,
        ),
    )


def test_of_sets_and_poses(kit):
    agree(kit, ['recompute', 'auto', 'store'], joint, poses=True)


def test_is_a_sum_over_poses(kit):
    """Equations (1) and (2): coefficients times derivatives, by hand."""
    _, got = gradients(kit, 'recompute', joint, poses=True)
    torch.manual_seed(0)
    model, batch = kit.Model(), kit.make_batch()
    readout = MultiPoseReadout(model, MaxCombination(3.0), gradient='full')
    with torch.no_grad():
        combined, poses = readout(batch, return_poses=True)
    pred = combined.clone().requires_grad_()
    pose_pred = poses.clone().requires_grad_()
    by_set, by_pose = torch.autograd.grad(
        joint(batch, pred, pose_pred), (pred, pose_pred)
    )
    _, weight = readout(batch, return_weights=True)
    c = by_set.repeat_interleave(batch.set_size) * weight + by_pose
    total = [torch.zeros_like(p) for p in model.parameters()]
    number = 0
    for pose_set in batch.to_data_list():
        for pose in range(pose_set.num_poses):
            y = readout(pose_set.select([pose])).sum()
            for sum_, grad in zip(
                total, torch.autograd.grad(y, model.parameters()), strict=True
            ):
                sum_ += c[number] * grad
            number += 1
    torch.testing.assert_close(got, total, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('mode', ['full', 'recompute', 'auto'])
def test_poses_that_are_left_out(kit, mode):
    """They are taken out of their set by an infinite energy."""

    class Flawed(kit.Model):
        def forward(self, batch):
            out = super().forward(batch)
            return torch.where(out == worst, torch.nan, out)

    def loss_and_gradients(model, batch, right):
        readout = MultiPoseReadout(model, gradient=mode, nonfinite='mask')
        _, poses = readout(batch, return_poses=True)
        poses = torch.where(poses.isfinite(), poses, torch.inf)
        out = PoseCrossEntropyLoss()(
            poses, torch.tensor([right]), batch.set_size
        )
        return out, torch.autograd.grad(out, list(model.parameters()))

    pose_set = kit.make_batch((4,))
    torch.manual_seed(0)
    model = kit.Model()
    with torch.no_grad():
        worst = MultiPoseReadout(model)(pose_set, return_poses=True)[1][1]
    flawed = Flawed()
    flawed.load_state_dict(model.state_dict())
    with pytest.warns(UserWarning, match='Left out 1 poses'):
        got = loss_and_gradients(flawed, pose_set, 2)
    rest = pose_set[0].select([0, 2, 3])
    torch.testing.assert_close(got, loss_and_gradients(model, rest, 1))


@pytest.mark.parametrize('mode', ALL)
def test_a_batch_without_labels(kit, mode):
    """A step goes through, with zeros, and is not silent."""

    def loss(batch, pred):
        return MSELoss()(pred, torch.full((3,), math.nan))

    with pytest.warns(UserWarning, match='None of these predictions'):
        out, grads = gradients(kit, mode, loss)
    assert out == 0
    assert all(grad.eq(0).all() for grad in grads)
