"""The best pose, and the mean of the best."""

import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_multipose.nn.combination import (
    HardMaxCombination,
    MeanCombination,
    TopKMeanCombination,
)

few = settings(max_examples=60, deadline=None, derandomize=True)
#: From few values, so that many are equal.
groups = st.lists(
    st.lists(st.integers(-3, 3), min_size=3, max_size=6),
    min_size=1,
    max_size=3,
)


def _grad(combination, x, **kwargs):
    x = x.clone().requires_grad_()
    y = combination(x, **kwargs)
    (grad,) = torch.autograd.grad(y.sum(), x)
    return y.detach(), grad


@pytest.mark.parametrize('negate', [True, False])
def test_ties_as_torch_amax(negate):
    x = torch.tensor([[2.0], [1.0], [2.0], [1.0], [1.0]]).double()
    leaf = x.clone().requires_grad_()
    expected = leaf.amin(0) if negate else leaf.amax(0)
    (slope,) = torch.autograd.grad(expected.sum(), leaf)
    y, grad = _grad(HardMaxCombination(negate), x)
    assert torch.equal(y[0], expected.detach())
    assert torch.equal(grad, slope)


def _brute_force(values, k, negate):
    """Weights over all ways to choose among equal predictions."""
    ordered = sorted(values, reverse=not negate)
    border = ordered[k - 1]
    above = [v for v in ordered[:k] if v != border]
    share = (k - len(above)) / values.count(border)
    better = (lambda v: v < border) if negate else (lambda v: v > border)
    return [
        1.0 if better(v) else share if v == border else 0.0 for v in values
    ]


@few
@given(groups, st.integers(1, 3), st.booleans(), st.randoms())
def test_top_k(groups, k, negate, rng):
    rows = [(i, v) for i, group in enumerate(groups) for v in group]
    rng.shuffle(rows)
    index = torch.tensor([i for i, _ in rows])
    x = torch.tensor([[float(v)] for _, v in rows]).double()
    combination = TopKMeanCombination(k, negate)
    y, grad = _grad(combination, x, index=index, dim_size=len(groups))
    for number, group in enumerate(groups):
        best = sorted(group, reverse=not negate)[:k]
        assert y[number].item() == pytest.approx(sum(best) / k)
        of_group = x[index == number].flatten().tolist()
        expected = torch.tensor(_brute_force(of_group, k, negate)) / k
        got = grad[index == number].flatten()
        torch.testing.assert_close(got, expected.double())


def test_top_k_between_hard_and_mean():
    x = torch.randn(5, 3).double()
    index = torch.zeros(5, dtype=torch.long)
    for combination, like in (
        (TopKMeanCombination(1), HardMaxCombination()),
        (TopKMeanCombination(5), MeanCombination()),
    ):
        torch.testing.assert_close(
            _grad(combination, x, index=index), _grad(like, x, index=index)
        )


def test_top_k_is_differentiable_again(grouping):
    x = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    index = torch.tensor([0, 1, 0, 1, 0, 1])
    combination = TopKMeanCombination(2)

    def call(x):
        return combination(x, index)

    assert torch.autograd.gradcheck(call, x)
    assert torch.autograd.gradgradcheck(call, x)


@pytest.mark.parametrize('negate', [True, False])
def test_clashes(negate):
    bad = math.inf if negate else -math.inf
    x = torch.tensor([[1.0], [bad], [1.5], [7.0 if negate else -7.0]])
    y, grad = _grad(TopKMeanCombination(2, negate), x)
    assert y.item() == 1.25
    assert grad.flatten().tolist() == [0.5, 0.0, 0.5, 0.0]
    x[0] = math.nan
    assert TopKMeanCombination(2, negate)(x).isnan().all()
    # With too few others, it counts.
    assert TopKMeanCombination(3, negate)(x[1:]).item() == bad


def test_too_few_poses():
    index = torch.tensor([0, 0, 0, 1, 2, 2])
    message = re.escape(
        'TopKMeanCombination(k=2, negate=True) needs 2 predictions of each '
        'group, but group 1 has 1'
    )
    with pytest.raises(ValueError, match=message):
        TopKMeanCombination(2)(torch.randn(6, 1), index)


@pytest.mark.parametrize('k', [0, -1, 1.0, '2', None, True])
def test_bad_k(k):
    with pytest.raises(ValueError, match="Expected 'k'"):
        TopKMeanCombination(k)


def test_compiled():
    combination = TopKMeanCombination(2)
    call = torch.compile(
        lambda x, index: combination(x, index, dim_size=2),
        backend='eager',
        fullgraph=True,
    )
    x = torch.tensor([[3.0], [1.0], [2.0], [0.0]])
    assert call(x, torch.tensor([0, 0, 0, 0])[:4]).isnan().tolist() == [
        [False],
        [True],
    ]
    out = call(x, torch.tensor([0, 0, 0, 1]))
    assert out[0].item() == 1.5 and out[1].isnan()
    torch._dynamo.reset()
