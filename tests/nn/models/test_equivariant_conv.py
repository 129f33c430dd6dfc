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
    out = conv(x, edge_index, (harmonics, radial))
    assert out.size() == (6, conv.irreps_out.dim)

    before = conv.lin_source.weight.detach().clone()
    conv.reset_parameters()
    assert not torch.equal(before, conv.lin_source.weight)


def test_norms():
    """Sums by the root of the number of neighbors, two terms by that of 2."""
    conv, x, edge_index, harmonics, radial = make()
    filters = conv.edge_filters((harmonics, radial))
    conv.num_neighbors = 1.0
    one = conv.aggregate(conv.source(x), edge_index, filters, 6)
    conv.num_neighbors = 9.0
    found = conv.aggregate(conv.source(x), edge_index, filters, 6)
    assert torch.allclose(found, one / 3)
    both = conv.lin_message(found) + conv.lin_self(x)
    expected = conv.gate(both / 2**0.5)
    assert torch.allclose(conv.update(x, found), expected)
    assert torch.allclose(conv(x, edge_index, (harmonics, radial)), expected)


def test_filters():
    conv, _, _, harmonics, radial = make()
    filters = conv.edge_filters((harmonics, radial))
    assert filters[0] is harmonics
    assert filters[1].size() == (20, conv.tensor_product.weight_numel)

    # Nothing is sent where the basis is zero:
    _, weights = conv.edge_filters((harmonics, 0.0 * radial))
    assert torch.equal(weights, 0.0 * filters[1])


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
    out = conv(x, edge_index, (harmonics, radial))
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
