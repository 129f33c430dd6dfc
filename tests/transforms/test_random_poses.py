"""Some poses, others every time."""

import pytest
import torch
from torch_geometric.loader import DataLoader

from pyg_multipose.transforms import RandomPoses


def drawn(make, transform, count=5):
    pose_set = make.docked([make.positions(i) for i in range(count)])
    return transform(pose_set).score.tolist()


def test_all_poses_alike_in_order_and_anew(make):
    transform = RandomPoses(2)
    seen = [tuple(drawn(make, transform)) for _ in range(300)]
    assert len(set(seen)) == 10  # all pairs
    assert all(first < second for first, second in seen)
    counts = torch.tensor(seen).long().view(-1).bincount()
    assert counts.min() > 80 and counts.max() < 160  # of 120 expected


def test_by_seed(make):
    def draws(seed):
        transform = RandomPoses(2, seed=seed)
        return [drawn(make, transform) for _ in range(8)]

    assert draws(0) == draws(0) != draws(1)


def test_a_small_set_stays(make):
    assert drawn(make, RandomPoses(9), count=3) == [0, 1, 2]


def test_in_workers(make):
    pose_set = make.docked([make.positions(i) for i in range(30)])
    sets = Transformed([pose_set] * 4, RandomPoses(3))
    loader = DataLoader(
        sets, num_workers=2, generator=torch.Generator().manual_seed(0)
    )
    seen = [tuple(b.score.tolist()) for _ in range(2) for b in loader]
    assert len(set(seen)) == 8


class Transformed:
    def __init__(self, sets, transform):
        self.sets, self.transform = sets, transform

    def __len__(self):
        return len(self.sets)

    def __getitem__(self, index):
        return self.transform(self.sets[index])


@pytest.mark.parametrize('count', [0, 1.0, True])
def test_number_of_poses(count):
    with pytest.raises(ValueError, match="'num_poses' has to be a positive"):
        RandomPoses(count)
