"""What PyG's Set Transformer does with the poses of several sets."""

import pytest
import torch
from torch_geometric.nn.aggr import SetTransformerAggregation

INDEX = torch.tensor([0, 0, 0, 1, 2, 2])


@pytest.fixture
def pool():
    torch.manual_seed(0)
    return SetTransformerAggregation(4, heads=2).double()


def test_each_set_by_itself(pool):
    h = torch.randn(6, 4, dtype=torch.float64)
    out = pool(h, INDEX, dim_size=3)
    assert out.shape == (3, 4)
    for group in range(3):
        alone = h[INDEX == group]
        index = torch.zeros(len(alone), dtype=torch.long)
        expected = pool(alone, index, dim_size=1)[0]
        torch.testing.assert_close(out[group], expected)
        again = pool(alone.flip(0), index, dim_size=1)[0]
        torch.testing.assert_close(out[group], again)
    # A set of one pose is not that pose: layers come after pooling.
    assert not torch.allclose(out[1], h[3])


def test_what_it_does_not_say(pool):
    h = torch.randn(6, 4, dtype=torch.float64)
    empty = pool(h, INDEX, dim_size=4)[3]
    assert empty.isfinite().all()
    h[0, 0] = torch.nan
    assert not pool(h, INDEX, dim_size=3)[0].any()
    with pytest.raises(ValueError, match='not sorted'):
        pool(h, INDEX.flip(0), dim_size=3)
