"""The activation of SchNet, beside that of torch in double precision."""

import math
import subprocess
import sys

import pytest
import torch
from torch.nn.functional import softplus

from pyg_multipose.nn.messages import softplus_kernel as module

#: Of float32.
EPS = torch.finfo(torch.float32).eps
SPECIAL = [
    *(0.0, -0.0, math.inf, -math.inf, math.nan, 1e-38, -1e-45, 3e38, -3e38),
    *(88.0, -88.0, -87.5, 20.0, -20.0, 0.3465736, -0.3465736),
]


def numbers():
    """Of all sizes, and what is special, in a block and a part of one."""
    generator = torch.Generator().manual_seed(3)
    out = torch.randn(700, generator=generator)
    scale = torch.randint(-8, 6, (700,), generator=generator)
    grid = torch.linspace(-30.0, 30.0, 601)
    return torch.cat([out * 2.0**scale, grid, torch.tensor(SPECIAL)])


def exact(x):
    return softplus(x.double()) - math.log(2.0)


def shifted_softplus(x):
    out = torch.empty(x.size())
    able = module.can_run_softplus(x)
    return out if able and module.shifted_softplus(x, out) else None


def softplus_gradient(grad, y):
    out = torch.empty(y.size())
    able = module.can_run_softplus(grad, y)
    return out if able and module.softplus_gradient(grad, y, out) else None


def test_as_torch_in_double_precision(fused):
    x = numbers()
    found, expected = shifted_softplus(x), exact(x)
    assert len(fused) == 1
    good = expected.isfinite()
    assert torch.equal(found[~good].nan_to_num(1.0), x[~good].nan_to_num(1.0))
    off = (found - expected).abs()[good]
    assert (off <= 2 * EPS * expected.abs()[good].clamp(min=1.0)).all()


def test_its_gradient(fused):
    x = numbers()
    x = x[x.isfinite()]
    grad = torch.linspace(-2.0, 3.0, len(x))
    found = softplus_gradient(grad, exact(x).float())
    assert len(fused) == 1
    expected = grad * torch.sigmoid(x.double())
    assert ((found - expected).abs() <= 3 * EPS * grad.abs().double()).all()
    assert softplus_gradient(grad[:1], torch.tensor([math.nan])).isnan()


@pytest.mark.parametrize('shape', [(), (0,), (3, 0), (2, 3, 4)])
def test_shapes(shape, fused):
    x = torch.randn(shape)
    assert shifted_softplus(x).shape == x.shape


def test_what_torch_has_to_do(fused):
    for x in (torch.zeros(3).double(), torch.zeros(3).half()):
        assert shifted_softplus(x) is None
        assert softplus_gradient(x, x) is None
    assert not fused


def test_imported_under_another_default_type():
    pytest.importorskip('numba')
    code = """
import torch
torch.set_default_dtype(torch.float64)
from pyg_multipose.nn.messages.softplus_kernel import shifted_softplus
x, out = torch.ones(2, 3, dtype=torch.float32)
assert shifted_softplus(x, out) and 0.6 < out[0] < 0.7
"""
    subprocess.run([sys.executable, '-c', code], check=True)


def test_a_kernel_that_fails(fake_numba, monkeypatch):
    def broken(signature, **options):
        raise TypeError('no compiler today')

    fake_numba(broken)
    with pytest.warns(UserWarning, match='no compiler today'):
        assert shifted_softplus(torch.zeros(3)) is None
