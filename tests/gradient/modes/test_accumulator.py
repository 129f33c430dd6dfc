import pytest
import torch

from pyg_multipose.gradient.modes.accumulator import Accumulator


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
def test_sums_scales_and_leaves_grad_empty(dtype):
    leaf = torch.ones(3, dtype=dtype, requires_grad=True)
    unused = torch.ones(2, requires_grad=True)
    sums = Accumulator([leaf, unused])
    for factor in (1.0, 2.0):
        (leaf * factor).sum().backward()
        sums.collect()
        assert leaf.grad is None
    sums.scale(torch.tensor(0.5))
    total, none = sums.totals(any_backward=True)
    assert none is None
    assert total.dtype == dtype and total.tolist() == [1.5] * 3


def test_half_precision_is_summed_in_float32():
    leaf = torch.ones(1, dtype=torch.bfloat16, requires_grad=True)
    sums = Accumulator([leaf])
    for _ in range(1000):
        (leaf * 1.0).sum().backward()
        sums.collect()
    assert sums.totals(True)[0].item() == 1000  # bfloat16 stops at 256


def test_zeros_without_a_backward_pass():
    leaf = torch.ones(2, requires_grad=True)
    frozen = torch.ones(2)
    assert Accumulator([leaf, frozen]).totals(False)[0].tolist() == [0, 0]
    assert Accumulator([leaf, frozen]).totals(False)[1] is None
