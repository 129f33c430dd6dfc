"""The pose sets that are learned from."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch_geometric.data import Data

from benchmarks.learning.generated import generated_set
from benchmarks.learning.settings import Settings
from pyg_multipose.data import PoseSet
from pyg_multipose.data.rows import ligand_rows
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.transforms import PlantedEnergy, PocketCut, RadiusGraph

CARBON = 6
#: kT of a decade of concentration.
LN10 = math.log(10.0)


def measured(split: str, by: str, settings: Settings) -> list[PoseSet]:
    r"""Docked sets with their measured affinities in kT; low is good.

    Args:
        split: :obj:`"train"`, :obj:`"valid"` or :obj:`"test"`.
        by: The rule of the split.
        settings: How many sets.
    """
    sets = [*MproMoonshot(split, by=by)[: settings.max_sets]]
    for one in sets:
        one.y = -LN10 * one.y
    return sets


def planted(
    split: str, by: str, seed: int, settings: Settings
) -> list[PoseSet]:
    r"""Docked sets with planted energies in place of what was measured.

    Args:
        split: :obj:`"train"`, :obj:`"valid"` or :obj:`"test"`.
        by: The rule of the split.
        seed: Which energies.
        settings: How large they are, and how many sets.
    """
    plant = planting(by, seed, settings)
    return [plant(one) for one in measured(split, by, settings)]


@functools.cache
def planting(by: str, seed: int, settings: Settings) -> PlantedEnergy:
    r"""Energies of a scale that the training sets have decided.

    Args:
        by: The rule of the split.
        seed: Which energies.
        settings: How large they are.
    """
    unit = PlantedEnergy(settings.planted_cutoff, seed=seed)
    return unit.spread_to(measured('train', by, settings), settings.spread)


def generated(
    count: int, by: str, seed: int, settings: Settings
) -> list[PoseSet]:
    r"""Sets with generated poses of the training compounds, in turn.

    Args:
        count: How many sets.
        by: The rule of the split.
        seed: Which planted energies; the poses are the same for all.
        settings: How many poses a set has.
    """
    plant = planting(by, seed, settings)
    return [plant(one) for one in _walks(by, settings).first(count)]


class _Walks:
    """Generated sets, as many as were asked for so far."""

    def __init__(self, docked: list[PoseSet], num_poses: int) -> None:
        self._docked, self._num_poses = docked, num_poses
        self._rng = np.random.default_rng(0)
        self._sets: list[PoseSet] = []

    def first(self, count: int) -> list[PoseSet]:
        while len(self._sets) < count:
            docked = self._docked[len(self._sets) % len(self._docked)]
            one = generated_set(docked, self._num_poses, self._rng)
            self._sets.append(one)
        return self._sets[:count]


@functools.cache
def _walks(by: str, settings: Settings) -> _Walks:
    return _Walks(measured('train', by, settings), settings.num_poses)


def seen(pose_set: PoseSet, sight: str, settings: Settings) -> PoseSet:
    r"""A set as a model is shown it, with edges.

    Args:
        pose_set: A set with a receptor.
        sight: :obj:`"contacts"`, the edges between ligand and receptor;
            :obj:`"ligand"`, the ligand alone with all of its edges; or
            :obj:`"shape"`, the contacts of a ligand whose atoms are all
            carbon: where it lies, not what it is.
        settings: How far edges reach.
    """
    connect = RadiusGraph(settings.cutoff)
    if sight == 'ligand':
        return connect(_alone(pose_set))
    graph = connect(PocketCut(settings.cutoff)(pose_set))
    ligand, edges = ligand_rows(graph), graph.edge_index
    across = ligand[edges[0]] != ligand[edges[1]]
    graph.put('edge_index', edges[:, across], 'edge')
    if sight == 'shape':
        graph.z = graph.z.masked_fill(ligand, CARBON)
    return graph


def _alone(pose_set: PoseSet) -> PoseSet:
    poses = [
        Data(
            z=pose.z[pose.is_ligand],
            pos=pose.pos[pose.is_ligand],
            is_ligand=torch.ones(int(pose.is_ligand.sum()), dtype=torch.bool),
        )
        for pose in pose_set.to_poses()
    ]
    return PoseSet.from_poses(poses, y=pose_set.y, name=pose_set.name)
