r"""What is done when a model is trained: intervals, tables, scores."""

from __future__ import annotations

from pathlib import Path

from pyg_multipose.cli.data_set import DataSet
from pyg_multipose.cli.reporting import TABLES, report_run
from pyg_multipose.cli.run_folder import BEST, LAST, RunFolder
from pyg_multipose.train import (
    AtomicCheckpoints,
    MultiPoseModule,
    PoseSetDataModule,
    Predictions,
    calibrate,
)
from pyg_multipose.train.checkpoint import read_checkpoint


def finish(folder: RunFolder, data: DataSet, parts: PoseSetDataModule) -> None:
    r"""Calibrates, predicts and scores; the run is finished then.

    All of it follows from the checkpoints, so that it can be done again.

    Args:
        folder: That of the run.
        data: The data set.
        parts: Its parts.
    """
    for name in (LAST, BEST):
        if 'valid' in parts.parts and (folder.path / name).is_file():
            _calibrate(folder.path / name, parts)
    module = MultiPoseModule.load_from_checkpoint(folder.path / LAST)
    for part in parts.parts:
        table = Predictions.of(module, parts.loader(part), progress=False)
        table.write(folder.path / TABLES[part])
    print(f"'{report_run(folder.path, data)}' shows the run")
    folder.finish({})
    print(f"the run is in '{folder.path}': last.ckpt predicts, by 'predict'")


def _calibrate(path: Path, parts: PoseSetDataModule) -> None:
    """Adds the interval of predictions to a checkpoint."""
    module = MultiPoseModule.load_from_checkpoint(path)
    if module.calibration is not None:
        return
    if calibrate(module, parts.loader('valid')) is not None:
        checkpoint = read_checkpoint(path, 'cpu')
        module.on_save_checkpoint(checkpoint)
        AtomicCheckpoints().save_checkpoint(checkpoint, path)
