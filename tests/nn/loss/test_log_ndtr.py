"""The logarithm of the normal distribution function, far out."""

import math

import pytest
import torch
from scipy import special, stats
from torch.autograd import gradcheck, gradgradcheck

from pyg_multipose.nn.loss.log_ndtr import log_ndtr

PLACES = [-1e5, -5e3, -100, -14, -5, -1, 0, 1, 5, 8, 14, 100, 1e5]


def hazard(z):
    """phi(z) / Phi(z), without a difference of large numbers."""
    return math.sqrt(2 / math.pi) / special.erfcx(-z / math.sqrt(2))


@pytest.mark.parametrize(
    'dtype, rtol', [(torch.float64, 1e-12), (torch.float32, 1e-4)]
)
def test_values_and_derivatives(dtype, rtol):
    z = torch.tensor(PLACES, dtype=dtype, requires_grad=True)
    out = log_ndtr(z)
    out.sum().backward()
    for place, value, slope in zip(
        PLACES, out.tolist(), z.grad.tolist(), strict=True
    ):
        tiny = torch.finfo(dtype).tiny
        assert value == pytest.approx(stats.norm.logcdf(place), rtol, tiny)
        assert slope == pytest.approx(hazard(place), rtol, tiny)


def test_far_below_it_is_a_line():
    """phi(z) / Phi(z) is -z there."""
    z = torch.tensor([-5e3, -1e6], requires_grad=True)
    log_ndtr(z).sum().backward()
    torch.testing.assert_close(z.grad, -z.detach())


def test_gradcheck():
    z = torch.linspace(-6, 6, 13, dtype=torch.float64, requires_grad=True)
    assert gradcheck(log_ndtr, z) and gradgradcheck(log_ndtr, z)
