"""Training of one network."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import smooth_l1_loss
from torch_geometric.loader import DataLoader

from benchmarks.learning import complexes
from benchmarks.learning.network import ContactEnergies
from benchmarks.learning.settings import NETWORKS, Settings
from benchmarks.learning.ways import COMBINATIONS, Training
from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MeanCombination, MultiPoseReadout
from pyg_multipose.nn.models import SchNet


@dataclass(frozen=True)
class Task:
    r"""What is learned.

    Args:
        label: :obj:`"planted"` or :obj:`"measured"`.
        by: The rule of the split.
        generated: How many generated sets are trained on.
            (default: :obj:`None`, the docked ones)
    """

    label: str
    by: str = 'date'
    generated: int | None = None


@dataclass(frozen=True)
class Job:
    r"""A training, with all that decides its outcome."""

    task: Task
    training: Training
    seed: int
    settings: Settings
    #: The split that is predicted.
    split: str = 'test'


def sets(task: Task, split: str, seed: int, s: Settings) -> list[PoseSet]:
    r"""The sets of a split, as they are before a model is shown them.

    Args:
        task: What is learned.
        split: :obj:`"train"`, :obj:`"valid"` or :obj:`"test"`.
        seed: Which planted energies.
        s: The settings.
    """
    if task.label == 'measured':
        return complexes.measured(split, task.by, s)
    if split == 'train' and task.generated is not None:
        return complexes.generated(task.generated, task.by, seed, s)
    return complexes.planted(split, task.by, seed, s)


def train(job: Job) -> list[np.ndarray]:
    r"""Trains a network and predicts the energy of every pose.

    The learning rate falls to zero and the last weights are kept.

    Args:
        job: What to do.

    Returns:
        Energies in kT of the poses of every set of the split.
    """
    s, how = job.settings, job.training
    torch.set_num_threads(1)
    chosen = [
        _chosen(one, how.on, job.seed)
        for one in sets(job.task, 'train', job.seed, s)
    ]
    shown = [complexes.seen(one, how.sight, s) for one in chosen]
    readout = build(job, shown)
    optimizer = torch.optim.AdamW(
        readout.parameters(), weight_decay=s.weight_decay
    )
    rate = s.lr[NETWORKS.index(how.network)]
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=s.steps, pct_start=0.1
    )
    for batch in itertools.islice(_batches(shown, job), s.steps):
        combined, poses = readout(batch, return_poses=True)
        if how.on == 'each':
            label = batch.y.repeat_interleave(batch.set_size)
            loss = smooth_l1_loss(poses, label)
        else:
            loss = smooth_l1_loss(combined, batch.y)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(readout.parameters(), 10.0)
        optimizer.step()
        schedule.step()
    out = []
    with torch.no_grad():
        for one in sets(job.task, job.split, job.seed, s):
            given = complexes.seen(one, how.sight, s)
            out.append(readout(given, return_poses=True)[1].double().numpy())
    return out


def build(job: Job, shown: list[PoseSet]) -> MultiPoseReadout:
    r"""The network in a readout, on the scale of the training labels.

    Predictions start near the mean label under every combination.

    Args:
        job: The training, the width of the network, and the seed of its
            weights.
        shown: The training sets.
    """
    combination = MeanCombination()
    if job.training.on == 'set':
        combination = COMBINATIONS[job.training.combination]()
    y = torch.cat([one.y for one in shown])
    counts = torch.cat([one.set_size for one in shown])
    offset = combination(
        torch.zeros(int(counts.sum()), 1),
        index=torch.repeat_interleave(counts),
        dim_size=len(shown),
    )
    with torch.random.fork_rng():
        torch.manual_seed(job.seed)
        network = _network(job, y.mean() - offset.mean(), y.std(), shown)
    # Sets have receptors of their own here, without edges within.
    return MultiPoseReadout(network, combination, share_receptor=False)


def one_pose(pose_set: PoseSet, seed: int) -> int:
    r"""The random pose of a set: the same for every model of a seed.

    Args:
        pose_set: The set.
        seed: The seed.
    """
    rng = np.random.default_rng([seed, *pose_set.name.encode()])
    return int(rng.integers(pose_set.num_poses))


def _chosen(one: PoseSet, on: str, seed: int) -> PoseSet:
    if on == 'best':
        return one.select([0])  # docking has the best score first
    if on == 'random':
        return one.select([one_pose(one, seed)])
    return one


def _network(
    job: Job, mean: Tensor, std: Tensor, shown: list[PoseSet]
) -> Module:
    s, number = job.settings, NETWORKS.index(job.training.network)
    width, gaussians = s.width[number], s.num_gaussians[number]
    atoms = float(torch.cat([one.pose_size for one in shown]).float().mean())
    if job.training.network == 'contacts':
        return ContactEnergies(
            width, gaussians, s.cutoff, float(mean), float(std), atoms
        )
    return SchNet(
        width,
        width,
        1,
        num_gaussians=gaussians,
        cutoff=s.cutoff,
        atoms='ligand',
        mean=float(mean) / atoms,
        std=float(std) / atoms,
    )


def _batches(shown: list[PoseSet], job: Job) -> Iterator[PoseSet]:
    loader = DataLoader(
        shown,
        min(job.settings.batch_size, len(shown)),
        shuffle=True,
        drop_last=True,
        generator=torch.Generator().manual_seed(job.seed),
    )
    while True:
        yield from loader
