import doctest

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.nn import MaxCombination, MultiPoseReadout
from pyg_multipose.nn.adapters import Scorer, scorer


def size(pose):
    return np.float32(pose.num_nodes)


class Library:
    """An object of another library; it cannot be copied."""

    def __reduce__(self):
        raise TypeError('cannot pickle a handle')

    def score(self, pose):
        return pose.pos[:, 0].max()


def test_examples():
    found = doctest.testmod(scorer)
    assert found.attempted and not found.failed


def test_combined(kit):
    readout = MultiPoseReadout(Scorer(size), MaxCombination(negate=False))
    best, each = readout(kit.pose_set(), return_poses=True)
    assert each.tolist() == [11, 10, 12] and each.dtype == torch.float64
    assert best.tolist() == pytest.approx([12])
    assert readout.last_plan.mode == 'none'


def test_a_method_and_many_scores(kit):
    pose_set = kit.pose_set()
    readout = MultiPoseReadout(Scorer(Library().score), 'mean')
    expected = [float(pose.pos[:, 0].max()) for pose in pose_set.to_poses()]
    _, each = readout(pose_set, return_poses=True)
    assert each.tolist() == expected
    two = Scorer(lambda pose: [pose.num_nodes, 1])
    assert MultiPoseReadout(two, 'mean')(pose_set).tolist() == [[11, 1]]


def test_a_batch_at_once(kit):
    readout = MultiPoseReadout(
        Scorer(lambda batch: batch.ptr.diff().numpy(), each=False), 'mean'
    )
    assert readout(kit.pose_set()).tolist() == [11]


def test_no_positions():
    poses = [Data(z=torch.ones(n), pos=torch.ones(n, 3).int()) for n in (1, 2)]
    out = Scorer(lambda pose: 0.5 * pose.num_nodes)(
        Batch.from_data_list(poses)
    )
    assert out.tolist() == [0.5, 1.0]


def test_a_learned_combination_learns(kit):
    from torch_geometric.nn import SoftmaxAggregation

    pool = SoftmaxAggregation(t=0.1, learn=True)
    readout = MultiPoseReadout(Scorer(size), pool)
    readout(kit.pose_set()).sum().backward()
    t, y = torch.tensor(0.1, requires_grad=True), torch.tensor([11, 10, 12.0])
    ((t * y).softmax(0) * y).sum().backward()
    torch.testing.assert_close(pool.t.grad.view(()), t.grad)


@pytest.mark.parametrize('gradient', ['full', 'recompute', 'auto'])
def test_no_gradient(kit, gradient):
    pose_set = kit.pose_set()
    pose_set.pos.requires_grad_()
    readout = MultiPoseReadout(Scorer(size), 'mean', gradient)
    with pytest.raises(ValueError, match=r"\['pos'\] of the poses require"):
        readout(pose_set).sum().backward()
    with torch.no_grad():
        assert readout(pose_set).tolist() == [11]


def test_parameters_inside_are_not_trained(kit):
    layer = torch.nn.Linear(3, 1).double()
    readout = MultiPoseReadout(
        Scorer(lambda pose: layer(pose.pos).sum()), 'mean'
    )
    out = readout(kit.pose_set())
    with pytest.raises(RuntimeError, match='does not require grad'):
        out.sum().backward()


@pytest.mark.parametrize(
    ('function', 'each', 'got'),
    [
        (lambda pose: 'good', True, 'good'),
        (lambda pose: None, True, 'None'),
        (lambda pose: np.zeros((2, 2)), True, '0'),
        (lambda batch: 1.0, False, '1.0'),
        (lambda batch: [1.0], False, '1.0'),
    ],
)
def test_what_are_no_numbers(kit, function, each, got):
    with pytest.raises(ValueError, match=f'returned .*{got}[^$]* for 3 poses'):
        Scorer(function, each)(kit.poses())


def test_no_function():
    with pytest.raises(ValueError, match="'function' is a float"):
        Scorer(1.0)


def test_a_score_that_is_no_number(kit):
    readout = MultiPoseReadout(Scorer(lambda pose: float('nan')), 'mean')
    with pytest.raises(ValueError, match='finite|NaN|nan'):
        readout(kit.pose_set())
