r"""multipose fit: train a model."""

from __future__ import annotations

import csv
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pyg_multipose.cli.data_set import open_data
from pyg_multipose.cli.parser import Namespace, Parser, write
from pyg_multipose.cli.places import new_folder
from pyg_multipose.cli.training import (
    add_options,
    data_module,
    multi_pose_module,
)
from pyg_multipose.train import PoseSetDataModule, Predictions
from pyg_multipose.train.lightning import pl

#: Files of a run, in its folder.
CONFIG, SPLIT = 'config.yaml', 'split.csv'
#: What was predicted for the sets to test on.
TEST = 'test_predictions.csv'


def parser() -> Parser:
    r"""The options."""
    out = Parser(
        'fit',
        'Trains a model. The folder of the run gets config.yaml (which '
        'repeats the run, to the bit on a CPU), last.ckpt and best.ckpt (by '
        'valid_loss), metrics.csv, split.csv and test_predictions.csv.',
    )
    add_options(out)
    add = out.add_argument_group('training').add_argument
    add(
        '--out',
        type=str,
        required=True,
        metavar='FOLDER',
        help='The run: a new folder.',
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
        '--progress',
        type=bool,
        default=True,
        help='Whether to show a progress bar.',
    )
    return out


def run(argv: Sequence[str]) -> None:
    r"""Trains a model.

    Args:
        argv: The options.

    Raises:
        ValueError: If an option does not fit the data or another one.
        OSError: If there is no data set, or the place cannot be written to.
    """
    options = parser().read(argv)
    data = open_data(options.data)
    folder = new_folder(options.out)
    quiet()
    pl.seed_everything(options.seed, workers=True, verbose=False)
    parts = data_module(options, data)
    module = multi_pose_module(options, parts)
    write(options, folder / CONFIG)
    _write_split(folder / SPLIT, parts, data.names)
    sizes = {part: len(sets) for part, sets in parts.parts.items()}
    print(f'{data.path}: {sizes} sets, labels in {parts.unit}')
    before = torch.are_deterministic_algorithms_enabled()
    try:
        trainer = _trainer(options, folder)
        trainer.fit(module, datamodule=parts)
        trainer.save_checkpoint(folder / 'last.ckpt')
        trainer.test(module, datamodule=parts, verbose=False)
    except SystemExit as stop:  # what Lightning makes of an interruption
        raise KeyboardInterrupt from stop
    finally:  # Lightning leaves it as the trainer had it
        torch.use_deterministic_algorithms(before)
    scores = trainer.callback_metrics
    for name in sorted(scores):
        if name.startswith('test_'):
            print(f'{name.replace("_", " "):16}{float(scores[name]):8.3f}')
    table = Predictions.of(module, parts.test_dataloader(), progress=False)
    table.write(folder / TEST)
    print(f"the run is in '{folder}': last.ckpt predicts, by 'predict'")


def _trainer(options: Namespace, folder: Path) -> Any:
    callbacks: list[Any] = [
        pl.callbacks.ModelCheckpoint(
            folder, 'best', monitor='valid_loss', enable_version_counter=False
        ),
        pl.callbacks.LearningRateMonitor(),
    ]
    if options.ema is not None:
        callbacks.append(_average(options.ema))
    if options.patience is not None:
        callbacks.append(
            pl.callbacks.EarlyStopping('valid_loss', patience=options.patience)
        )
    if not options.progress:
        bar = []
    else:
        bar = [pl.callbacks.TQDMProgressBar()]
    on_cpu = options.device == 'cpu' or not (
        torch.cuda.is_available() or torch.backends.mps.is_available()
    )
    return _made(
        accelerator=options.device,
        devices=1,
        precision=options.precision,
        max_epochs=options.epochs,
        gradient_clip_val=options.clip,
        accumulate_grad_batches=options.accumulate,
        callbacks=[*callbacks, *bar],
        logger=pl.loggers.CSVLogger(folder, name='', version=''),
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
    for name in ('lightning.pytorch', 'lightning.fabric'):
        logging.getLogger(name).setLevel(logging.ERROR)
    for text in (
        r'.*does not have many workers.*',
        r'.*log_every_n_steps.*',
        r'Checkpoint directory .* exists',
        r'Experiment logs directory .* exists',
        r'`isinstance\(treespec, LeafSpec\)` is deprecated.*',
    ):
        warnings.filterwarnings('ignore', text)


def _write_split(
    path: Path, parts: PoseSetDataModule, names: list[str]
) -> None:
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(['ligand_id', 'part'])
        for part, index in parts.indices.items():
            writer.writerows([names[number], part] for number in index)
