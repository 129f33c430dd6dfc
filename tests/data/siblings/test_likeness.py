"""When sets differ, and when points have only moved."""

import math

import pytest
import torch
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet
from pyg_multipose.data.siblings.likeness import differences, is_moved


def points(size=6, dim=3, dtype=torch.float64):
    draw = torch.Generator().manual_seed(size + dim)
    return 9 * torch.randn(size, dim, generator=draw, dtype=dtype)


def rotation(dim=3):
    turn = torch.eye(dim, dtype=torch.float64)
    turn[:2, :2] = torch.tensor(
        [
            [math.cos(0.7), -math.sin(0.7)],
            [math.sin(0.7), math.cos(0.7)],
        ],
        dtype=torch.float64,
    )
    return turn.roll(1, 0).roll(1, 1)


@pytest.mark.parametrize('dim', [2, 3])
@pytest.mark.parametrize('size', [1, 2, 3, 9])
def test_rigid_motions(size, dim):
    pos = points(size, dim)
    assert is_moved(pos, pos @ rotation(dim).t() + 5.0)
    wide, narrow = pos, (pos @ rotation(dim).t()).float()
    assert is_moved(wide.float(), narrow)
    if size > 1:
        assert not is_moved(pos, 1.001 * pos)
    if size > dim:
        mirrored = pos.clone()
        mirrored[:, 0] *= -1.0
        assert not is_moved(pos, mirrored)


def test_what_is_no_motion():
    pos = points()
    assert not is_moved(pos, pos[:5])
    assert not is_moved(pos, pos.long())
    assert not is_moved(pos, None)
    assert not is_moved(pos.view(-1), pos.view(-1))
    assert not is_moved(pos.where(pos < 9, math.nan), pos)
    bent = pos.clone()
    bent[0] += 0.01
    assert not is_moved(pos, bent)


def make_set(**values):
    pose = Data(pos=points(3), x=points(3, 2), z=torch.tensor([6, 7, 8]))
    pose_set = PoseSet.from_poses([pose], name='A')
    for key, value in values.items():
        pose_set[key] = value
    return pose_set


@pytest.mark.parametrize(
    ('key', 'value', 'how'),
    [
        ('z', torch.tensor([6, 7, 9]), 'is 9 or 8 at [2]'),
        ('x', points(3, 2) + 1e-3, r'is'),
        ('x', points(3, 3), 'has shape [3, 3] or [3, 2]'),
        ('x', points(3, 2).float(), 'has dtype torch.float32 or torch.float'),
        ('name', 'B', "is 'B' or 'A'"),
        ('other', torch.ones(3), 'is there only once'),
        ('pos', 2 * points(3), 'is'),
    ],
)
def test_differences_are_told(key, value, how):
    found = differences(make_set(**{key: value}), make_set())
    assert list(found) == [key]
    assert found[key].startswith(how)


def test_rounding_makes_no_difference():
    one = make_set(flag=math.nan * torch.ones(3))
    two = make_set(flag=math.nan * torch.ones(3))
    two.x = two.x * (1 + 1e-15)
    two.pos = two.pos @ rotation()
    assert differences(one, two) == {}
    two.x = two.x * (1 + 1e-9)
    assert list(differences(one, two)) == ['x']


def test_infinite_numbers_are_compared():
    one, two = make_set(), make_set()
    one.x[0, 0] = two.x[0, 0] = math.inf
    assert differences(one, two) == {}
    two.x[0, 0] = -math.inf
    assert differences(one, two) == {'x': 'is inf or -inf at [0, 0]'}
