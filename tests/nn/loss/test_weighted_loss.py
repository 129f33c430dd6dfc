"""Sums of losses."""

import doctest
import math

import pytest
import torch

from pyg_multipose.nn import loss
from pyg_multipose.nn.loss import WeightedLoss


def test_sum():
    a = torch.tensor(2.0, requires_grad=True)
    b = torch.tensor(5.0, requires_grad=True)
    total = WeightedLoss(first=1.0, second=0.1)(second=b, first=a)
    total.backward()
    assert total.item() == pytest.approx(2.5)
    assert a.grad == 1 and b.grad.item() == pytest.approx(0.1)


def test_weight_zero_is_left_out():
    a = torch.tensor(2.0, requires_grad=True)
    b = torch.tensor(math.nan, requires_grad=True)
    total = WeightedLoss(first=3, second=0)(first=a, second=b)
    total.backward()
    assert total == 6 and a.grad == 3 and b.grad is None


@pytest.mark.parametrize(
    'weights, message',
    [
        ({}, 'No weight is above 0'),
        ({'a': 0.0, 'b': 0}, 'No weight is above 0'),
        ({'a': -1.0}, "weight of 'a' is -1.0"),
        ({'a': math.nan}, "weight of 'a' is nan"),
        ({'a': 1.0, 'b': math.inf}, "weight of 'b' is inf"),
        ({'a': True}, "weight of 'a' is True"),
        ({'a': torch.tensor(1.0)}, "weight of 'a' is tensor"),
    ],
)
def test_bad_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        WeightedLoss(**weights)


@pytest.mark.parametrize(
    'losses, message',
    [
        ({'a': torch.zeros(())}, r"\['a'\], expected .*\['a', 'b'\]"),
        ({'a': torch.zeros(()), 'c': torch.zeros(())}, r"\['a', 'c'\], exp"),
        ({'a': torch.zeros(()), 'b': torch.zeros(2)}, r"'b' is .*shape \[2\]"),
        ({'a': torch.zeros(()), 'b': 1.0}, "'b' is float"),
        ({'a': torch.zeros(()), 'b': torch.tensor(1)}, "'b' is torch.int64"),
    ],
)
def test_bad_losses(losses, message):
    with pytest.raises(ValueError, match=message):
        WeightedLoss(a=1.0, b=1.0)(**losses)


@pytest.mark.parametrize(
    'module', ['gaussian_nll', 'huber', 'mse', 'pose_cross_entropy',
               'pose_labels', 'relation', 'weighted_loss'],
)  # fmt: skip
def test_examples(module):
    names = {'torch': torch, 'math': math, **vars(loss)}
    result = doctest.testmod(getattr(loss, module), extraglobs=names)
    assert result.attempted > 1 and not result.failed
