r"""Training of all models, one process and one thread each."""

from __future__ import annotations

import multiprocessing
import os
import queue
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch
from tqdm import tqdm

from pyg_multipose.demo.settings import Settings
from pyg_multipose.demo.training import Model, Result, fit

WORKERS = min(2, os.cpu_count() or 1)

#: In a worker: where progress goes to.
_progress: Any = None


def fit_all(models: tuple[Model, ...], settings: Settings) -> list[Result]:
    r"""Trains models side by side, with a progress bar for each.

    A model has one thread, so its numbers do not depend on the number of
    cores.

    Args:
        models: What to train.
        settings: How to train it.
    """
    context = multiprocessing.get_context('spawn')
    progress = context.Queue()
    width = max(len(model.name) for model in models)
    bars = {
        model.name: tqdm(
            desc=f'{model.name:{width}}',
            total=settings.epochs,
            unit='epoch',
            position=position,
            mininterval=0.1 if sys.stderr.isatty() else 30.0,
        )
        for position, model in enumerate(models)
    }
    with ProcessPoolExecutor(
        WORKERS, context, initializer=_start, initargs=(progress,)
    ) as pool:
        # The fastest last.
        order = sorted(models, key=lambda model: model.best_docked_only)
        futures = {
            model.name: pool.submit(_fit, model, settings) for model in order
        }
        running = True
        while running:
            # Asked before the queue, so that nothing is left in it.
            running = not all(future.done() for future in futures.values())
            try:
                while True:
                    name, train, valid = progress.get(timeout=0.2)
                    bars[name].set_postfix_str(
                        f'MAE train {train:.2f} valid {valid:.2f}',
                        refresh=False,
                    )
                    bars[name].update()
            except queue.Empty:
                pass
        for bar in bars.values():
            bar.close()
        return [futures[model.name].result() for model in models]


def _start(progress: Any) -> None:
    global _progress
    _progress = progress
    torch.set_num_threads(1)


def _fit(model: Model, settings: Settings) -> Result:
    return fit(
        model, settings, lambda *errors: _progress.put((model.name, *errors))
    )
