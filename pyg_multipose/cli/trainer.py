r"""Lightning's trainer, from the options of a command."""

from __future__ import annotations

import hashlib
import logging
import warnings
from pathlib import Path
from typing import Any

import torch

from pyg_multipose.cli import processes
from pyg_multipose.cli.nearest import did_you_mean
from pyg_multipose.cli.parser import Namespace, Parser
from pyg_multipose.cli.run_folder import METRICS
from pyg_multipose.train import (
    AtomicCheckpoints,
    MetricsTable,
    RunCheckpoints,
)
from pyg_multipose.train.lightning import pl

#: Besides the table, which is always written.
LOGGERS = ('csv', 'tensorboard', 'wandb')


def add_options(parser: Parser) -> None:
    r"""Adds the options of a training.

    Args:
        parser: Where to.
    """
    add = parser.add_argument_group('training').add_argument
    add(
        '--out',
        type=str,
        required=True,
        metavar='FOLDER',
        help='The run: a new folder, or that of the same run, which goes on '
        'where it was interrupted.',
    )
    add('--epochs', type=int, default=20, help='How often all sets are seen.')
    add(
        '--clip',
        type=float | None,
        default=10.0,
        help='The largest norm of a gradient.',
    )
    add(
        '--accumulate',
        type=int,
        default=1,
        help='Batches whose gradients make one step.',
    )
    add(
        '--ema',
        type=float | None,
        default=None,
        metavar='DECAY',
        help='Average the weights with this decay, such as 0.99; checkpoints '
        'then hold the average.',
    )
    add(
        '--patience',
        type=int | None,
        default=None,
        metavar='EPOCHS',
        help='Stop where valid_loss has not improved for so long.',
    )
    add(
        '--precision',
        type=str,
        default='32-true',
        help="As of Lightning's Trainer, such as bf16-mixed.",
    )
    add(
        '--logger',
        type=str,
        default='csv',
        metavar='|'.join(LOGGERS),
        help='Where else metrics go to, besides metrics.csv.',
    )
    add(
        '--progress',
        type=bool,
        default=True,
        help='Whether to show a progress bar.',
    )


def device_of(name: str) -> str:
    r"""Where a module computes outside of a trainer.

    Args:
        name: The option: :obj:`"auto"`, :obj:`"cpu"` or :obj:`"gpu"`.

    Raises:
        ValueError: If there is no GPU, and one is wanted.
    """
    on_gpu = name != 'cpu' and torch.cuda.is_available()
    if name == 'gpu' and not on_gpu:
        raise ValueError('--device gpu: there is none')
    return 'cuda' if on_gpu else 'cpu'


def trainer_of(options: Namespace, folder: Path, steps: int) -> Any:
    r"""A trainer.

    Args:
        options: Those of :func:`add_options`.
        folder: That of the run.
        steps: The steps that are done already.

    Raises:
        ValueError: If an option has a value that is none.
        ImportError: If a logger is not installed.
    """
    callbacks: list[Any] = [
        RunCheckpoints(folder),
        pl.callbacks.LearningRateMonitor(),
    ]
    if options.ema is not None:
        callbacks.append(_average(options.ema))
    if options.patience is not None:
        callbacks.append(
            pl.callbacks.EarlyStopping('valid_loss', patience=options.patience)
        )
    if options.progress:
        callbacks.append(pl.callbacks.TQDMProgressBar())
    on_cpu = options.device == 'cpu' or not (
        torch.cuda.is_available() or torch.backends.mps.is_available()
    )
    return _made(
        accelerator=options.device,
        **processes.trainer_settings(options, [AtomicCheckpoints()]),
        precision=options.precision,
        max_epochs=options.epochs,
        gradient_clip_val=options.clip,
        accumulate_grad_batches=options.accumulate,
        callbacks=callbacks,
        logger=[
            MetricsTable(folder / METRICS),
            *_loggers(options.logger, folder, steps),
        ],
        deterministic=True if on_cpu else None,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        enable_model_summary=False,
        enable_progress_bar=options.progress,
    )


def _made(**settings: Any) -> Any:
    """A trainer; what Lightning refuses is at fault, and no traceback."""
    try:
        return pl.Trainer(**settings)
    except pl.utilities.exceptions.MisconfigurationException as error:
        raise ValueError(
            f'Lightning refuses these settings: {error}'
        ) from error


def _loggers(name: str, folder: Path, steps: int) -> list[Any]:
    """Lightning's own, which go on with the same run, too."""
    if name not in LOGGERS:
        raise ValueError(
            f'--logger {name!r} is none of {list(LOGGERS)}'
            f'{did_you_mean(name, LOGGERS)}'
        )
    try:
        if name == 'tensorboard':
            # Steps that are done once more replace those from before.
            return [
                pl.loggers.TensorBoardLogger(
                    folder, name='', version='', purge_step=steps
                )
            ]
        if name == 'wandb':
            text = str(folder.resolve())
            return [
                pl.loggers.WandbLogger(
                    name=folder.name,
                    id=hashlib.sha256(text.encode()).hexdigest()[:16],
                    save_dir=folder,
                    project='pyg_multipose',
                    resume='allow',
                )
            ]
    except (ImportError, ModuleNotFoundError) as error:
        raise ImportError(
            f'--logger {name} needs the package {name}, which is not '
            f'installed: pip install {name}'
        ) from error
    return []


def _average(decay: float) -> Any:
    if not 0 < decay < 1:
        raise ValueError(f'--ema {decay} has to be between 0 and 1')
    found = getattr(pl.callbacks, 'EMAWeightAveraging', None)
    if found is None:
        raise ValueError(
            f'--ema {decay} needs the callback EMAWeightAveraging of '
            f"Lightning 2.6: pip install 'lightning>=2.6'"
        )
    return found(decay=decay)


def quiet() -> None:
    r"""Leaves out what Lightning says of itself; its errors stay."""
    for name in (
        'lightning.pytorch',
        'lightning.fabric',
        'torch.multiprocessing.spawn',  # that it stops the others
    ):
        logging.getLogger(name).setLevel(logging.ERROR)
    for text in (
        r'.*does not have many workers.*',
        r'.*log_every_n_steps.*',
        r'Checkpoint directory .* exists',
        r'Experiment logs directory .* exists',
        r'`isinstance\(treespec, LeafSpec\)` is deprecated.*',
    ):
        warnings.filterwarnings('ignore', text)
