import pytest
import torch
from e3nn import nn, o3

from pyg_multipose.nn.models.gate import Gate


@pytest.mark.parametrize(
    'irreps_out, irreps_in',
    [
        ('4x0e', '4x0e'),
        ('4x0e+3x0o', '3x0o+4x0e'),
        ('4x0e+2x1o', '6x0e+2x1o'),
        ('4x0e+3x0o+2x1o+1x1e+1x2e', '3x0o+8x0e+2x1o+1x1e+1x2e'),
        ('2x1o', '2x0e+2x1o'),
        ('2x1o+1x0e+1x1o+3x0e', '7x0e+3x1o'),
    ],
)
def test_gate(irreps_out, irreps_in):
    gate = Gate(irreps_out)
    assert gate.irreps_in == o3.Irreps(irreps_in)
    assert str(gate) == f'Gate({gate.irreps_in} -> {gate.irreps_out})'

    scalars = [mul_ir for mul_ir in gate.irreps_out if mul_ir.ir.l == 0]
    gated = [mul_ir for mul_ir in gate.irreps_out if mul_ir.ir.l > 0]
    acts = {1: torch.nn.functional.silu, -1: torch.tanh}
    args = [scalars, [acts[mul_ir.ir.p] for mul_ir in scalars]]
    if len(gated) > 0:
        num_gates = sum(mul for mul, _ in gated)
        args += [[(num_gates, '0e')], [torch.sigmoid], gated]
        expected = nn.Gate(*args)
    else:
        expected = nn.Activation(*args)

    # The layout is that of e3nn, which takes the constants from a sample:
    assert gate.irreps_in == expected.irreps_in
    assert gate.irreps_out == expected.irreps_out
    x = torch.randn(5, gate.irreps_in.dim)
    assert torch.allclose(gate(x), expected(x), rtol=5e-3, atol=1e-6)


def test_gate_equivariance():
    gate = Gate('4x0e+3x0o+2x1o+1x1e+1x2e')
    x = torch.randn(5, gate.irreps_in.dim)
    for rot in [o3.rand_matrix(), -o3.rand_matrix()]:
        out = gate(x @ gate.irreps_in.D_from_matrix(rot).t())
        expected = gate(x) @ gate.irreps_out.D_from_matrix(rot).t()
        assert torch.allclose(out, expected, atol=1e-4)


def test_gate_mean_square():
    x = torch.randn(200_000, 4)
    out = Gate('1x0e+1x0o')(x[:, :2]).square().mean(dim=0)
    assert torch.allclose(out, torch.ones(2), atol=0.03)
