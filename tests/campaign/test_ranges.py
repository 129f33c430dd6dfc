import random

import numpy as np
import pytest

from pyg_multipose.campaign import ranges_of


def test_every_item_once_and_in_order():
    rng = random.Random(0)
    for _ in range(50):
        weight = [rng.choice((0, 1, 5, 40)) for _ in range(rng.randrange(60))]
        size = rng.randrange(1, 60)
        found = ranges_of(weight, size).tolist()
        items = [item for start, end in found for item in range(start, end)]
        assert items == list(range(len(weight)))
        for start, end in found:
            assert end == start + 1 or sum(weight[start:end]) <= size


def test_small_and_large_campaigns():
    assert ranges_of([]).shape == (0, 2)
    assert len(ranges_of(np.full(166, 8))) == 6
    assert 1000 <= len(ranges_of(np.ones(1_000_000))) <= 1100
    assert ranges_of(np.full(10_000_000, 10))[0].tolist() == [0, 1638]


def test_a_bad_size():
    with pytest.raises(ValueError, match='positive'):
        ranges_of([1], 0)
