"""Combined predictions and weights: one call, with all its gradients."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn.aggr import SoftmaxAggregation

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MaxCombination, MultiPoseReadout


class Net(nn.Module):
    def __init__(self, width=1):
        super().__init__()
        self.lin = nn.Linear(3, width)

    def forward(self, batch):
        return self.lin(batch.pos)


class Counts(MaxCombination):
    calls = 0

    def forward(self, *args, **kwargs):
        self.calls += 1
        return super().forward(*args, **kwargs)


def poses_of():
    generator = torch.Generator().manual_seed(0)
    return PoseSet.from_poses(
        [Data(pos=torch.randn(1, 3, generator=generator)) for _ in range(5)]
    )


@pytest.mark.parametrize('mode', ['full', 'store', 'stream', 'recompute'])
@pytest.mark.parametrize('grad', [True, False])
def test_calls(mode, grad):
    """One, with weights or without; none where a running form does it."""
    for weights in (False, True):
        combination = Counts(scale=2.0)
        readout = MultiPoseReadout(Net(), combination, gradient=mode)
        with torch.set_grad_enabled(grad):
            readout(poses_of(), return_weights=weights)
        assert combination.calls == (not grad or mode != 'stream')


@pytest.mark.parametrize('weights', [False, True])
@pytest.mark.parametrize('frozen', [False, True])
def test_gradients(weights, frozen):
    """Those of the model and of the combination, in any case."""
    torch.manual_seed(0)
    model, poses = Net(), poses_of()
    model.requires_grad_(not frozen)
    readout = MultiPoseReadout(
        model, SoftmaxAggregation(learn=True), gradient='recompute'
    )
    out = readout(poses, return_weights=weights)
    (out[0] if weights else out).sum().backward()
    y = model.lin(poses.pos)
    t = readout.combination.t.detach().clone().requires_grad_()
    ((t * y).softmax(0) * y).sum().backward(inputs=[t])
    assert torch.allclose(readout.combination.t.grad, t.grad)
    assert (model.lin.weight.grad is None) is frozen


def test_weights_of_all_features():
    torch.manual_seed(0)
    model, poses = Net(3), poses_of()
    readout = MultiPoseReadout(model, MaxCombination(scale=2.0))
    with torch.no_grad():
        _, without = readout(poses, return_weights=True)
    _, weights = readout(poses, return_weights=True)
    expected = (-2 * model.lin(poses.pos)).softmax(0)
    assert torch.allclose(weights, expected, atol=1e-6)
    assert torch.allclose(without, expected, atol=1e-6)
