r"""A run of the demo, from the data to all of its numbers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyg_multipose.cli.data_set import DataSet, open_data
from pyg_multipose.cli.reporting import DOCKED
from pyg_multipose.demo.memory import held_bytes
from pyg_multipose.demo.models import MODELS
from pyg_multipose.demo.processes import fit_all
from pyg_multipose.demo.result import Result
from pyg_multipose.demo.settings import Settings
from pyg_multipose.demo.table import Row, findings, make_row
from pyg_multipose.report import Compounds, baselines
from pyg_multipose.uncertainty import Bootstrap

#: The folder of all trainings, in that of the demo.
RUNS = 'runs'


@dataclass(frozen=True)
class Run:
    r"""Everything that is printed, drawn or written."""

    settings: Settings
    data: DataSet
    #: By part; predictions are those of the first result.
    compounds: dict[str, Compounds]
    #: Of what is trained, in the order of the table.
    results: list[Result]
    #: Predicted pIC50 by name of the row, and part.
    predictions: dict[str, dict[str, np.ndarray]]
    baselines: list[Row]
    trained: list[Row]
    findings: list[str]
    #: Bytes by gradient mode, and number of poses.
    held: dict[str, dict[int, int]]
    seconds: dict[str, float]

    @property
    def rows(self) -> list[Row]:
        r"""The table."""
        return [*self.baselines, *self.trained]


def run(settings: Settings, folder: Path) -> Run:
    r"""Trains, scores and measures.

    Args:
        settings: What everything depends on.
        folder: Where the folders of the trainings go.
    """
    clock = _Clock()
    runs = folder / RUNS
    seconds = fit_all(MODELS, settings, runs)
    clock.stop('training')
    data = open_data(settings.data)
    results = [
        Result.read(model, runs / model.folder, data, seconds[model.name])
        for model in MODELS
    ]
    compounds = _named(results[-1].parts)
    predictions = baselines(compounds['train'], compounds)
    constants = list(predictions)
    for result in results:
        predictions[result.name] = {
            part: found.predicted for part, found in result.parts.items()
        }
    bootstrap = Bootstrap(
        compounds['test'].measured, settings.resamples, settings.seed
    )
    train = compounds['train'].measured
    rows = {
        name: make_row(name, by_part, train, bootstrap)
        for name, by_part in predictions.items()
    }
    without = [rows.pop(name) for name in constants]
    trained = list(rows.values())
    sentences = findings(without, trained, bootstrap)
    clock.stop('scores')
    held = held_bytes(settings, data, runs / MODELS[1].folder)
    clock.stop('memory')
    return Run(
        settings,
        data,
        compounds,
        results,
        predictions,
        without,
        trained,
        sentences,
        held,
        clock.seconds,
    )


def _named(parts: dict[str, Compounds]) -> dict[str, Compounds]:
    """With the docking score by its name."""
    for part in parts.values():
        part.features['best Vina score'] = part.features.pop(DOCKED)
    return parts


class _Clock:
    """Seconds of one part after the other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stop(self, part: str) -> None:
        now = time.perf_counter()
        self.seconds[part] = round(now - self._last, 1)
        self._last = now
