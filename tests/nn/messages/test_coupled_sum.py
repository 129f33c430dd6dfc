import pytest
import torch
from torch.autograd import grad

from pyg_multipose.nn.messages import kernel
from pyg_multipose.nn.messages.coupled_sum import Group, Path, coupled_sum


@pytest.fixture(autouse=True)
def torch_only(monkeypatch):
    """What numba does instead is tested in `test_coupled_kernel.py`."""
    monkeypatch.setattr(kernel, 'find_numba', lambda: None)


def test_any_coupling():
    """Nothing in it is about rotations."""
    torch.manual_seed(12)
    coupling = torch.randn(3, 2, 5, dtype=torch.float64)
    group = Group(
        source=slice(1, 9),
        shape=(4, 2),
        weights=slice(0, 8),
        coupling=coupling.flatten(1),
        paths=(
            Path(slice(0, 2), slice(0, 4), slice(12, 20)),
            Path(slice(2, 5), slice(4, 8), slice(0, 12)),
        ),
    )
    source, features, weights = (
        torch.randn(size, dtype=torch.float64, requires_grad=True)
        for size in [(6, 10), (30, 3), (30, 8)]
    )
    edge_index = torch.stack([torch.randint(6, (30,)), torch.arange(30) % 7])
    leaves = [source, features, weights]
    out = coupled_sum(
        source, edge_index, features, weights, 8, (group,), num_out=21
    )

    messages = [
        torch.einsum(
            'bak,eb,eu,eua->euk',
            coupling[..., rows],
            features,
            weights[:, channels],
            source[edge_index[0], 1:9].view(30, 4, 2),
        ).flatten(1)
        for rows, channels, _ in group.paths
    ]
    message = torch.cat([*messages[::-1], torch.zeros(30, 1)], dim=1)
    expected = message.new_zeros(8, 21).index_add(0, edge_index[1], message)
    torch.testing.assert_close(out, expected)
    got = grad(out.sin().sum(), leaves)
    torch.testing.assert_close(got, grad(expected.sin().sum(), leaves))


def test_no_group():
    source, empty = torch.randn(3, 2), torch.randn(4, 0)
    edge_index = torch.tensor([[0, 1, 2, 0], [1, 1, 0, 0]])
    out = coupled_sum(source, edge_index, empty, empty, 2, (), num_out=5)
    assert torch.equal(out, torch.zeros(2, 5))
