"""Prior weights of poses."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_multipose.nn.combination import (
    BoltzmannMeanCombination,
    Combination,
    FreeEnergyCombination,
    LogMeanExpCombination,
    MaxCombination,
    functional,
)

CLASSES = [
    FreeEnergyCombination,
    LogMeanExpCombination,
    BoltzmannMeanCombination,
    lambda **kwargs: MaxCombination(scale=10.0, negate=False, **kwargs),
]
INDEX = torch.tensor([2, 0, 1, 0, 2, 0])
few = settings(max_examples=40, deadline=None, derandomize=True)


@pytest.fixture(params=CLASSES)
def cls(request):
    return request.param


def _grad(combination, x, index=None, dim_size=None, w=None):
    x = x.clone().requires_grad_()
    values = {} if w is None else {'pose_values': {'w': w}}
    y = combination(x, index, dim_size=dim_size, **values)
    (grad,) = torch.autograd.grad(y.sum(), x)
    return y.detach(), grad


def test_by_definition(cls):
    combination = cls(prior='w')
    assert combination.pose_keys == ('w',)
    x = torch.randn(6, 2, dtype=torch.float64)
    w = torch.randn(6, dtype=torch.float64)
    y, grad = _grad(combination, x, INDEX, 3, w)
    n = -1 if combination.negate else 1
    t = combination.scale
    for group in range(3):
        rows = INDEX == group
        a = n * t * x[rows] + w[rows, None]
        weights = a.softmax(0)
        if isinstance(combination, BoltzmannMeanCombination):
            expected = (weights * x[rows]).sum(0)
            weights = weights * (1 + n * t * (x[rows] - expected))
        else:
            expected = n / t * a.logsumexp(0)
            if combination.normalize:
                expected = expected - n / t * w[rows].logsumexp(0)
        torch.testing.assert_close(y[group], expected)
        torch.testing.assert_close(grad[rows], weights)


def test_equal_weights_change_nothing(cls):
    x = torch.randn(6, 2, dtype=torch.float64)
    for value in (0.0, 3.0):
        w = torch.full((6,), value)
        combination = cls(prior='w')
        y, grad = _grad(combination, x, INDEX, 3, w)
        expected, slope = _grad(cls(), x, INDEX, 3)
        torch.testing.assert_close(grad, slope)
        relative = getattr(combination, 'normalize', True)
        if value == 0.0 or relative:
            torch.testing.assert_close(y, expected)


def test_integer_weights_are_copies(cls):
    x = torch.randn(3, 1, dtype=torch.float64)
    copies = torch.tensor([1, 3, 2])
    y, grad = _grad(cls(prior='w'), x, w=copies.log())
    more = torch.repeat_interleave(torch.arange(3), copies)
    expected, slope = _grad(cls(), x[more])
    torch.testing.assert_close(y, expected, rtol=1e-6, atol=1e-6)
    total = torch.zeros_like(x).index_add(0, more, slope)
    torch.testing.assert_close(grad, total, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('bad', [1.0, math.inf, -math.inf, math.nan])
def test_left_out(cls, bad):
    combination = cls(prior='w')
    x = torch.randn(4, 1, dtype=torch.float64)
    x[1] = bad
    w = torch.tensor([0.5, -math.inf, -1.0, 0.0], dtype=torch.float64)
    y, grad = _grad(combination, x, w=w)
    kept = torch.tensor([0, 2, 3])
    expected, slope = _grad(combination, x[kept], w=w[kept])
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(grad[kept], slope)
    assert grad[1].item() == 0.0
    leaf = x.requires_grad_()
    out = combination(leaf, pose_values={'w': w})
    (first,) = torch.autograd.grad(out.sum(), leaf, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), leaf)
    assert second.isfinite().all()


def test_one_pose(cls):
    combination = cls(prior='w')
    x = torch.tensor([[-7.0]])
    w = torch.tensor([1.25])
    y, grad = _grad(combination, x, w=w)
    assert grad.item() == 1.0
    if getattr(combination, 'normalize', True):
        assert y.item() == -7.0
    else:
        n = -1 if combination.negate else 1
        assert y.item() == pytest.approx(-7.0 + n * 1.25 / combination.scale)


def test_large_energies():
    combination = MaxCombination(prior='w')
    x = torch.tensor([[-300.0], [-300.001], [-299.9]])
    w = torch.tensor([2.0, 0.0, 5.0])
    y, grad = _grad(combination, x, w=w)
    exact, slope = _grad(combination, x.double(), w=w)
    assert y.item() == pytest.approx(exact.item(), rel=1e-7)
    torch.testing.assert_close(grad.double(), slope, rtol=0, atol=1e-6)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(cls, dtype):
    combination = cls(prior='w')
    x, w = torch.randn(4, 1).to(dtype), torch.randn(4).to(dtype)
    y, _ = _grad(combination, x, w=w)
    expected, _ = _grad(combination, x.float(), w=w.float())
    assert y.dtype == torch.float32
    assert torch.equal(y, expected)


@few
@given(
    st.lists(
        st.tuples(
            st.floats(-300.0, 300.0, width=32),
            st.one_of(st.floats(-20.0, 20.0), st.just(-math.inf)),
        ),
        min_size=1,
        max_size=6,
    ).filter(lambda rows: any(w > -math.inf for _, w in rows)),
    st.lists(st.integers(1, 3), min_size=6, max_size=6),
    st.sampled_from([1.0, 1000.0]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_running_form(rows, chunks, scale, negate, normalize, dtype):
    combination = MaxCombination(scale, negate, normalize, prior='w')
    x = torch.tensor([y for y, _ in rows], dtype=dtype)
    w = torch.tensor([w for _, w in rows], dtype=torch.float64)
    y, grad = _grad(combination, x.unsqueeze(1), w=w)
    running = combination.running()
    total = torch.zeros(0, dtype=dtype)
    start = 0
    for size in chunks:
        part = slice(start, start + size)
        start += size
        if len(x[part]) == 0:
            break
        rescale, weights = running.update(x[part], w[part])
        assert rescale.dtype == weights.dtype == dtype
        total = torch.cat([rescale * total, weights])
    tolerance = 1e-6 if dtype == torch.float32 else 1e-11
    assert running.value().dtype == dtype
    torch.testing.assert_close(
        running.value(), y[0, 0], rtol=tolerance, atol=tolerance
    )
    weights = running.normalizer() * total
    torch.testing.assert_close(
        weights, grad.flatten(), rtol=0, atol=10 * tolerance
    )


@pytest.mark.parametrize(
    ('w', 'message'),
    [
        ([0.0, math.nan, 0.0], "'w' of row 1 is nan, expected the logarithm"),
        ([0.0, 0.0, math.inf], "'w' of row 2 is inf, expected"),
        ([0.0, -math.inf, -math.inf], "'w' is -inf for all poses of group 1"),
    ],
)
def test_bad_weights(cls, w, message):
    index = torch.tensor([0, 1, 1])
    with pytest.raises(ValueError, match=message):
        cls(prior='w')(
            torch.randn(3, 1), index, pose_values={'w': torch.tensor(w)}
        )


def test_missing_weights(cls):
    combination, x = cls(prior='w'), torch.randn(3, 1)
    with pytest.raises(ValueError, match=r"key 'w' .*3 predictions \(got non"):
        combination(x)
    with pytest.raises(ValueError, match=r'got \[2\]'):
        combination(x, pose_values={'w': torch.zeros(2)})
    with pytest.raises(ValueError, match="Expected 'prior'"):
        cls(prior=3)
    with pytest.raises(ValueError, match="Expected 'prior'"):
        cls(prior='')


def test_a_combination_of_ones_own():
    class WeightedMean(Combination):
        pose_keys = ('w',)

        def combine(self, x, index, ptr, dim_size, w):
            w = w.to(x.dtype).unsqueeze(1)
            total = functional.group_sum(w, index, dim_size)
            return functional.group_sum(w * x, index, dim_size) / total

    x, w = torch.randn(6, 2), torch.rand(6)
    out = WeightedMean()(x, INDEX, dim_size=3, pose_values={'w': w})
    for group in range(3):
        rows = INDEX == group
        expected = (w[rows, None] * x[rows]).sum(0) / w[rows].sum()
        torch.testing.assert_close(out[group], expected)
    # A column is a vector too.
    again = WeightedMean()(x, INDEX, dim_size=3, pose_values={'w': w[:, None]})
    assert torch.equal(again, out)
