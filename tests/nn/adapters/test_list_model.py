import doctest

import torch
from torch import nn

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.adapters import ListModel, list_model


class Sizes(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

    def forward(self, items):
        return {
            'y': self.scale * torch.stack([i.square().sum() for i in items])
        }


def test_examples():
    found = doctest.testmod(list_model)
    assert found.attempted and not found.failed


def test_one_item_for_each_pose(kit):
    pose_set = kit.pose_set()
    poses = pose_set.to_poses()
    pose_set.pos.requires_grad_()
    adapter = ListModel(
        Sizes(), lambda pose: pose.pos, lambda model, items: model(items)['y']
    )
    readout = MultiPoseReadout(adapter, 'mean', 'recompute')
    combined, each = readout(pose_set, return_poses=True)
    expected = torch.stack([2 * pose.pos.square().sum() for pose in poses])
    torch.testing.assert_close(each, expected)
    torch.testing.assert_close(combined, expected.mean().view(1))
    (grad,) = torch.autograd.grad(combined.sum(), pose_set.pos)
    torch.testing.assert_close(grad[:8], 4 * pose_set.pos[:8].detach())
