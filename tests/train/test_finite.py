"""Losses and gradients that are not finite stop the training."""

import pytest
import torch
from torch import nn
from torch_geometric.loader import DataLoader
from torch_geometric.utils import scatter

from pyg_multipose.nn.loss import HuberLoss
from pyg_multipose.train import MultiPoseModule

from .conftest import pose_set


class Bad(nn.Module):
    """Where an atom is at the origin, infinite, or its gradient is NaN."""

    def __init__(self, gradient):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.gradient = gradient

    def forward(self, pos, batch):
        far = self.scale * pos.square().sum(dim=1)
        each = far.sqrt() if self.gradient else 1 / far
        return scatter(each, batch, 0, int(batch.max()) + 1, reduce='sum')


@pytest.fixture
def sets():
    out = [pose_set(number, receptor=False) for number in range(4)]
    size = int(out[2].pose_size[0])
    out[2].pos[size] = 0.0  # of its second pose
    return out


def fit(trainer, sets, gradient):
    module = MultiPoseModule(
        Bad(gradient),
        'mean',
        affinity='PIC50',
        readout={'gradient': 'full', 'inputs': 'pos, batch'},
        optimizer='SGD',
    )
    before = module.readout.model.scale.clone()
    with pytest.raises(ValueError, match='is not|expected a finite') as error:
        trainer(accumulate_grad_batches=2).fit(module, DataLoader(sets, 2))
    # No step was made.
    assert torch.equal(module.readout.model.scale, before)
    return str(error.value)


def test_an_energy_that_is_not_finite(trainer, sets):
    text = fit(trainer, sets, gradient=False)
    assert "The prediction of set 'CPD-2', pose 1 is inf" in text


def test_a_gradient_that_is_not_finite(trainer, sets):
    text = fit(trainer, sets, gradient=True)
    assert "its gradient is not, first that of 'readout.model.scale'" in text
    assert "The sets: set 'CPD-0' (label 5), set 'CPD-1' (label 6); " in text
    assert "set 'CPD-3' (label 8). Checkpoints are from before" in text


def test_a_loss_that_is_not_finite(trainer, sets):
    class Overflow(HuberLoss):
        def forward(self, pred, y, **kwargs):
            return super().forward(pred, y, **kwargs) / 0.0

    sets[2].pos += 1.0
    module = MultiPoseModule(
        Bad(False),
        loss=Overflow(),
        readout={'gradient': 'full', 'inputs': 'pos, batch'},
    )
    with pytest.raises(ValueError, match=r"is inf. The sets: set 'CPD-0'"):
        trainer().fit(module, DataLoader(sets, 2))
