r"""multipose fit: train a model."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pyg_multipose.campaign import atomic_file
from pyg_multipose.cli import training
from pyg_multipose.cli.data_set import DataSet, open_data
from pyg_multipose.cli.finish import finish
from pyg_multipose.cli.parser import Namespace, Parser
from pyg_multipose.cli.processes import (
    add_processes,
    choose,
    is_first,
    one_thread,
    shared_out,
    together,
)
from pyg_multipose.cli.run_folder import (
    SPLIT,
    RunFolder,
    training_is_over,
)
from pyg_multipose.cli.trainer import (
    add_options,
    device_of,
    quiet,
    trainer_of,
)
from pyg_multipose.train import MultiPoseModule, PoseSetDataModule
from pyg_multipose.train.checkpoint import KEY
from pyg_multipose.train.lightning import pl


def parser() -> Parser:
    r"""The options."""
    out = Parser(
        'fit',
        'Trains a model. The folder of the run gets config.yaml (which '
        'repeats the run, to the bit on a CPU), last.ckpt and best.ckpt (by '
        'valid_loss), metrics.csv, split.csv, and tables of predictions and '
        'of scores. The same command goes on with a run that was '
        'interrupted.',
    )
    training.add_options(out)
    add_processes(out)
    add_options(out)
    out.add_argument(
        '--dry_run',
        action='store_true',
        help='Say what would be done, and write nothing.',
    )
    return out


def run(argv: Sequence[str]) -> None:
    r"""Trains a model, or goes on with it.

    Args:
        argv: The options.

    Raises:
        ValueError: If an option does not fit the data or another one, or if
            the loss is not finite.
        OSError: If there is no data set, or the place cannot be written to.
    """
    reader = parser()
    options = reader.read(argv)
    data = open_data(options.data)
    quiet()
    if options.dry_run:
        count, why = choose(options, data)
        print(f'processes: {count}, {why}')
    elif shared_out('fit', argv, options, data):
        return
    with one_thread(options):
        _fit(options, data, reader.get_defaults().as_dict())


def _fit(options: Namespace, data: DataSet, defaults: dict[str, Any]) -> None:
    """The training, on each rank; the first one writes and talks."""
    first = is_first()
    pl.seed_everything(options.seed, workers=True, verbose=False)
    parts = training.data_module(options, data)
    module = training.multi_pose_module(options, parts)
    if options.dry_run:
        print(_outlook(options, data, parts, module))
        return
    folder = RunFolder(Path(options.out))
    with together(options) as wait:
        if first:
            _begin(options, data, parts, defaults)
        wait()
        if folder.finished:
            return
        train(options, folder, module, parts)
    if first:
        finish(folder, data, parts, device_of(options.device))


def _begin(
    options: Namespace,
    data: DataSet,
    parts: PoseSetDataModule,
    defaults: dict[str, Any],
) -> None:
    """Makes the folder, or finds where its run goes on."""
    folder = RunFolder.open(options, defaults)
    if folder.finished:
        print(f"the run in '{folder.path}' is finished; nothing was done")
        return
    print(f'{data.path}: {_sizes(parts)} sets, labels in {parts.unit}')
    write_split(folder, parts, data.names)
    folder.checkpoint()  # mends what is damaged, before others look


def train(
    options: Namespace,
    folder: RunFolder,
    module: MultiPoseModule,
    parts: PoseSetDataModule,
) -> None:
    r"""Trains to the end, from where the run is.

    Args:
        options: The options.
        folder: That of the run.
        module: A new module.
        parts: The data.
    """
    found = folder.checkpoint()
    _check_data(options, found, parts)
    if found is not None and training_is_over(found[1]):
        return
    if found is not None and is_first():
        print(f'the run goes on after {found[1]["epoch"]} epochs')
    steps = 0 if found is None else found[1]['global_step']
    before = torch.are_deterministic_algorithms_enabled()
    try:
        trainer = trainer_of(options, folder.path, steps)
        trainer.fit(
            module,
            datamodule=parts,
            ckpt_path=None if found is None else found[0],
        )
    except SystemExit as stop:  # what Lightning makes of an interruption
        raise KeyboardInterrupt from stop
    finally:  # Lightning leaves it as the trainer had it
        torch.use_deterministic_algorithms(before)


def _check_data(
    options: Namespace, found: Any, parts: PoseSetDataModule
) -> None:
    """Refuses data that have changed, or lack what options look at."""
    looking = options.patience is not None or options.schedule == 'plateau'
    if looking and 'valid' not in parts.parts:
        raise ValueError(
            f'--patience {options.patience} and --schedule '
            f'{options.schedule} look at valid_loss, but there is no part '
            f"'valid'"
        )
    known = None if found is None else found[1][KEY].get('data')
    if known is None or parts.record is None:
        return
    if known['fingerprint'] != parts.record.fingerprint:
        raise ValueError(
            f"'{options.data}' has changed since the run in '{options.out}' "
            f'was begun: its sets to train on have other contents. Choose '
            f'another --out, or restore the data'
        )


def write_split(
    folder: RunFolder, parts: PoseSetDataModule, names: Sequence[str]
) -> None:
    r"""Writes the part of each set.

    Args:
        folder: That of the run.
        parts: The data.
        names: The names of the sets.
    """
    with atomic_file(
        folder.path / SPLIT, 'w', newline='', encoding='utf-8'
    ) as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(['ligand_id', 'part'])
        for part, index in parts.indices.items():
            writer.writerows([names[number], part] for number in index)


def _sizes(parts: PoseSetDataModule) -> dict[str, int]:
    return {part: len(sets) for part, sets in parts.parts.items()}


def _outlook(
    options: Namespace,
    data: DataSet,
    parts: PoseSetDataModule,
    module: MultiPoseModule,
) -> str:
    """What would be done."""
    batches = len(parts.train_dataloader())
    weights = sum(one.numel() for one in module.parameters())
    batch: Any = next(iter(parts.train_dataloader()))
    lines = [
        f'{data.path}: {_sizes(parts)} sets, labels in {parts.unit}',
        f'{batches} batches in an epoch, {options.epochs} epochs, '
        f'{options.optimizer} with a learning rate of {options.lr:g}',
        f'{options.model} and {options.combination}: {weights} weights',
        f'the first batch: {batch.num_graphs} sets, {batch.num_poses} poses, '
        f'{batch.num_nodes} atoms, {batch.num_edges} edges',
        str(module.readout.plan(batch)),
        f"the run would be in '{options.out}'; nothing was done",
    ]
    return '\n'.join(lines)
