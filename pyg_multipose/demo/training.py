r"""Training of one model: the same network under a combination."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from pyg_multipose.data import PoseSet
from pyg_multipose.demo.compounds import load
from pyg_multipose.demo.settings import Settings
from pyg_multipose.nn import (
    FreeEnergyCombination,
    MaxCombination,
    MeanCombination,
    MultiPoseReadout,
)
from pyg_multipose.nn.models import EquivariantGNN

LN10 = math.log(10.0)


@dataclass(frozen=True)
class Model:
    r"""A row of the table that is trained: a combination, and which poses."""

    name: str
    combination: type
    best_docked_only: bool = False


MODELS = (
    Model('single best-docked pose', MeanCombination, best_docked_only=True),
    Model('multi-pose Mean', MeanCombination),
    Model('multi-pose Max', MaxCombination),
    Model('free energy', FreeEnergyCombination),
)


@dataclass
class Result:
    r"""What training leaves: curves, predictions and weights of poses."""

    name: str
    num_parameters: int = 0
    train_curve: list[float] = field(default_factory=list)
    valid_curve: list[float] = field(default_factory=list)
    epoch: int = 0
    seconds: float = 0.0
    predictions: dict[str, np.ndarray] = field(default_factory=dict)
    weights: list[np.ndarray] = field(default_factory=list)


def pic50(energy: Tensor) -> Tensor:
    r"""pIC50 of a binding free energy in kT, with the IC50 taken as Ki.

    Args:
        energy: Free energies in kT; low is good.
    """
    return -energy / LN10


def build(model: Model, settings: Settings, sets: list[PoseSet]):
    r"""The network in a readout, on the scale of the training labels.

    Before training a combined prediction is near the mean label, whatever
    the combination makes of equal poses (a free energy lowers them by the
    logarithm of their number).

    Args:
        model: The combination.
        settings: The network; its seed gives every model the same weights.
        sets: The training sets.
    """
    labels = torch.cat([pose_set.y for pose_set in sets]) * -LN10
    combination = model.combination()
    counts = torch.tensor([pose_set.num_poses for pose_set in sets])
    index = torch.repeat_interleave(torch.arange(len(sets)), counts)
    equal = combination(
        torch.zeros(len(index), 1), index=index, dim_size=len(sets)
    )
    atoms = torch.cat([pose_set.pose_size for pose_set in sets])
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = EquivariantGNN(
            settings.hidden_irreps,
            num_layers=settings.num_layers,
            cutoff=settings.cutoff,
            lmax=settings.lmax,
            radial_channels=settings.radial_channels,
            atoms='ligand',
            mean=float(labels.mean() - equal.mean()),
            # A sum over atoms: each is to contribute its part.
            std=float(labels.std() / atoms.float().mean()),
        )
    return MultiPoseReadout(
        network, combination, max_nodes_per_chunk=settings.nodes_per_chunk
    )
