import pytest
import torch

from pyg_multipose.nn.combination import GatedAttentionCombination

INDEX = torch.tensor([2, 0, 1, 0, 2, 0])


def _by_definition(pool, h):
    """One set, as the equation reads."""
    gate = torch.tanh(h @ pool.tanh.weight.T + pool.tanh.bias)
    gate = gate * torch.sigmoid(h @ pool.sigmoid.weight.T + pool.sigmoid.bias)
    alpha = torch.softmax(gate @ pool.score.weight.T, dim=0)
    out = (alpha * h).sum(0)
    return out if pool.lin is None else pool.lin(out)


@pytest.fixture(params=[None, 3], ids=['features', 'predictions'])
def pool(request):
    torch.manual_seed(3)
    return GatedAttentionCombination(4, 5, request.param).double()


def test_by_definition(pool):
    h = torch.randn(6, 4, dtype=torch.float64)
    out = pool(h, INDEX, dim_size=3)
    assert out.shape == (3, 4 if pool.lin is None else 3)
    for group in range(3):
        expected = _by_definition(pool, h[INDEX == group])
        torch.testing.assert_close(out[group], expected)
    ptr = torch.tensor([0, 3, 4, 6])
    order = INDEX.argsort(stable=True)
    torch.testing.assert_close(pool(h[order], ptr=ptr), out)


def test_gradients(pool):
    h = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    names, leaves = zip(*pool.named_parameters(), strict=True)

    def call(h, *leaves):
        parameters = dict(zip(names, leaves, strict=True))
        return torch.func.functional_call(
            pool, parameters, (h, INDEX), {'dim_size': 3}
        )

    assert torch.autograd.gradcheck(call, (h, *leaves))
    assert torch.autograd.gradgradcheck(call, (h, *leaves), fast_mode=True)


def test_attention(pool):
    h = torch.randn(6, 4, dtype=torch.float64)
    weights = pool.attention(h, INDEX, 3)
    assert weights.shape == (6, 1)
    for group in range(3):
        total = weights[INDEX == group].sum()
        torch.testing.assert_close(total, torch.tensor(1.0).double())
    assert weights[2].item() == 1.0
    perm = torch.tensor([3, 0, 5, 1, 4, 2])
    again = pool(h[perm], INDEX[perm], dim_size=3)
    torch.testing.assert_close(again, pool(h, INDEX, dim_size=3))


def test_one_pose_and_equal_poses():
    pool = GatedAttentionCombination(4)
    h = torch.randn(1, 4)
    assert torch.equal(pool(h), h)
    torch.testing.assert_close(pool(h.expand(7, 4)), h)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    pool, h = GatedAttentionCombination(4, 5, 2), torch.randn(6, 4)
    expected = pool(h.to(dtype).float(), INDEX, dim_size=3)
    assert torch.equal(pool(h.to(dtype), INDEX, dim_size=3), expected)
    with torch.autocast('cpu', dtype=dtype):
        again = pool(h.to(dtype), INDEX, dim_size=3)
    assert again.dtype == torch.float32
    assert torch.equal(again, expected)
    out = pool.to(dtype)(h.to(dtype), INDEX, dim_size=3)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, expected, rtol=0.05, atol=0.05)


def test_errors(pool):
    with pytest.raises(ValueError, match='1 of 4 groups'):
        pool(torch.randn(6, 4).double(), INDEX, dim_size=4)
    with pytest.raises(ValueError, match='got 3 features per pose, expected'):
        pool(torch.randn(6, 3).double(), INDEX)
    with pytest.raises(NotImplementedError, match='it pools vectors'):
        pool.running()


def test_reset(pool):
    before = [p.clone() for p in pool.parameters()]
    pool.reset_parameters()
    for old, new in zip(before, pool.parameters(), strict=True):
        assert not torch.equal(old, new)
