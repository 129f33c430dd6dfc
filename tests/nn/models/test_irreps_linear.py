"""The linear layer of e3nn, without copies."""

import copy
import pickle

import pytest
import torch
from e3nn import o3

from pyg_multipose.nn.models.irreps_linear import IrrepsLinear

IRREPS = [
    ('4x0e', '3x0e'),
    ('4x0e+2x1o', '3x0e+5x1o'),
    ('2x1o+3x0e+1x1o+2x2e', '2x2e+1x0e+3x1o'),  # two inputs of one output
    ('3x0o+2x1e', '1x1e+2x0o+2x1e'),  # two outputs of one input
    ('3x0e', '2x0e+2x1o'),  # an output without input
    ('3x0e+2x1o', '2x0e'),  # an input without output
    ('0x0e+3x1o', '2x1o+0x0e'),
]


def pair(irreps_in, irreps_out):
    """Ours and that of e3nn, with the same weights."""
    ours = IrrepsLinear(irreps_in, irreps_out).double()
    theirs = o3.Linear(irreps_in, irreps_out).double()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize(('irreps_in', 'irreps_out'), IRREPS)
def test_same_as_e3nn(irreps_in, irreps_out):
    ours, theirs = pair(irreps_in, irreps_out)
    size = o3.Irreps(irreps_in).dim
    for shape in ((5, size), (0, size), (2, 3, size)):
        x = torch.randn(*shape, dtype=torch.double, requires_grad=True)
        one, two = ours(x), theirs(x)
        assert torch.allclose(one, two, rtol=1e-13, atol=1e-13)
        assert one.shape == two.shape
        assert torch.allclose(ours(x, 0.3), 0.3 * two, rtol=1e-13, atol=1e-13)
        grad = torch.randn_like(one)
        found = torch.autograd.grad(one, [x, ours.weight], grad)
        expected = torch.autograd.grad(
            two, [x, theirs.weight], grad, allow_unused=True
        )
        for a, b in zip(found, expected, strict=True):
            assert torch.allclose(a, b, rtol=1e-12, atol=1e-12)


def test_gradcheck():
    ours, _ = pair('2x0e+2x1o', '1x0e+2x1o')
    x = torch.randn(3, 8, dtype=torch.double, requires_grad=True)

    def run(x, weight):
        return torch.func.functional_call(ours, {'weight': weight}, (x,))

    weight = ours.weight.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(run, (x, weight))
    assert torch.autograd.gradgradcheck(run, (x, weight))


def test_equivariant():
    ours, _ = pair('2x0e+2x1o+1x2e', '1x0e+2x1o+2x2e')
    turn = o3.rand_matrix().double()
    x = torch.randn(4, ours.irreps_in.dim, dtype=torch.double)
    one, two = (
        irreps.D_from_matrix(turn).double()
        for irreps in (ours.irreps_in, ours.irreps_out)
    )
    assert torch.allclose(ours(x @ one.T), ours(x) @ two.T, atol=1e-6)


def test_copies():
    ours, _ = pair('2x0e+2x1o', '1x0e+2x1o')
    x = torch.randn(3, 8, dtype=torch.double)
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert torch.equal(other(x), ours(x))


def test_autocast_is_the_callers():
    ours = IrrepsLinear('2x0e+2x1o', '1x0e+2x1o')
    x = torch.randn(3, 8)
    with torch.autocast('cpu', torch.bfloat16):
        assert ours(x).dtype == torch.bfloat16
