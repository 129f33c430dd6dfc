r"""What is done when a model is trained: intervals, tables, scores."""

from __future__ import annotations

from pathlib import Path

from pyg_multipose.cli.data_set import DataSet
from pyg_multipose.cli.reporting import TABLES, report_run
from pyg_multipose.cli.run_folder import RunFolder
from pyg_multipose.train import (
    AtomicCheckpoints,
    MultiPoseModule,
    PoseSetDataModule,
    Predictions,
    Scores,
    calibrate,
)
from pyg_multipose.train.atomic_checkpoints import LAST
from pyg_multipose.train.checkpoint import read_checkpoint
from pyg_multipose.train.run_checkpoints import BEST
from pyg_multipose.train.scores import ALL

#: The table of scores, and the resamples of its intervals.
SCORES, RESAMPLES = 'test_scores.csv', 2000


def finish(
    folder: RunFolder, data: DataSet, parts: PoseSetDataModule, device: str
) -> None:
    r"""Calibrates, predicts and scores; the run is finished then.

    All of it follows from the checkpoints, so that it can be done again.

    Args:
        folder: That of the run.
        data: The data set.
        parts: Its parts.
        device: Where to compute.
    """
    for name in (LAST, BEST):
        if 'valid' in parts.parts and (folder.path / name).is_file():
            _calibrate(folder.path / name, parts, device)
    module = MultiPoseModule.load_from_checkpoint(folder.path / LAST)
    module.to(device)
    for part in parts.parts:
        loader = parts.loader(part, dealt=False)
        table = Predictions.of(module, loader, progress=False)
        table.write(folder.path / TABLES[part])
    print(f"'{report_run(folder.path, data)}' shows the run")
    folder.finish(_scores(folder, module, parts))
    print(f"the run is in '{folder.path}': last.ckpt predicts, by 'predict'")


def _scores(
    folder: RunFolder, module: MultiPoseModule, parts: PoseSetDataModule
) -> dict[str, float]:
    """Those of the sets to test on, printed and written."""
    if 'test' not in parts.parts:
        return {}
    try:
        scores = Scores.of(
            module, parts.loader('test'), RESAMPLES, progress=False
        )
    except ValueError as error:  # without labels
        print(f'the part to test on: {error}')
        return {}
    scores.write(folder.path / SCORES)
    print(f'on the part to test on:\n{scores}')
    return {
        row['metric']: row['value']
        for row in scores.rows
        if row['target'] == ALL
    }


def _calibrate(path: Path, parts: PoseSetDataModule, device: str) -> None:
    """Adds the interval of predictions to a checkpoint."""
    module = MultiPoseModule.load_from_checkpoint(path).to(device)
    if module.calibration is not None:
        return
    if calibrate(module, parts.loader('valid', dealt=False)) is not None:
        checkpoint = read_checkpoint(path, 'cpu')
        module.on_save_checkpoint(checkpoint)
        AtomicCheckpoints().save_checkpoint(checkpoint, path)
