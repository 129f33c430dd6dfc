r"""Bytes held for backward, by gradient mode and number of poses."""

from __future__ import annotations

from pathlib import Path

from torch import nn
from torch_geometric.data import Data

from pyg_multipose.cli.data_set import DataSet
from pyg_multipose.data import PoseSet
from pyg_multipose.demo.settings import Settings
from pyg_multipose.gradient import MODES, LiveBytes
from pyg_multipose.nn import MeanCombination, MultiPoseReadout
from pyg_multipose.train import MultiPoseModule
from pyg_multipose.transforms import RadiusGraph


def held_bytes(
    settings: Settings, data: DataSet, folder: Path
) -> dict[str, dict[int, int]]:
    r"""What each gradient mode holds at the end of forward, counted.

    The poses are docked poses of the training compounds in the one pocket,
    taken together as one set; the combination is Mean.
    The numbers are bytes of live tensors, the same in every run.

    Args:
        settings: The most poses.
        data: The data.
        folder: The run whose network is taken.
    """
    module = MultiPoseModule.load_from_checkpoint(folder / 'last.ckpt')
    module.requires_grad_().train()
    assert module.inputs is not None and module.inputs.cutoff is not None
    connect = RadiusGraph(module.inputs.cutoff)
    receptor, poses = _poses(data, settings.max_poses)
    held: dict[str, dict[int, int]] = {
        mode: {} for mode in MODES if mode != 'auto'
    }
    count = 1
    while count <= len(poses):
        pose_set = connect(PoseSet.from_complex(receptor, poses[:count]))
        for mode, by_count in held.items():
            by_count[count] = _held(module.readout.model, mode, pose_set)
        count *= 2
    return held


def _poses(data: DataSet, most: int) -> tuple[Data, list[Data]]:
    """The pocket, and poses of compounds of the training in it."""
    receptor = data.sets[0].receptor
    poses: list[Data] = []
    assert receptor is not None
    for number, part in enumerate(data.columns['date_part']):
        if part == 'train' and len(poses) < most:
            poses += data.sets[number].ligands()
    return (
        Data(z=receptor.z, pos=receptor.pos),
        [Data(z=one.z, pos=one.pos) for one in poses[:most]],
    )


def _held(model: nn.Module, mode: str, pose_set: PoseSet) -> int:
    # Whole complexes: the modes by themselves, without the other saving.
    readout = MultiPoseReadout(
        model, MeanCombination(), mode, share_receptor=False
    )
    with LiveBytes() as live:
        combined = readout(pose_set)
    assert combined.requires_grad
    return live.held()
