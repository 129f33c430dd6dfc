r"""A run of the demo, from the data to all of its numbers."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from pyg_multipose.demo.baselines import baselines
from pyg_multipose.demo.compounds import Compounds, load
from pyg_multipose.demo.memory import held_bytes
from pyg_multipose.demo.metrics import resample
from pyg_multipose.demo.processes import fit_all
from pyg_multipose.demo.settings import Settings
from pyg_multipose.demo.table import Row, findings, make_row
from pyg_multipose.demo.training import MODELS, SPLITS, Result


@dataclass(frozen=True)
class Run:
    r"""Everything that is printed, drawn or written."""

    settings: Settings
    compounds: dict[str, Compounds]
    #: Of what is trained, in the order of the table.
    results: list[Result]
    #: Predicted pIC50 by name of the row, and split.
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


def run(settings: Settings) -> Run:
    r"""Trains, scores and measures.

    Args:
        settings: What everything depends on.
    """
    clock = _Clock()
    compounds = {split: load(split, settings) for split in SPLITS}
    results = fit_all(MODELS, settings)
    clock.stop('training')
    predictions = baselines(compounds['train'], compounds)
    constants = list(predictions)
    predictions |= {result.name: result.predictions for result in results}
    measured = {split: part.pic50 for split, part in compounds.items()}
    draws = resample(len(measured['test']), settings.resamples, settings.seed)
    rows = {
        name: make_row(name, by_split, measured, draws)
        for name, by_split in predictions.items()
    }
    without = [rows.pop(name) for name in constants]
    trained = list(rows.values())
    sentences = findings(without, trained, measured['test'], draws)
    clock.stop('bootstrap')
    held = held_bytes(settings)
    clock.stop('memory')
    return Run(
        settings,
        compounds,
        results,
        predictions,
        without,
        trained,
        sentences,
        held,
        clock.seconds,
    )


class _Clock:
    """Seconds of one part after the other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stop(self, part: str) -> None:
        now = time.perf_counter()
        self.seconds[part] = round(now - self._last, 1)
        self._last = now
