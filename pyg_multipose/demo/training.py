r"""Training of one model: the same network under one of the combinations."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss
from torch_geometric.loader import DataLoader

from pyg_multipose.data import PoseSet
from pyg_multipose.demo.compounds import load
from pyg_multipose.demo.settings import Settings
from pyg_multipose.nn import (
    Combination,
    FreeEnergyCombination,
    MaxCombination,
    MeanCombination,
    MultiPoseReadout,
)
from pyg_multipose.nn.models import EquivariantGNN

SPLITS = ('train', 'valid', 'test')
LN10 = math.log(10.0)


@dataclass(frozen=True)
class Model:
    r"""What is trained: a combination of all poses, or of the first alone."""

    name: str
    combination: type[Combination]
    best_docked_only: bool = False


MODELS = (
    Model('single best-docked pose', MeanCombination, best_docked_only=True),
    Model('multi-pose Mean', MeanCombination),
    Model('multi-pose Max', MaxCombination),
    Model('free energy', FreeEnergyCombination),
)


@dataclass
class Result:
    r"""What training leaves behind, in pIC50."""

    name: str
    num_parameters: int
    #: Mean absolute errors, epoch by epoch; of train while it is learned.
    train_curve: list[float] = field(default_factory=list)
    valid_curve: list[float] = field(default_factory=list)
    predictions: dict[str, np.ndarray] = field(default_factory=dict)
    #: Of each test compound, pose by pose.
    pose_predictions: list[np.ndarray] = field(default_factory=list)
    pose_weights: list[np.ndarray] = field(default_factory=list)
    seconds: float = 0.0


def fit(
    model: Model,
    settings: Settings,
    report: Callable[[float, float], None],
) -> Result:
    r"""Trains a model, for a given number of epochs, and predicts all splits.

    The learning rate falls to zero and the last weights are kept: to pick an
    epoch by a few dozen compounds would be to pick noise.

    Args:
        model: What to train.
        settings: How to train it.
        report: Called after every epoch with the errors on train and valid.
    """
    start = time.perf_counter()
    sets = {split: _poses(model, split, settings) for split in SPLITS}
    measured = load('valid', settings).pic50
    readout = build(model, settings, sets['train'])
    result = Result(model.name, sum(p.numel() for p in readout.parameters()))
    loader = DataLoader(
        sets['train'],
        settings.batch_size,
        shuffle=True,
        generator=torch.Generator().manual_seed(settings.seed),
    )
    optimizer = torch.optim.AdamW(readout.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        settings.lr,
        epochs=settings.epochs,
        steps_per_epoch=len(loader),
        pct_start=0.1,
    )
    for _ in range(settings.epochs):
        errors = []
        for batch in loader:
            predicted = pic50(readout(batch))
            optimizer.zero_grad()
            smooth_l1_loss(predicted, batch.y).backward()
            torch.nn.utils.clip_grad_norm_(readout.parameters(), 10.0)
            optimizer.step()
            schedule.step()
            errors.append((predicted - batch.y).abs().detach())
        result.train_curve.append(float(torch.cat(errors).mean()))
        error = float(
            np.abs(predict(readout, sets['valid']) - measured).mean()
        )
        result.valid_curve.append(error)
        report(result.train_curve[-1], error)
    for split in SPLITS:
        result.predictions[split] = predict(readout, sets[split])
    for pose_set in sets['test']:
        with torch.no_grad():
            _, poses, weights = readout(
                pose_set, return_poses=True, return_weights=True
            )
        result.pose_predictions.append(pic50(poses).numpy())
        result.pose_weights.append(weights.numpy())
    result.seconds = time.perf_counter() - start
    return result


def build(
    model: Model, settings: Settings, sets: list[PoseSet]
) -> MultiPoseReadout:
    r"""The network in a readout, on the scale of the training labels.

    Predictions start near the mean label under every combination: what it
    makes of poses that are all zero (a free energy lowers them by the
    logarithm of their number) is taken off the mean of the network.

    Args:
        model: Which combination.
        settings: The network. Its seed gives all models the same weights.
        sets: The training sets.
    """
    energy = -LN10 * torch.cat([pose_set.y for pose_set in sets])
    atoms = torch.cat([pose_set.pose_size for pose_set in sets])
    counts = torch.cat([pose_set.set_size for pose_set in sets])
    combination = model.combination()
    offset = combination(
        torch.zeros(int(counts.sum()), 1),
        index=torch.repeat_interleave(counts),
        dim_size=len(sets),
    )
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = EquivariantGNN(
            settings.hidden_irreps,
            num_layers=settings.num_layers,
            cutoff=settings.cutoff,
            lmax=settings.lmax,
            radial_channels=settings.radial_channels,
            pool='sum',
            atoms='ligand',
            mean=float(energy.mean() - offset.mean()),
            # The sum over atoms is on the scale of the labels.
            std=float(energy.std() / atoms.float().mean()),
        )
    return MultiPoseReadout(
        network,
        combination,
        gradient='auto',
        max_nodes_per_chunk=settings.nodes_per_chunk,
    )


def pic50(energy: Tensor) -> Tensor:
    r"""pIC50 of binding free energies in kT, with the IC50 taken as Ki.

    Args:
        energy: What a network predicts; low is good.
    """
    return -energy / LN10


def predict(readout: MultiPoseReadout, sets: list[PoseSet]) -> np.ndarray:
    r"""Predicted pIC50 of each set.

    Args:
        readout: A trained model.
        sets: What to predict.
    """
    with torch.no_grad():
        loader = DataLoader(sets, 16, generator=torch.Generator())
        parts = [readout(batch) for batch in loader]
    return pic50(torch.cat(parts)).double().numpy()


def _poses(model: Model, split: str, settings: Settings) -> list[PoseSet]:
    sets = load(split, settings).sets
    # The dataset has the best score first.
    return [s.select([0]) for s in sets] if model.best_docked_only else sets
