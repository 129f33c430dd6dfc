r"""The compounds of a split, with their pose sets ready for the network."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.demo.settings import Settings
from pyg_multipose.transforms import RadiusGraph


@dataclass(frozen=True)
class Compounds:
    r"""A split: pose sets with edges, and what the baselines look at."""

    sets: list[PoseSet]
    pocket: Data
    residues: list[int]
    names: list[str]
    pic50: np.ndarray
    heavy_atoms: np.ndarray
    vina_best: np.ndarray
    num_poses: np.ndarray


@functools.cache
def load(split: str, settings: Settings) -> Compounds:
    r"""The compounds of a split by date; edges are searched here, once.

    Args:
        split: :obj:`"train"`, :obj:`"valid"` or :obj:`"test"`.
        settings: What the pocket is, and how far messages reach.
    """
    dataset = MproMoonshot(split, by='date')
    if settings.max_sets is not None:
        dataset = dataset[: settings.max_sets]
    residues = pocket_residues(dataset, settings.pocket_radius)
    receptor = dataset.receptor
    keep = torch.isin(receptor.residue, residues)
    pocket = Data(z=receptor.z[keep], pos=receptor.pos[keep])
    connect = RadiusGraph(settings.cutoff)
    return Compounds(
        [connect(within(pocket, pose_set)) for pose_set in dataset],
        pocket,
        residues.tolist(),
        dataset.names,
        dataset.y.double().numpy(),
        dataset.num_heavy_atoms.double().numpy(),
        dataset.vina_best.double().numpy(),
        dataset.num_poses.numpy(),
    )


def pocket_residues(dataset: MproMoonshot, radius: float) -> Tensor:
    r"""Numbers of the residues around the crystal ligand.

    The crystal structure alone decides: no docked pose and no label has a
    say.

    Args:
        dataset: Any split.
        radius: Residues with an atom within so many Angstrom of an atom of
            the crystal ligand are taken.
    """
    receptor = dataset.receptor
    distance = torch.cdist(receptor.pos, dataset.crystal_ligand.pos)
    return receptor.residue[(distance <= radius).any(dim=1)].unique()


def within(pocket: Data, pose_set: PoseSet) -> PoseSet:
    r"""The same poses in another receptor.

    Args:
        pocket: The receptor.
        pose_set: A set of :class:`~pyg_multipose.datasets.MproMoonshot`.
    """
    return PoseSet.from_complex(
        pocket,
        ligands(pose_set),
        y=pose_set.y,
        name=pose_set.name,
        pose_attrs=['vina_score'],
    )


def ligands(pose_set: PoseSet) -> list[Data]:
    r"""The poses of a set without the receptor.

    Args:
        pose_set: A set with a receptor and Vina scores.
    """
    return [
        Data(
            z=pose.z[pose.is_ligand],
            pos=pose.pos[pose.is_ligand],
            vina_score=pose.vina_score,
        )
        for pose in pose_set.to_poses()
    ]
