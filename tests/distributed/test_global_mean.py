"""Without other processes; with them, test_several.py."""

import pytest
import torch

from pyg_multipose.distributed import GlobalMean
from pyg_multipose.nn.loss import HuberLoss, MSELoss, WeightedLoss
from pyg_multipose.nn.loss.reduction import totals

PRED = torch.tensor([6.0, 5.0, 7.0])
Y = torch.tensor([5.0, float('nan'), 7.5])


def test_alone_it_is_the_loss_itself():
    loss = GlobalMean(HuberLoss())
    assert torch.equal(loss(PRED, Y), HuberLoss()(PRED, Y))
    assert loss.total == 2.0
    weight = torch.tensor([1.0, 5.0, 0.5])
    assert torch.equal(
        loss(PRED, Y, weight=weight), HuberLoss()(PRED, Y, weight=weight)
    )
    assert loss.total == 1.5


def test_alone_nothing_is_counted_before():
    loss = GlobalMean(HuberLoss())
    loss.count(torch.zeros(5), torch.zeros(5))
    assert torch.equal(loss(PRED, Y), HuberLoss()(PRED, Y))


def test_no_label_here_but_elsewhere():
    """No warning, and no gradient, but a graph."""
    pred = PRED.clone().requires_grad_()
    with totals(lambda total: total + 4):
        loss = MSELoss()(pred, torch.full_like(Y, torch.nan))
    loss.backward()
    assert loss == 0 and (pred.grad == 0).all()
    with totals(lambda total: total + 4):
        assert MSELoss()(PRED, Y) == pytest.approx(1.25 / 6)
    assert MSELoss()(PRED, Y) == pytest.approx(1.25 / 2)  # over with it


@pytest.mark.parametrize(
    'loss, args',
    [
        (torch.nn.MSELoss(), (PRED, PRED)),
        (MSELoss('sum'), (PRED, Y)),
        (MSELoss('none'), (PRED, Y)),
    ],
)
def test_a_mean_of_what(loss, args):
    with pytest.raises(ValueError, match='does not say over how many'):
        GlobalMean(loss)(*args)


def test_each_term_of_a_sum():
    total = WeightedLoss(one=1.0, two=0.5)
    one, two = GlobalMean(MSELoss()), GlobalMean(HuberLoss())
    found = total(one=one(PRED, Y), two=two(PRED, Y))
    expected = total(one=MSELoss()(PRED, Y), two=HuberLoss()(PRED, Y))
    assert torch.equal(found, expected)
