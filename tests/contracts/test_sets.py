"""One pose, no poses, poses that cannot be scored."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch
from torch_geometric.utils import scatter

MODES = ['full', 'store', 'stream', 'recompute', 'auto']


class Marked(nn.Module):
    """A linear model that returns a bad value for marked poses."""

    def __init__(self, bad):
        super().__init__()
        self.linear = nn.Linear(4, 1)
        self.bad = bad

    def forward(self, batch):
        h = scatter(batch.x, batch.batch, 0, batch.num_graphs, 'mean')
        marked = batch.mark.view(-1, 1) > 0
        # The bad value reaches the parameters, as a real overflow would.
        return self.linear(torch.where(marked, h * self.bad, h))


def marked_batch(kit, marks):
    """Sets whose poses carry a mark."""
    sets = [
        kit.make_set((3,) * len(of_set), True, number, f'cpd-{number}')
        for number, of_set in enumerate(marks)
    ]
    for of_set, values in zip(sets, marks, strict=True):
        of_set.put('mark', torch.tensor(values), level='pose')
    return Batch.from_data_list(sets)


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('combination', ['mean', 'max', 'free_energy'])
def test_one_pose(kit, mode, combination):
    model = kit.make_model('tiny').module
    one = kit.make_set((5,), True, 0, 'a')
    readout = kit.MultiPoseReadout(model, combination, gradient=mode)
    combined, weights = readout(one, return_weights=True)
    assert torch.equal(combined, kit.plain(model, Batch.from_data_list([one])))
    assert weights.tolist() == [1.0]


@pytest.mark.parametrize('mode', MODES)
def test_set_without_poses(kit, mode):
    batch = kit.make_batch()
    # Only by hand: PoseSet refuses to build one.
    batch.set_size = torch.tensor([4, 0, 3])
    readout = kit.MultiPoseReadout(kit.make_model('tiny').module)
    with pytest.raises(ValueError, match="set 'cpd-1' has no poses"):
        readout(batch)


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('mode', MODES)
def test_nonfinite_prediction_is_an_error(kit, mode, bad):
    batch = marked_batch(kit, [[0, 0], [0, 0, 1]])
    readout = kit.MultiPoseReadout(Marked(bad).double(), gradient=mode)
    with pytest.raises(ValueError, match="set 'cpd-1', pose 2") as error:
        readout(batch)
    assert "nonfinite='mask'" in str(error.value)
    with torch.no_grad(), pytest.raises(ValueError, match='pose 2'):
        readout(batch)


@pytest.mark.parametrize('max_nodes', [1, 1000])
@pytest.mark.parametrize('bad', [math.nan, math.inf])
@pytest.mark.parametrize('mode', MODES)
def test_nonfinite_prediction_is_masked(kit, mode, bad, max_nodes):
    batch = marked_batch(kit, [[0, 1, 0], [0, 0, 1]])
    kept = Batch.from_data_list(
        [batch[0].select([0, 2]), batch[1].select([0, 1])]
    )
    model = Marked(bad).double()
    tensors = list(model.parameters())
    readout = kit.MultiPoseReadout(
        model,
        'free_energy',
        gradient=mode,
        nonfinite='mask',
        max_nodes_per_chunk=max_nodes,
    )
    expected = readout(kept)
    with pytest.warns(UserWarning, match="set 'cpd-0', pose 1"):
        got, weights = readout(batch, return_weights=True)
    assert weights[[1, 5]].tolist() == [0, 0]
    assert (
        kit.relative_error(
            [got, *kit.gradients(got.pow(2).sum(), tensors)],
            [expected, *kit.gradients(expected.pow(2).sum(), tensors)],
        )
        <= 1e-10
    )


@pytest.mark.parametrize('mode', MODES)
def test_nothing_left_after_masking(kit, mode):
    batch = marked_batch(kit, [[0, 0], [1, 1]])
    readout = kit.MultiPoseReadout(
        Marked(math.nan).double(), gradient=mode, nonfinite='mask'
    )
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with pytest.raises(ValueError, match="No pose of set 'cpd-1'"):
            readout(batch)


@pytest.mark.parametrize('mode', MODES)
def test_nonfinite_upstream_gradient_arrives(kit, mode):
    model = kit.make_model('tiny').module
    readout = kit.MultiPoseReadout(model, gradient=mode)
    out = readout(kit.make_batch())
    out.backward(torch.tensor([1.0, math.nan, 1.0], dtype=out.dtype))
    assert model.head.weight.grad.isnan().any()


@pytest.mark.parametrize(
    'dtype', [torch.float16, torch.bfloat16, torch.float32]
)
@pytest.mark.parametrize('mode', ['full', 'recompute', 'stream'])
def test_combined_in_float32_at_least(kit, mode, dtype):
    """t = 1000 on predictions far from zero, in half precision."""

    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.zeros(()))

        def forward(self, batch):
            low = batch.mark.to(torch.float32) * 0.5 - 70
            return (low + self.shift).to(dtype)

    model = Constant()
    batch = marked_batch(kit, [[0, 1, 2, 0], [2]])
    readout = kit.MultiPoseReadout(model, 'max', gradient=mode)
    combined, weights = readout(batch, return_weights=True)
    assert combined.dtype == torch.float32
    weights = weights.float()
    assert torch.allclose(weights[:4].sum(), torch.tensor(1.0), atol=1e-6)
    assert weights.tolist() == [0.5, 0.0, 0.0, 0.5, 1.0]
    assert combined[0].item() == pytest.approx(-70 - math.log(2) / 1000)
    combined.sum().backward()
    assert model.shift.grad.item() == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize('shape', ['[3]', '[P, 1, 1]', 'int', 'str'])
@pytest.mark.parametrize('mode', MODES)
def test_wrong_model_output(kit, mode, shape):
    class Wrong(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, batch):
            out = self.weight.expand(batch.num_graphs)
            return {
                '[3]': torch.cat([out, self.weight]),
                '[P, 1, 1]': out.view(-1, 1, 1),
                'int': out.long(),
                'str': 'energy',
            }[shape]

    readout = kit.MultiPoseReadout(Wrong(), gradient=mode)
    with pytest.raises(ValueError, match='single-pose model returned .*expe'):
        readout(kit.make_batch())


@pytest.mark.parametrize('mode', MODES)
def test_tuple_output(kit, mode):
    class Tuple(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, batch):
            return self.model(batch), batch.pos

    model = kit.make_model('tiny').module
    batch = kit.make_batch()
    got = kit.MultiPoseReadout(Tuple(model), gradient=mode)(batch)
    assert torch.allclose(got, kit.MultiPoseReadout(model)(batch))
