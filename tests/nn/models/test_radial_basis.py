import math

import pytest
import torch

from pyg_multipose.nn.models.radial_basis import (
    RADIAL_BASES,
    BesselBasis,
    GaussianBasis,
    PolynomialEnvelope,
)


def test_envelope():
    envelope = PolynomialEnvelope(cutoff=3.0)
    assert str(envelope) == 'PolynomialEnvelope(cutoff=3.0, exponent=6)'

    for dtype in [torch.float32, torch.float64]:
        dist = torch.tensor([0.0, 1.5, 3.0, 3.1, 1e4], dtype=dtype)
        out = envelope(dist)
        x = 0.5
        expected = 1 - 28 * x**6 + 48 * x**7 - 21 * x**8
        assert out.dtype == dtype
        assert out[0] == 1.0
        assert math.isclose(out[1].item(), expected, rel_tol=1e-6)
        assert out[2:].tolist() == [0.0, 0.0, 0.0]

    dist = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(envelope(dist), dist, create_graph=True)
    (curvature,) = torch.autograd.grad(grad, dist)
    assert grad.abs().item() < 1e-14
    assert curvature.abs().item() < 1e-13


def test_bessel_basis():
    basis = BesselBasis(4, cutoff=5.0).double()
    assert str(basis) == 'BesselBasis(4, cutoff=5.0)'
    assert len(basis.state_dict()) == 0

    # Midpoints of shells of equal volume:
    volume = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    out = basis(5.0 * volume.pow(1 / 3))
    assert out.size() == (100_000, 4)
    gram = out.t() @ out / volume.numel()
    assert torch.allclose(gram, torch.eye(4, dtype=torch.float64), atol=1e-3)


def test_gaussian_basis():
    basis = GaussianBasis(4, cutoff=2.0).double()
    assert str(basis) == 'GaussianBasis(4, cutoff=2.0)'
    assert len(basis.state_dict()) == 0

    dist = torch.tensor([0.0, 0.5, 1.5], dtype=torch.float64)
    out = basis(dist)
    assert out.size() == (3, 4)
    assert out.argmax(dim=-1).tolist() == [0, 1, 3]
    assert torch.allclose(
        out[0] / out[0, 0], basis.order.square().neg().div(2).exp()
    )


@pytest.mark.parametrize('name', list(RADIAL_BASES))
def test_double_is_as_if_built_in_double(name):
    dist = torch.linspace(0.1, 4.9, 20, dtype=torch.float64)
    out = RADIAL_BASES[name](8, 5.0).double()(dist)
    basis = RADIAL_BASES[name](8, 5.0)
    basis.order = basis.order.double()
    assert torch.equal(out, basis(dist))
