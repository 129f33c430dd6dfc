r"""The checkpoints of a run, which it can go on from."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch.trainer.states import TrainerFn

from pyg_multipose.train.atomic_checkpoints import LAST
from pyg_multipose.train.lightning import pl
from pyg_multipose.train.metrics_table import MetricsTable
from pyg_multipose.train.random_state import random_state, set_random_state

#: The checkpoint with the lowest loss.
BEST = 'best.ckpt'


class RunCheckpoints(pl.callbacks.Checkpoint):
    r"""Saves a training after every epoch, so that it can go on from there.

    :obj:`last.ckpt` is written when an epoch is over with all that belongs to
    it, so :obj:`Trainer.fit(ckpt_path="last.ckpt")`, with this callback,
    goes on with the next one as if nothing had happened: weights,
    optimizer, schedule, averages of weights, early stopping, random numbers,
    and the rows of a :class:`~pyg_multipose.train.MetricsTable`.
    :obj:`best.ckpt` is the model where a metric was lowest.

    Use it with :class:`~pyg_multipose.train.AtomicCheckpoints`, and with
    :obj:`Trainer(enable_checkpointing=False)` left out.

    Args:
        folder: That of the run.
        monitor: The metric of :obj:`best.ckpt`; without such a metric, there
            is none. (default: :obj:`"valid_loss"`)

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from pyg_multipose.train import AtomicCheckpoints, RunCheckpoints
        >>> trainer = Trainer(
        ...     callbacks=[RunCheckpoints('run')],
        ...     plugins=[AtomicCheckpoints()],
        ...     logger=False,
        ... )
    """

    def __init__(
        self, folder: str | os.PathLike[str], monitor: str = 'valid_loss'
    ) -> None:
        super().__init__()
        self.folder, self.monitor = Path(folder), monitor
        #: The lowest value of the metric.
        self.best = math.inf
        #: Whether the training has come to its end.
        self.finished = False
        self._saved_at = 0
        self._loaded: dict[str, Any] | None = None
        self._state: dict[str, Any] = {}

    # Saving ##################################################################

    def on_train_epoch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        r"""Saves the epoch before, or goes on after it.

        Here all that ends an epoch is done; in :meth:`on_train_epoch_end`
        schedules have not seen it yet.

        Args:
            trainer: The trainer.
            pl_module: The module.
        """
        if self._loaded is not None:
            self._restore(trainer, self._loaded)
            self._loaded = None
        elif trainer.current_epoch > self._saved_at:
            self._save(trainer)
        self._saved_at = trainer.current_epoch

    def on_validation_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        r"""Saves the best model.

        Args:
            trainer: The trainer.
            pl_module: The module.
        """
        value = trainer.callback_metrics.get(self.monitor)
        fitting = trainer.state.fn == TrainerFn.FITTING
        if value is None or trainer.sanity_checking or not fitting:
            return
        if float(value) < self.best:
            self.best = float(value)
            trainer.save_checkpoint(self.folder / BEST)

    def on_train_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        r"""Saves the model as it is in the end.

        Args:
            trainer: The trainer.
            pl_module: The module.
        """
        self.finished = True
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        tables = _tables(trainer)
        for table in tables:
            table.save()
        loop = trainer.fit_loop.epoch_loop
        loaders = [one.get_state() for one in _generators(trainer)]
        self._state = {
            'batches': loop._batches_that_stepped,
            'ranks': _of_all_ranks(
                {'random': random_state(), 'loaders': loaders}
            ),
            'rows': [dict(row) for table in tables for row in table.rows],
        }
        trainer.save_checkpoint(self.folder / LAST)
        self._state = {}

    def state_dict(self) -> dict[str, Any]:
        r"""What is needed to go on, as plain data."""
        return {
            'best': self.best,
            'finished': self.finished,
            **self._state,
        }

    # Going on ################################################################

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        r"""Takes what is needed to go on.

        Args:
            state_dict: What :meth:`state_dict` gave.
        """
        if 'ranks' not in state_dict:
            raise ValueError(
                f"A training goes on from '{LAST}', and not from "
                f"'{BEST}', which was saved amid an epoch"
            )
        self.best, self._loaded = state_dict['best'], state_dict

    def on_load_checkpoint(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        r"""Counts the epochs that are over.

        Args:
            trainer: The trainer.
            pl_module: The module.
            checkpoint: What was saved.
        """
        if trainer.state.fn != TrainerFn.FITTING:
            return
        # How Lightning goes on depends on the hook that it saved in, and on
        # its version; an epoch that begins as any other does not.
        checkpoint.pop('loops', None)
        loop = trainer.fit_loop
        counts: Any
        for counts in vars(loop.epoch_progress).values():
            counts.ready = counts.completed = checkpoint['epoch']
            counts.started = counts.processed = checkpoint['epoch']
        steps = loop.epoch_loop.automatic_optimization.optim_progress
        steps.optimizer.step.total.ready = checkpoint['global_step']
        steps.optimizer.step.total.completed = checkpoint['global_step']

    def _restore(self, trainer: pl.Trainer, state: dict[str, Any]) -> None:
        loop = trainer.fit_loop.epoch_loop
        loop._batches_that_stepped = state['batches']
        for table in _tables(trainer):
            table.rows = [dict(row) for row in state['rows']]
        ranks = state['ranks']
        own = ranks[min(trainer.global_rank, len(ranks) - 1)]
        found = _generators(trainer)
        for one, known in zip(found, own['loaders'], strict=False):
            one.set_state(known)
        set_random_state(own['random'])


def _tables(trainer: pl.Trainer) -> list[MetricsTable]:
    return [one for one in trainer.loggers if isinstance(one, MetricsTable)]


def _of_all_ranks(state: dict[str, Any]) -> list[Any]:
    """That of each rank; only the first one writes."""
    if not (dist.is_available() and dist.is_initialized()):
        return [state]
    out: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(out, state)
    return out


def _generators(trainer: pl.Trainer) -> list[torch.Generator]:
    """What loaders draw the seeds of their workers from."""
    loaders: list[Any] = [trainer.train_dataloader, trainer.val_dataloaders]
    found = [getattr(loader, 'generator', None) for loader in loaders]
    return [one for one in found if one is not None]
