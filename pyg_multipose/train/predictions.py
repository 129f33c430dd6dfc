r"""Predictions of sets and of their poses, as tables."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pyg_multipose.data import PoseSet
from pyg_multipose.train.multi_pose_module import MultiPoseModule
from pyg_multipose.train.predicted_columns import (
    Columns,
    predicted_columns,
    ranks,
)
from pyg_multipose.train.table_writer import (
    OF_POSES,
    OF_SETS,
    TableWriter,
    of_poses,
)
from pyg_multipose.train.units import UNITS


class Predictions:
    r"""What a module predicts, in rows of sets and rows of poses.

    A rank is 1 for what binds strongest: among all sets, and among the poses
    of a set. The weight of a pose is how much the prediction of its set moves
    with its own. Poses are counted from 0, in the order of the set.

    :obj:`low` and :obj:`high` are the ends of the interval of a module that
    is calibrated, else missing. :obj:`flags` says what is to be known of a
    row: a receptor that was not in training, poses that were left out since
    their prediction is not finite. If none is left, there is no prediction.

    Args:
        sets: A row (a dictionary) of each set.
        poses: A row of each pose.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.train import MultiPoseModule, Predictions
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> sets = MproMoonshot('test', transform=RadiusGraph(4.5))[:2]
        >>> module = MultiPoseModule('SchNet', 'mean', affinity='PIC50').eval()
        >>> table = Predictions.of(module, sets, progress=False)
        >>> [row['id'] for row in table.sets], len(table.poses)
        (['ALP-POS-6479a3a9-1', 'EDJ-MED-c5ca5386-1'], 17)
        >>> table.poses[0]['unit'], table.poses[0]['weight']
        ('pIC50', 0.125)
    """

    def __init__(
        self, sets: list[dict[str, Any]], poses: list[dict[str, Any]]
    ) -> None:
        self.sets, self.poses = sets, poses

    @classmethod
    def of(
        cls,
        module: MultiPoseModule,
        batches: Iterable[PoseSet],
        progress: bool | None = None,
    ) -> Predictions:
        r"""Predicts pose sets.

        Args:
            module: A module, on any device.
            batches: Pose sets, or batches of them such as a loader gives.
            progress: Whether to show a progress bar on stderr; if
                :obj:`None`, on a terminal. (default: :obj:`None`)

        Raises:
            ValueError: If the sets are not like those of the training.
        """
        training = module.training
        module.eval()
        sets: list[dict[str, Any]] = []
        poses: list[dict[str, Any]] = []
        bar = tqdm(
            batches,
            desc='Predicting',
            unit='batch',
            disable=None if progress is None else not progress,
        )
        try:
            for batch in bar:
                found = predicted_columns(module, batch, len(sets))
                sets += _rows(found[0])
                poses += _rows(found[1])
        finally:
            module.train(training)
        values = np.array([row['prediction'] for row in sets], dtype=float)
        order = ranks(values, UNITS[module.unit]).tolist()
        for row, rank in zip(sets, order, strict=True):
            row['rank'] = rank
        return cls(sets, poses)

    def write(self, path: str | os.PathLike[str]) -> tuple[Path, Path]:
        r"""Writes both tables, the second one as :obj:`NAME_poses`.

        Args:
            path: The file of the table of sets; its end says the format,
                :obj:`.csv` or :obj:`.parquet`.

        Returns:
            The files.

        Raises:
            ValueError: If the end of the name is another one.
            ImportError: If pyarrow is not installed, for :obj:`.parquet`.

        Example:
            >>> import tempfile
            >>> from pathlib import Path
            >>> from pyg_multipose.train import Predictions
            >>> row = {
            ...     'id': 'a',
            ...     'prediction': 6.5,
            ...     'unit': 'pIC50',
            ...     'rank': 1,
            ... }
            >>> table = Predictions([row], [])
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     files = table.write(Path(folder, 'out.csv'))
            ...     print([file.name for file in files])
            ...     print(files[0].read_text())
            ['out.csv', 'out_poses.csv']
            id,receptor,prediction,low,high,unit,poses,rank,flags
            a,,6.5,,,pIC50,,1,
        """
        first = Path(path)
        second = of_poses(first)
        for file, rows, columns in (
            (first, self.sets, OF_SETS),
            (second, self.poses, OF_POSES),
        ):
            with TableWriter(file, columns) as table:
                table.add({k: [row.get(k) for row in rows] for k in columns})
        return first, second


def _rows(columns: Columns) -> list[dict[str, Any]]:
    values = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in values]
