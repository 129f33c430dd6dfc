"""What every way predicts for the test compounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from rdkit import Chem, DataStructs
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

from benchmarks.learning.scores import Predicted
from benchmarks.learning.settings import Settings
from benchmarks.learning.training import Task, one_pose, sets
from benchmarks.learning.ways import COMBINATIONS, Way
from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot


def of_way(
    way: Way, energies: Sequence[np.ndarray], test: list[PoseSet], seed: int
) -> Predicted:
    r"""What a trained network says of the test compounds.

    Args:
        way: Which poses count, and how they are combined.
        energies: Of every pose of every compound, in kT.
        test: The compounds.
        seed: Which pose is the random one.
    """
    combine = COMBINATIONS[way.combination]()
    affinity, best = [], []
    for found, one in zip(energies, test, strict=True):
        rows = range(len(found))
        if way.poses == 'best':
            rows = [0]
        elif way.poses == 'random':
            rows = [one_pose(one, seed)]
        chosen = found[list(rows)]
        value = combine(torch.from_numpy(chosen).unsqueeze(1))
        affinity.append(float(value))
        best.append(rows[int(chosen.argmin())])
    return _predicted(np.array(affinity), best, test)


def of_baselines(
    task: Task, seed: int, settings: Settings
) -> dict[str, Predicted]:
    r"""What needs no network: constants, fingerprints and docking scores.

    With one protein, a model of the pocket alone is the mean label.

    Args:
        task: What is predicted.
        seed: Which planted energies.
        settings: The sets.
    """
    train = sets(task, 'train', seed, settings)
    test = sets(task, 'test', seed, settings)
    y = np.array([float(one.y) for one in train])
    docked = [0] * len(test)  # docking has the best score first
    random = [one_pose(one, seed) for one in test]
    slope, level = np.polyfit([_vina(one) for one in train], y, 1)
    neighbor = _nearest(task, settings)
    by_score = np.array([slope * _vina(one) + level for one in test])
    mean = np.full(len(test), y.mean())
    return {
        'mean label (pocket alone)': _predicted(mean, random, test),
        'nearest fingerprint': _predicted(y[neighbor], random, test),
        'best Vina score': _predicted(by_score, docked, test),
    }


def _predicted(
    affinity: np.ndarray, best: Sequence[int], test: list[PoseSet]
) -> Predicted:
    hits = [
        chosen == int(one.planted_energy.argmin())
        for chosen, one in zip(best, test, strict=True)
        if 'planted_energy' in one
    ]
    label = np.array([float(one.y) for one in test])
    return Predicted(affinity, label, np.array(hits, dtype=float))


def _vina(one: PoseSet) -> float:
    return float(one.vina_score.min())


def _nearest(task: Task, settings: Settings) -> list[int]:
    """For every test compound, the training compound most alike."""
    generator = GetMorganGenerator(radius=2, fpSize=2048)

    def prints(split: str) -> list[object]:
        dataset = MproMoonshot(split, by=task.by)
        smiles = dataset.smiles[: settings.max_sets]
        return [
            generator.GetFingerprint(Chem.MolFromSmiles(one)) for one in smiles
        ]

    train = prints('train')
    return [
        int(np.argmax(DataStructs.BulkTanimotoSimilarity(one, train)))
        for one in prints('test')
    ]
