r"""Training of all models by the command line, one process each."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from tqdm import tqdm

from pyg_multipose.cli import main
from pyg_multipose.cli.data_set import read_table
from pyg_multipose.demo.models import Model
from pyg_multipose.demo.settings import Settings

WORKERS = min(2, os.cpu_count() or 1)
#: What a command has said, in the folder of all runs.
LOG = '{}.log'


def fit_all(
    models: tuple[Model, ...], settings: Settings, runs: Path
) -> dict[str, float]:
    r"""Trains models side by side, with a progress bar for each.

    A model has one thread, so its numbers do not depend on the number of
    cores.

    Args:
        models: What to train.
        settings: How to train it.
        runs: Where the folders of the runs go; older runs are removed.

    Returns:
        The seconds that each took, by its name.

    Raises:
        RuntimeError: If a training has failed.
    """
    shutil.rmtree(runs, ignore_errors=True)
    runs.mkdir(parents=True)
    width = max(len(model.name) for model in models)
    bars = {
        model: tqdm(
            desc=f'{model.name:{width}}',
            total=settings.epochs,
            unit='epoch',
            position=position,
            mininterval=0.1 if sys.stderr.isatty() else 30.0,
        )
        for position, model in enumerate(models)
    }
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(WORKERS, context, _one_thread) as pool:
        # The fastest last.
        order = sorted(models, key=lambda model: model.best_docked_only)
        futures = {
            model: pool.submit(_fit, model.command(settings, runs),
                               runs / LOG.format(model.folder))
            for model in order
        }  # fmt: skip
        running = True
        while running:
            running = not all(one.done() for one in futures.values())
            for model, bar in bars.items():
                _show(bar, runs / model.folder / 'metrics.csv')
            time.sleep(0.2 if running else 0)
        for bar in bars.values():
            bar.close()
        return {model.name: _seconds(futures[model]) for model in models}


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _fit(words: list[str], log: Path) -> float:
    start = time.perf_counter()
    with (
        open(log, 'w', encoding='utf-8') as file,
        redirect_stdout(file),
        redirect_stderr(file),
    ):
        code = main(words)
    if code:
        said = log.read_text(encoding='utf-8')
        raise RuntimeError(f'multipose {" ".join(words)} has failed: {said}')
    return time.perf_counter() - start


def _seconds(future: Future[float]) -> float:
    return round(future.result(), 1)


def _show(bar: tqdm, metrics: Path) -> None:
    """How far a training is, by what it has written."""
    if not metrics.is_file():
        return
    losses = [row for row in read_table(metrics) if row.get('valid_mae')]
    if losses and len(losses) > bar.n:
        error = float(losses[-1]['valid_mae'])
        bar.set_postfix_str(f'MAE valid {error:.2f}', refresh=False)
        bar.update(len(losses) - bar.n)
