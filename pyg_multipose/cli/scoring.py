r"""What a trained model is worth on a data set, for validate and test."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import yaml
from torch_geometric.loader import DataLoader

from pyg_multipose.cli.data_set import DataSet, open_data
from pyg_multipose.cli.parser import Namespace, Parser
from pyg_multipose.cli.run_folder import CONFIG
from pyg_multipose.cli.trainer import device_of
from pyg_multipose.loader import PoseSetSampler
from pyg_multipose.train import MultiPoseModule, Scores
from pyg_multipose.train.data_record import fingerprint
from pyg_multipose.train.transformed import TransformedSets
from pyg_multipose.train.units import same_unit

#: Names that a message shows.
_SHOWN = 5


def add_options(parser: Parser) -> None:
    r"""Adds the options of both commands.

    Args:
        parser: Where to.
    """
    add = parser.add_argument
    add(
        '--checkpoint',
        type=str,
        required=True,
        metavar='FILE',
        help='A model, such as last.ckpt in the folder of a run.',
    )
    add(
        '--data',
        type=str | None,
        default=None,
        metavar='FOLDER',
        help='A data set with labels. (that of the run, if not given)',
    )
    add(
        '--out',
        type=str | None,
        default=None,
        metavar='FILE',
        help='A CSV file of the table that is printed.',
    )
    add(
        '--resamples',
        type=int,
        default=2000,
        help='Resamples of the bootstrap over sets; 0 gives no intervals.',
    )
    add('--seed', type=int, default=0, help='Of the bootstrap.')
    add('--max_poses', type=int, default=64, help='The most poses of a batch.')
    add(
        '--device',
        type=str,
        default='auto',
        metavar='auto|cpu|gpu',
        help='Where to compute.',
    )


def opened(options: Namespace) -> tuple[MultiPoseModule, DataSet]:
    r"""The model and the data of a command.

    Args:
        options: With a checkpoint, perhaps a data set, and a device.

    Raises:
        FileNotFoundError: If one of them is not there.
        ValueError: If they do not fit each other.
    """
    module = MultiPoseModule.load_from_checkpoint(options.checkpoint)
    module.to(device_of(options.device))
    path = options.data
    if path is None:
        config = Path(options.checkpoint).with_name(CONFIG)
        if not config.is_file():
            raise FileNotFoundError(
                f"There is no {CONFIG} beside '{options.checkpoint}' that "
                f'tells the data set; give --data'
            )
        path = yaml.safe_load(config.read_text(encoding='utf-8'))['data']
    data = open_data(path)
    if module.data is not None:
        module.data.check(data.about, data.path)
    if data.unit is not None and not same_unit(data.unit, module.unit):
        raise ValueError(
            f"'{data.path}' has labels in '{data.unit}', and the model "
            f"predicts in '{module.unit}'"
        )
    return module, data


def loader_of(
    module: MultiPoseModule, data: DataSet, index: list[int], max_poses: int
) -> DataLoader:
    r"""Batches of some sets, with the neighbours of the training.

    Args:
        module: The model.
        data: The data set.
        index: The numbers of the sets.
        max_poses: The most poses of a batch.
    """
    cutoff = None if module.inputs is None else module.inputs.cutoff
    sets = TransformedSets(data.sets, index, cutoff=cutoff)
    sampler = PoseSetSampler(
        sets, max_poses=max_poses, sizes=sets.sizes(False)
    )
    return DataLoader(sets, batch_sampler=sampler)


def score(options: Namespace, part: str) -> Scores:
    r"""Scores a part of a data set, and prints the table.

    Args:
        options: Those of :func:`add_options`.
        part: That of the training, where the data are its own; else all sets
            that are not in the training.

    Raises:
        ValueError: If nothing is left to score.
    """
    module, data = opened(options)
    index = chosen(module, data, part)
    scores = Scores.of(
        module,
        loader_of(module, data, index, options.max_poses),
        options.resamples,
        options.seed,
    )
    print(scores)
    if options.out is not None:
        scores.write(options.out)
        print(f"'{options.out}' is written")
    return scores


def chosen(module: MultiPoseModule, data: DataSet, part: str) -> list[int]:
    r"""The sets to score, said aloud.

    Args:
        module: The model.
        data: The data set.
        part: As of :func:`score`; :obj:`"all"` takes all.

    Raises:
        ValueError: If nothing is left.
    """
    everything = list(range(len(data.names)))
    record = module.data
    if record is None:
        warnings.warn(
            'The checkpoint does not say which sets it was trained on; all '
            'sets are scored, whether they were in the training or not',
            UserWarning,
            stacklevel=2,
        )
        return everything
    parts = record.part_of(data.names)
    own = [number for number in everything if parts[number] == part]
    if part == 'all':
        inside = len(record.leaks(data.names, data.ligands))
        print(
            f'{data.path}: all {len(everything)} sets, {inside} of them in '
            f'the training'
        )
        return everything
    if own:
        print(f"{data.path}: {len(own)} sets, the part '{part}' of the run")
        trained = [n for n in everything if parts[n] == 'train']
        if fingerprint(data.sets, data.names, trained) != record.fingerprint:
            warnings.warn(
                f"'{data.path}' is not, or no longer, the data set of the "
                f'training: its sets to train on differ; parts are told by '
                f'names',
                UserWarning,
                stacklevel=2,
            )
        return own
    leaks = record.leaks(data.names, data.ligands)
    left = sorted(set(everything) - set(leaks))
    print(f'{data.path}: {len(left)} sets, none of them in the training')
    if leaks:
        names = [data.names[number] for number in leaks]
        more = f' and {len(names) - _SHOWN} more' if leaks[_SHOWN:] else ''
        warnings.warn(
            f'{len(names)} sets are left out, since they or the same '
            f'molecules were in the training: {", ".join(names[:_SHOWN])}'
            f'{more}',
            UserWarning,
            stacklevel=2,
        )
    if not left:
        raise ValueError(
            f"'{data.path}' has no set that was not in the training, and no "
            f"part '{part}' of it"
        )
    return left


__all__: list[Any] = ['add_options', 'chosen', 'loader_of', 'opened', 'score']
