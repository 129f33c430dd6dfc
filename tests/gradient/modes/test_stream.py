"""Which poses the mode `stream` lets go, chunk by chunk."""

import math

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MaxCombination, MultiPoseReadout


class Levels(nn.Module):
    """One parameter for each pose; some have a derivative without bound."""

    def __init__(self, levels, bad=()):
        super().__init__()
        levels = torch.tensor(levels, dtype=torch.float64)
        self.level = nn.Parameter(levels)
        self.common = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.bad = torch.tensor([n in bad for n in range(len(levels))])

    def forward(self, batch):
        rows = self.bad[batch.z].nonzero().flatten()
        roots = self.common.expand(len(rows)).abs().sqrt()
        out = self.level[batch.z] + self.common
        return out.index_add(0, rows, roots)


def stream(levels, chunk=2, tolerance=0.05, sizes=None, bad=()):
    sizes = sizes or [len(levels)]
    numbers = torch.arange(len(levels)).split(sizes)
    poses = Batch.from_data_list(
        [
            PoseSet.from_poses([Data(z=z.view(1)) for z in of_set])
            for of_set in numbers
        ]
    )
    model = Levels(levels, bad)
    combination = MaxCombination(scale=1.0, negate=False, normalize=False)
    readout = MultiPoseReadout(
        model,
        combination,
        gradient='stream',
        tolerance=tolerance,
        max_nodes_per_chunk=chunk,
    )
    return model, readout, readout(poses)


def dropped(levels, **kwargs):
    """The poses without a gradient; the others have theirs."""
    model, readout, out = stream(levels, **kwargs)
    out.sum().backward()
    grad = model.level.grad
    kept = grad != 0
    expected = model.level.detach().softmax(0)
    assert torch.allclose(grad[kept], expected[kept], rtol=1e-12)
    assert readout.last_plan.counts.backward == int(kept.sum())
    return (~kept).nonzero().flatten().tolist()


def test_mass_that_was_dropped_is_rescaled():
    """What was .04 of the mass is .004 of it once the extremum rises."""
    levels = [0.0, math.log(0.04), math.log(10.0), math.log(0.5)]
    assert dropped(levels) == [1, 3]


def test_mass_that_was_dropped_adds_up():
    small = math.log(0.04)
    assert dropped([0.0, small, small, small], chunk=1) == [1]
    assert dropped([0.0, small, small], chunk=3) == [1]


def test_dropped_poses_of_a_chunk_get_nothing():
    assert dropped([0.0, -90.0, 0.1, -80.0], chunk=4, tolerance=1e-9) == [1, 3]


def test_zero_tolerance_keeps_all_but_zeros():
    assert dropped([0.0, -30.0, -2000.0], tolerance=0.0) == [2]


def test_what_matters_is_counted_by_final_weights():
    _, readout, _ = stream([0.0, 0.1, 20.0, 20.1], tolerance=1e-6)
    counts = readout.last_plan.counts
    assert counts.mattered == 2 and counts.backward == 4


def test_a_set_without_weight_adds_nothing():
    model, _, out = stream([0.0, 1.0, 2.0], sizes=[1, 2], bad=[0])
    out[1].backward()
    assert model.common.grad.isfinite()
    assert model.level.grad[0] == 0 and model.level.grad[1:].min() > 0


def test_a_derivative_without_bound_that_matters_is_seen():
    model, _, out = stream([0.0, 1.0, 2.0], bad=[1])
    out.sum().backward()
    assert not model.common.grad.isfinite()


@pytest.mark.parametrize(
    'levels', [[0.0, -10.0, 7.0], [-10.0, 0.0, 7.0], [0.0, -10.0, 7.0, -10.0]]
)
@pytest.mark.parametrize('chunk', [1, 2])
def test_a_derivative_without_bound_that_matters_no_more(levels, chunk):
    bad = [place for place, level in enumerate(levels) if level == -10]
    model, _, out = stream(levels, chunk, 1e-6, bad=bad)
    out.sum().backward()
    assert torch.allclose(model.common.grad, torch.ones(()).double())
