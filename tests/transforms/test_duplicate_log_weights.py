import doctest
import importlib

import pytest
import torch
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import FreeEnergyCombination
from pyg_multipose.transforms import UniquePoses, duplicate_log_weights


def _set(where):
    """A rod of two equal atoms, at some places along it, or turned round."""
    rod = torch.tensor([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]])
    poses = []
    for x, turned in where:
        pos = rod + torch.tensor([x, 0.0, 0.0])
        poses.append(
            Data(
                z=torch.tensor([6, 6]),
                pos=pos.flip(0) if turned else pos,
                bond_index=torch.tensor([[0, 1], [1, 0]]),
            )
        )
    return PoseSet.from_poses(poses)


WHERE = [(0.0, False), (0.2, True), (3.0, False), (0.1, False), (3.3, True)]


def test_counts():
    weights = duplicate_log_weights(_set(WHERE), 1.0)
    expected = torch.tensor([3.0, 3.0, 2.0, 3.0, 2.0]).log().neg()
    torch.testing.assert_close(weights, expected)
    # The turned ones are far from all others, if ends are not equal.
    weights = duplicate_log_weights(_set(WHERE), 1.0, symmetric=False)
    expected = torch.tensor([2.0, 1.0, 1.0, 2.0, 1.0]).log().neg()
    torch.testing.assert_close(weights, expected)


def test_free_energy_counts_each_state_once():
    pose_set = _set(WHERE)
    weights = duplicate_log_weights(pose_set, 1.0)
    unique = UniquePoses(1.0)(pose_set)
    of_states = torch.tensor([[-9.0], [-8.0]])
    energies = of_states[[0, 0, 1, 0, 1]]
    assert unique.num_poses == 2
    torch.testing.assert_close(
        FreeEnergyCombination(prior='w')(energies, pose_values={'w': weights}),
        FreeEnergyCombination()(of_states),
    )


def test_one_pose():
    assert duplicate_log_weights(_set(WHERE[:1]), 1.0).tolist() == [0.0]


@pytest.mark.parametrize('rmsd', [0.0, -1.0, float('nan'), '1'])
def test_bad_distance(rmsd):
    with pytest.raises((ValueError, TypeError), match='rmsd'):
        duplicate_log_weights(_set(WHERE), rmsd)


def test_not_a_set():
    with pytest.raises((ValueError, TypeError), match='PoseSet'):
        duplicate_log_weights(Data(pos=torch.randn(2, 3)), 1.0)


def test_example():
    module = importlib.import_module(duplicate_log_weights.__module__)
    found = doctest.testmod(module)
    assert found.attempted > 1 and not found.failed
