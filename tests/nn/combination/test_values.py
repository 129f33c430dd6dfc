import pytest
import torch

from pyg_multipose.nn.combination import (
    FreeEnergyCombination,
    MaxCombination,
    MeanCombination,
    functional,
)


def _loop(reference, members, combination, x, grouping):
    rows = members(len(x), **grouping)
    return torch.stack([reference(combination, x[group]) for group in rows])


@pytest.mark.parametrize('channels', [1, 3])
def test_each_group(combination, grouping, members, reference, channels):
    x = torch.randn(6, channels, dtype=torch.float64)
    out = combination(x, **grouping)
    expected = _loop(reference, members, combination, x, grouping)
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)

    out = combination(x.float(), **grouping)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, expected.float(), rtol=1e-5, atol=1e-6)


def test_index_and_ptr_agree(combination):
    x = torch.randn(6, 2)
    ptr = torch.tensor([0, 3, 4, 6])
    index = torch.tensor([0, 0, 0, 1, 2, 2])
    out = combination(x, ptr=ptr)
    torch.testing.assert_close(out, combination(x, index, dim_size=3))
    torch.testing.assert_close(out, combination(x, index))
    # MessagePassing gives both.
    torch.testing.assert_close(out, combination(x, index, ptr))


def test_one_group_without_index(combination, reference):
    x = torch.randn(5, 2)
    expected = reference(combination, x).float().unsqueeze(0)
    torch.testing.assert_close(combination(x), expected, rtol=1e-5, atol=1e-6)


def test_any_dimension(combination, grouping):
    x = torch.randn(6, 2, 4)
    out = combination(x, **grouping, dim=0)
    assert out.shape == (3, 2, 4)
    for dim in (0, 1, 2, -1, -2, -3):
        moved = combination(x.movedim(0, dim), **grouping, dim=dim)
        assert torch.equal(moved, out.movedim(0, dim))
    assert torch.equal(
        combination(x[:, 0, 0], **grouping, dim=0), out[:, 0, 0]
    )


def test_no_channels_and_no_groups(combination):
    x = torch.randn(3, 0)
    assert combination(x, torch.tensor([0, 1, 0])).shape == (2, 0)
    none = torch.randn(0, 2, requires_grad=True)
    out = combination(none, torch.empty(0, dtype=torch.long), dim_size=0)
    assert out.shape == (0, 2)
    assert combination(none, ptr=torch.tensor([0])).shape == (0, 2)
    out.sum().backward()
    assert none.grad.shape == (0, 2)


def test_smooth_minimum_is_the_default():
    x = torch.tensor([[-3.0], [-9.0], [4.0]])
    assert MaxCombination()(x).item() == pytest.approx(-9.0)
    assert MaxCombination(negate=False)(x).item() == pytest.approx(4.0)


def test_bias_of_equal_poses():
    x = torch.full((9, 1), -7.0)
    bias = torch.tensor(9.0).log().item()
    assert FreeEnergyCombination()(x).item() == pytest.approx(-7.0 - bias)
    up = MaxCombination(scale=2.0, negate=False)(x)
    assert up.item() == pytest.approx(-7.0 + bias / 2)
    for negate in (True, False):
        even = MaxCombination(scale=2.0, negate=negate, normalize=True)
        assert even(x).item() == -7.0


def test_functional_is_the_same(grouping, members):
    x = torch.randn(6, 2, dtype=torch.float64)
    index = torch.empty(6, dtype=torch.long)
    for group, rows in enumerate(members(6, **grouping)):
        index[rows] = group
    torch.testing.assert_close(
        MeanCombination()(x, **grouping), functional.mean(x, index, 3)
    )
    for args in [(1000.0, True, False), (10.0, False, True)]:
        torch.testing.assert_close(
            MaxCombination(*args)(x, **grouping),
            functional.log_sum_exp(x, index, 3, *args),
        )


@pytest.mark.parametrize('scale', [1.0, 10.0, 1000.0])
@pytest.mark.parametrize('negate', [True, False])
def test_functional_weights(scale, negate):
    x = torch.randn(6, 2, dtype=torch.float64)
    index = torch.tensor([2, 0, 1, 0, 2, 0])
    out = functional.softmax_weights(x, index, 3, scale, negate)
    for group in range(3):
        rows = index == group
        n = -1 if negate else 1
        expected = torch.softmax(n * scale * x[rows], dim=0)
        torch.testing.assert_close(out[rows], expected)
