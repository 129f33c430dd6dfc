import re

import pytest
import torch

from pyg_multipose.nn.combination import (
    Combination,
    MaxCombination,
    MeanCombination,
)


@pytest.mark.parametrize(
    ('grouping', 'names'),
    [
        ({'index': torch.tensor([0, 2, 2, 4])}, '2 of 5 groups (number 1, 3)'),
        (
            {'index': torch.tensor([1, 1, 1, 1]), 'dim_size': 3},
            '2 of 3 groups (number 0, 2)',
        ),
        ({'dim_size': 2}, '1 of 2 groups (number 1)'),
        (
            {'ptr': torch.tensor([0, 0, 3, 4, 4])},
            '2 of 4 groups (number 0, 3)',
        ),
        (
            {'index': torch.zeros(4, dtype=torch.long), 'dim_size': 99},
            '98 of 99 groups (number 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...)',
        ),
    ],
)
def test_empty_group(combination, grouping, names):
    with pytest.raises(ValueError, match=re.escape(names)) as error:
        combination(torch.randn(4, 1), **grouping)
    assert 'Remove the sets without poses' in str(error.value)


def test_no_prediction_at_all(combination):
    x = torch.empty(0, 1)
    with pytest.raises(ValueError, match='1 of 1 groups'):
        combination(x)
    with pytest.raises(ValueError, match='2 of 2 groups'):
        combination(x, torch.empty(0, dtype=torch.long), dim_size=2)
    with pytest.raises(ValueError, match='1 of 1 groups'):
        combination(x, ptr=torch.tensor([0, 0]))


@pytest.mark.parametrize(
    ('ptr', 'message'),
    [
        ([0, 2, 3], 'got 0 to 3'),
        ([0, 2, 5], 'got 0 to 5'),
        ([1, 2, 4], 'got 1 to 4'),
        ([0, 3, 2, 4], 'smallest step -1'),
        ([0], 'got 0 to 0'),
        ([[0, 4]], r'got shape \[1, 2\]'),
        ([], r'got shape \[0\]'),
    ],
)
def test_bad_ptr(combination, ptr, message):
    ptr = torch.tensor(ptr, dtype=torch.long)
    with pytest.raises(ValueError, match=message):
        combination.forward(torch.randn(4, 1), ptr=ptr)


def test_bad_ptr_type(combination):
    with pytest.raises(ValueError, match='torch.int32'):
        combination(torch.randn(4, 1), ptr=torch.tensor([0, 4]).int())


@pytest.mark.parametrize(
    'index',
    [
        torch.tensor([0, 0, 1]),
        torch.tensor([[0], [0], [1], [1]]),
        torch.tensor([0, 0, 1, 1], dtype=torch.int32),
    ],
)
def test_bad_index(combination, index):
    with pytest.raises(ValueError, match='a vector of 4 integers'):
        combination(torch.randn(4, 1), index, dim_size=2)


def test_bad_sizes(combination):
    x = torch.randn(4, 1)
    with pytest.raises(ValueError, match="invalid 'dim_size'"):
        combination(x, torch.tensor([0, 1, 2, 0]), dim_size=2)
    with pytest.raises(ValueError, match="invalid 'dim_size'"):
        combination(x, ptr=torch.tensor([0, 4]), dim_size=2)
    with pytest.raises(ValueError, match='invalid dimension'):
        combination(x, dim=2)
    with pytest.raises(ValueError, match='invalid dimension'):
        combination(x[:, 0])


@pytest.mark.parametrize('dtype', [torch.long, torch.bool, torch.complex64])
def test_bad_type(combination, dtype):
    with pytest.raises(ValueError, match=f'got {dtype}'):
        combination(torch.ones(4, 1, dtype=dtype))


@pytest.mark.parametrize(
    'scale',
    [
        0.0,
        -1.0,
        float('inf'),
        float('nan'),
        '1',
        None,
        torch.tensor(1.0, requires_grad=True),
    ],
)
def test_bad_scale(scale):
    with pytest.raises(ValueError, match="Expected 'scale' to be a positive"):
        MaxCombination(scale=scale)


def test_without_running_form():
    class Median(Combination):
        def combine(self, x, index, ptr, dim_size):
            return torch.stack(
                [x[index == i].median(0).values for i in range(dim_size)]
            )

    median = Median()
    x = torch.tensor([[1.0], [5.0], [2.0]], requires_grad=True)
    out = median(x)
    out.backward()
    assert out.item() == 2.0
    assert x.grad.flatten().tolist() == [0.0, 0.0, 1.0]
    assert not median.has_running_form
    with pytest.raises(NotImplementedError, match="'Median' has no running"):
        median.running()
    with pytest.raises(NotImplementedError):
        Combination()(torch.randn(2, 1))


def test_running_form_errors():
    running = MeanCombination().running()
    with pytest.raises(ValueError, match='no prediction yet'):
        running.value()
    running = MaxCombination().running()
    for method in (running.value, running.normalizer):
        with pytest.raises(ValueError, match='no prediction yet'):
            method()
    with pytest.raises(ValueError, match=r'got shape \[0\]'):
        running.update(torch.empty(0))
    with pytest.raises(ValueError, match=r'got shape \[2, 1\]'):
        running.update(torch.randn(2, 1))
