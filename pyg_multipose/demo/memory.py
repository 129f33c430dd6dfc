r"""Bytes held for backward, by gradient mode and number of poses."""

from __future__ import annotations

from pyg_multipose.data import PoseSet
from pyg_multipose.demo.compounds import ligands, load
from pyg_multipose.demo.settings import Settings
from pyg_multipose.demo.training import Model, build
from pyg_multipose.gradient import MODES, LiveBytes
from pyg_multipose.nn import MeanCombination, MultiPoseReadout
from pyg_multipose.transforms import RadiusGraph


def held_bytes(settings: Settings) -> dict[str, dict[int, int]]:
    r"""What each gradient mode holds at the end of forward, counted.

    The poses are docked poses of the training compounds in the one pocket,
    taken together as one set; the combination is Mean.
    The numbers are bytes of live tensors, the same in every run.

    Args:
        settings: The network, and the most poses.
    """
    train = load('train', settings)
    poses = [pose for pose_set in train.sets for pose in ligands(pose_set)]
    readout = build(Model('', MeanCombination), settings, train.sets)
    connect = RadiusGraph(settings.cutoff)
    held: dict[str, dict[int, int]] = {
        mode: {} for mode in MODES if mode != 'auto'
    }
    count = 1
    while count <= min(settings.max_poses, len(poses)):
        pose_set = PoseSet.from_complex(
            train.pocket, poses[:count], pose_attrs=['vina_score']
        )
        pose_set = connect(pose_set)
        for mode, by_count in held.items():
            by_count[count] = _held(readout, mode, pose_set)
        count *= 2
    return held


def _held(readout: MultiPoseReadout, mode: str, pose_set: PoseSet) -> int:
    # Whole complexes: the modes by themselves, without the other saving.
    readout = MultiPoseReadout(
        readout.model, readout.combination, mode, share_receptor=False
    )
    with LiveBytes() as live:
        combined = readout(pose_set)
    assert combined.requires_grad
    return live.held()
