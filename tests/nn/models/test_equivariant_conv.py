import copy
import pickle

import pytest
import torch
from e3nn import o3

from pyg_multipose.nn.models.equivariant_conv import EquivariantConv


def make(irreps_in='4x0e+2x1o', irreps_out='4x0e+2x1o+1x1e'):
    torch.manual_seed(12)
    conv = EquivariantConv(
        irreps_in, irreps_out, '0e+1o', num_radial=3, radial_channels=5
    ).double()
    x = torch.randn(6, conv.irreps_in.dim, dtype=torch.float64)
    edge_index = torch.randint(6, (2, 20))
    harmonics = torch.randn(20, 4, dtype=torch.float64)
    radial = torch.randn(20, 3, dtype=torch.float64)
    return conv, x, edge_index, harmonics, radial


def test_equivariant_conv():
    conv, x, edge_index, harmonics, radial = make()
    assert str(conv) == 'EquivariantConv(4x0e+2x1o -> 4x0e+2x1o+1x1e)'
    out = conv(x, edge_index, harmonics, radial)
    assert out.size() == (6, conv.irreps_out.dim)

    before = conv.lin_source.weight.detach().clone()
    conv.reset_parameters()
    assert not torch.equal(before, conv.lin_source.weight)


def test_pieces():
    conv, x, edge_index, harmonics, radial = make()
    source = conv.source(x)
    weights = conv.edge_weights(radial)

    def aggregate(source, edges=slice(None), dim_size=6):
        return conv.aggregate(
            source,
            edge_index[:, edges],
            harmonics[edges],
            weights[edges],
            dim_size,
        )

    total = aggregate(source)
    expected = conv(x, edge_index, harmonics, radial)
    assert torch.equal(conv.update(x, total), expected)

    # Linear in the source features:
    other = torch.randn_like(source)
    out = aggregate(2.0 * source - 3.0 * other)
    assert torch.allclose(out, 2.0 * total - 3.0 * aggregate(other))

    # A sum over edges:
    out = aggregate(source, slice(0, 7)) + aggregate(source, slice(7, None))
    assert torch.allclose(out, total)

    # Sources and targets may be rows of different tables:
    assert torch.allclose(aggregate(source, dim_size=9)[:6], total)
    assert torch.equal(aggregate(source, dim_size=9)[6:], 0 * total[:3])

    # Atom by atom:
    assert torch.allclose(conv.source(x[2:3]), source[2:3])
    out = conv.update(x[2:3], total[2:3])
    assert torch.allclose(out, expected[2:3])

    # Nothing is sent where the basis is zero:
    assert torch.equal(conv.edge_weights(0.0 * radial), 0.0 * weights)


@pytest.mark.parametrize(
    'irreps_in, irreps_out, expected',
    [
        ('4x0e', '4x0e+2x1o', '4x0e+2x1o'),
        ('4x0e', '4x0e+3x0o+2x1e+2x1o+1x2e', '4x0e+2x1o'),
        ('4x0e+2x1o', '4x0e+3x0o+2x1e+1x2e', '4x0e+2x1e+1x2e'),
        ('4x0e+2x1e', '4x0e+3x0o', '3x0o+4x0e'),
        ('4x0e+2x1e', '4x0e', '4x0e'),
    ],
)
def test_reachable_irreps(irreps_in, irreps_out, expected):
    conv, x, edge_index, harmonics, radial = make(irreps_in, irreps_out)
    assert conv.irreps_out == o3.Irreps(expected)
    out = conv(x, edge_index, harmonics, radial)
    assert out.size(1) == conv.irreps_out.dim
    assert bool((out != 0.0).any(dim=0).all())
    if expected == '4x0e':  # No harmonic turns an axial vector into it.
        assert conv.tensor_product.irreps_in1 == o3.Irreps('4x0e')


def test_constants_are_not_state():
    conv = EquivariantConv('4x0e+2x1o', '4x0e+1x2e', '0e+1o+2e', 3)
    parameters = {name for name, _ in conv.named_parameters()}
    for other in [conv, copy.deepcopy(conv), pickle.loads(pickle.dumps(conv))]:
        assert set(other.state_dict()) == parameters

    # Constants that were built in float32 have the digits of float64 after:
    buffers = dict(conv.double().tensor_product.named_buffers())
    names = [name for name in buffers if '_w3j_1_1_2' in name]
    assert len(names) == 1
    expected = o3.wigner_3j(1, 1, 2, dtype=torch.float64)
    assert torch.equal(buffers[names[0]], expected)
