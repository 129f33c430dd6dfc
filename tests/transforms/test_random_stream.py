"""Random numbers of a transform."""

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from pyg_multipose.transforms.random_stream import RandomStream


class Draws(Dataset):
    def __init__(self, seed=0):
        self.stream = RandomStream(seed)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return int(self.stream.rng.integers(2**40))


def epochs(workers, seed=0, torch_seed=0, persistent=False):
    """The numbers of two epochs."""
    loader = DataLoader(
        Draws(seed),
        num_workers=workers,
        persistent_workers=persistent,
        generator=torch.Generator().manual_seed(torch_seed),
    )
    return [int(number) for _ in range(2) for number in loader]


@pytest.mark.parametrize('persistent', [False, True])
def test_workers_and_epochs_differ_and_repeat(persistent):
    found = epochs(2, persistent=persistent)
    assert len(set(found)) == 8
    assert epochs(2, persistent=persistent) == found
    assert not set(epochs(2, 1, persistent=persistent)) & set(found)
    again = epochs(2, torch_seed=1, persistent=persistent)
    assert not set(again) & set(found)


def test_without_workers():
    found = epochs(0)
    assert len(set(found)) == 8
    assert epochs(0, torch_seed=1) == found != epochs(0, seed=1)


def test_global_state_is_left_alone():
    state = torch.get_rng_state()
    RandomStream(3).rng.normal()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize('seed', [-1, 1.0, True, None])
def test_seed(seed):
    with pytest.raises(ValueError, match="'seed' has to be a non-negative"):
        RandomStream(seed)
