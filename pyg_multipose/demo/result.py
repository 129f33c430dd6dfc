r"""What a training leaves behind, read from the folder of its run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyg_multipose.cli.data_set import DataSet, read_table
from pyg_multipose.cli.reporting import TABLES, compounds_of_run
from pyg_multipose.demo.models import Model
from pyg_multipose.report import Compounds
from pyg_multipose.train import MultiPoseModule


@dataclass
class Result:
    r"""What training leaves behind, in pIC50.

    Args:
        name: That of the model.
        num_parameters: How many weights were trained.
        train_curve: The loss on train while it is learned, epoch by epoch.
        valid_curve: The loss on valid.
        parts: The compounds of each part, with predictions.
        pose_predictions: Of each test compound, pose by pose.
        pose_weights: The weights of these poses.
        seconds: How long it took.
    """

    name: str
    num_parameters: int
    train_curve: list[float]
    valid_curve: list[float]
    parts: dict[str, Compounds]
    pose_predictions: list[np.ndarray]
    pose_weights: list[np.ndarray]
    seconds: float

    @classmethod
    def read(
        cls, model: Model, folder: Path, data: DataSet, seconds: float
    ) -> Result:
        r"""Reads the folder of a run.

        Args:
            model: What was trained.
            folder: The folder.
            data: What it was trained on.
            seconds: How long it took.
        """
        module = MultiPoseModule.load_from_checkpoint(folder / 'last.ckpt')
        logged = read_table(folder / 'metrics.csv')
        curves = {
            part: [
                float(row[f'{part}_loss'])
                for row in logged
                if row.get(f'{part}_loss')
            ]
            for part in ('train', 'valid')
        }
        parts = compounds_of_run(folder, data)
        poses = defaultdict(list)
        table = folder / TABLES['test']
        for row in read_table(table.with_stem(f'{table.stem}_poses')):
            poses[row['id']].append(
                (float(row['prediction']), float(row['weight']))
            )
        of_test = [
            np.array(poses[name], dtype=np.float32).T
            for name in parts['test'].names
        ]
        return cls(
            model.name,
            sum(one.numel() for one in module.parameters()),
            curves['train'],
            curves['valid'],
            parts,
            [values for values, _ in of_test],
            [weights for _, weights in of_test],
            seconds,
        )
