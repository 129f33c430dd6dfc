import math

import pytest
import torch

from benchmarks.poses import DENSITY, ball, pose_sets
from benchmarks.settings import Settings


@pytest.mark.parametrize('atoms', [1, 50, 300, 3000])
def test_a_ball_is_as_dense_as_it_should_be(atoms):
    before = torch.get_rng_state()
    pose = ball(atoms, torch.Generator().manual_seed(1))
    assert torch.equal(before, torch.get_rng_state())
    assert pose.pos.shape == (atoms, 3) and pose.pos.dtype == torch.float32
    assert set(pose.z.tolist()) <= {6, 7, 8, 16}
    radius = (3 * atoms / (4 * math.pi * DENSITY)) ** (1 / 3)
    assert pose.pos.norm(dim=1).max() < radius + 1.5
    if atoms > 1:
        assert torch.pdist(pose.pos).min() > 1.3


def test_poses_differ_and_follow_from_the_seed(kit):
    case = kit.Case('generated-20', 'e3nn', 'mean', 4, 2)
    first, again = (pose_sets(case, kit.QUICK) for _ in range(2))
    other = pose_sets(case, Settings(quick=True, seed=1))
    assert len(first) == 2 and first[0].num_poses == 2
    assert torch.equal(first[1].pos, again[1].pos)
    assert not torch.equal(first[1].pos, other[1].pos)
    assert not torch.equal(first[0].pos, first[1].pos)


@pytest.mark.parametrize(
    'data, poses, per_set, nodes',
    [
        ('pocket', 4, 2, 487),
        ('chain', 9, 9, 2333),
        ('ligand', 9, 9, 0),
        ('pocket', 40, 20, 487),  # of several compounds
    ],
)
def test_docked_poses(kit, data, poses, per_set, nodes):
    case = kit.Case(data, 'schnet', 'mean', poses, per_set)
    sets = pose_sets(case, kit.QUICK)
    assert len(sets) == case.sets
    for item in sets:
        assert item.num_poses == per_set
        assert int(item.receptor_size.sum()) == nodes
        assert item.y.shape == (1,)


def test_more_than_there_is(kit):
    case = kit.Case('pocket', 'schnet', 'mean', 9 * 160, 9)
    with pytest.raises(ValueError, match='has 97 sets of 9 poses'):
        pose_sets(case, kit.QUICK)
    with pytest.raises(ValueError, match="Unknown data 'moon'"):
        pose_sets(kit.Case('moon', 'schnet', 'mean', 1, 1), kit.QUICK)
    with pytest.raises(ValueError, match='7 poses are not sets of 2'):
        kit.Case('pocket', 'schnet', 'mean', 7, 2)
