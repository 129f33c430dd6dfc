"""Kind 12: a pose without weight adds nothing, in whatever company."""

import pytest
import torch
from torch import nn
from torch_geometric.utils import scatter

from pyg_multipose.nn import MultiPoseReadout

MODES = ['store', 'stream', 'recompute', 'auto']
#: The pose whose features are zero.
FLAT = 3


class Root(nn.Module):
    """A root at zero: finite, but its derivative is not."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 4, bias=False)
        self.level = nn.Parameter(torch.tensor(0.5))

    def forward(self, b):
        h = scatter(self.lin(b.x), b.batch, 0, b.num_graphs)
        return self.of(h) + self.level

    def of(self, h):
        return -h.square().sum(1).sqrt()


class Power(Root):
    def of(self, h):
        return -h.square().sum(1).pow(0.25)


class Ratio(Root):
    """The branch that is not taken divides by zero."""

    def of(self, h):
        size = h.square().sum(1)
        return -torch.where(size > 0, size / size, 0.0) - size


class Angle(Root):
    def of(self, h):
        return -torch.acos(1 - h.square().sum(1).clamp(max=1.5))


class Logarithm(Root):
    def of(self, h):
        size = h.square().sum(1)
        return -(size * size.log()).nan_to_num(0.0).abs()


class Overflow(Root):
    """An infinite derivative that is no NaN."""

    def of(self, h):
        return -h.sum(1).abs().sqrt() - h.square().sum(1)


KINDS = [Root, Power, Ratio, Angle, Logarithm, Overflow]


def poses_of(silent, receptor=False):
    g = torch.Generator().manual_seed(0)
    made = [silent.atoms(5, g) for _ in range(6)]
    made[FLAT].x = torch.zeros(5, 4)
    return silent.PoseSet.from_poses(made)


def expected_of(silent, model, poses, loss):
    """By the poses that have a weight, and nothing else."""
    keep = [pose for pose in range(6) if pose != FLAT]
    y = model(silent.whole(poses.select(keep)))
    return torch.autograd.grad(loss(y), list(model.parameters()))


def check(silent, readout, loss, expected):
    parameters = list(readout.model.parameters())
    for p in parameters:
        p.grad = None
    try:
        loss().backward()
    except (ValueError, RuntimeError) as error:
        assert 'deriv' in str(error) or 'gradient' in str(error), error
        return
    for p, one in zip(parameters, expected, strict=True):
        silent.same('a gradient', p.grad, one)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('chunk', [None, 5, 10])
def test_sharp_max(silent, kind, mode, chunk):
    model, poses = kind(), poses_of(silent)
    assert model(silent.whole(poses)).isfinite().all()

    def loss(y):
        return -torch.logsumexp(-silent.SCALE * y, 0) / silent.SCALE

    expected = expected_of(silent, model, poses, loss)
    readout = MultiPoseReadout(
        model, 'max', gradient=mode, max_nodes_per_chunk=chunk
    )
    check(silent, readout, lambda: readout(poses).sum(), expected)


@pytest.mark.parametrize('kind', [Root, Ratio])
@pytest.mark.parametrize(
    ('mode', 'budget'),
    [('recompute', None), ('auto', None), ('auto', 20_000), ('store', None)],
)
@pytest.mark.parametrize('chunk', [None, 5, 10])
def test_loss_that_leaves_a_pose_out(silent, kind, mode, chunk, budget):
    """By a weight that is exactly zero, of a loss on the poses."""
    model, poses = kind(), poses_of(silent)
    weight = torch.ones(6)
    weight[FLAT] = 0
    keep = weight.bool()
    expected = expected_of(silent, model, poses, lambda y: y.square().sum())
    readout = MultiPoseReadout(
        model,
        'mean',
        gradient=mode,
        max_nodes_per_chunk=chunk,
        memory_budget=budget,
    )

    def by_weight():
        each = readout(poses, return_poses=True)[1]
        return (each.square() * weight).sum()

    def by_choice():
        each = readout(poses, return_poses=True)[1]
        return each[keep].square().sum()

    for loss in (by_weight, by_choice):
        check(silent, readout, loss, expected)


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('order', ['first', 'last'])
@pytest.mark.parametrize('chunk', [5, 10, None])
def test_best_pose_that_comes_later(silent, mode, order, chunk):
    """In `stream` a pose has a weight until a better one comes."""
    model = Root()
    g = torch.Generator().manual_seed(0)
    made = [silent.atoms(5, g) for _ in range(6)]
    flat = 0 if order == 'first' else 5
    made[flat].x = torch.zeros(5, 4)
    poses = silent.PoseSet.from_poses(made)
    keep = [pose for pose in range(6) if pose != flat]
    y = model(silent.whole(poses.select(keep)))
    loss = -torch.logsumexp(-silent.SCALE * y, 0) / silent.SCALE
    expected = torch.autograd.grad(loss, list(model.parameters()))
    readout = MultiPoseReadout(
        model, 'max', gradient=mode, max_nodes_per_chunk=chunk
    )
    check(silent, readout, lambda: readout(poses).sum(), expected)


class Shared(Root):
    """The same with a receptor that is evaluated once."""

    def forward(self, b):
        x = torch.where(b.is_ligand[:, None], b.x, 0.0)
        h = scatter(self.lin(x), b.batch, 0, b.num_graphs)
        rest = torch.where(b.is_ligand[:, None], 0.0, b.x)
        rest = scatter(self.lin(rest).tanh(), b.batch, 0, b.num_graphs)
        return self.of(h) + self.level * rest.sum(1)

    def encode_receptor(self, receptor):
        return self.level * self.lin(receptor.x).tanh().sum()

    def forward_poses(self, poses, state):
        size, first = poses.pose_size, int(poses.receptor_size)
        at = torch.arange(len(size)).repeat_interleave(size)
        h = scatter(self.lin(poses.x[first:]), at, 0, len(size))
        return self.of(h) + state


@pytest.mark.parametrize('mode', MODES[1:])
@pytest.mark.parametrize('chunk', [None, 3, 8])
def test_sharp_max_with_a_receptor(silent, mode, chunk):
    model, poses = Shared(), silent.complexes()
    poses.x[30:33] = 0
    y = model(silent.whole(poses.select([1, 2, 3])))
    loss = -torch.logsumexp(-silent.SCALE * y, 0) / silent.SCALE
    expected = torch.autograd.grad(loss, list(model.parameters()))
    readout = MultiPoseReadout(
        model, 'max', gradient=mode, max_nodes_per_chunk=chunk
    )
    check(silent, readout, lambda: readout(poses).sum(), expected)
