r"""multipose predict: tables of predictions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch_geometric.loader import DataLoader

from pyg_multipose.cli.data_set import (
    DataSet,
    is_data_set,
    open_data,
    receptor_of,
)
from pyg_multipose.cli.parser import Namespace, Parser
from pyg_multipose.cli.places import check_file
from pyg_multipose.cli.reporting import report_predictions
from pyg_multipose.cli.trainer import quiet
from pyg_multipose.loader import PoseSetSampler
from pyg_multipose.train import MultiPoseModule, Predictions
from pyg_multipose.train.predictions import check_format
from pyg_multipose.train.transformed import TransformedSets


def parser() -> Parser:
    r"""The options."""
    out = Parser(
        'predict',
        'Predicts a data set, or poses from files, by a trained model. '
        'Writes two tables: NAME.csv has a row for each compound, '
        'NAME_poses.csv one for each pose.',
    )
    add = out.add_argument
    add(
        '--checkpoint',
        type=str,
        required=True,
        metavar='FILE',
        help='A model, such as last.ckpt in the folder of a run.',
    )
    add(
        '--data',
        type=str,
        nargs='+',
        required=True,
        metavar='PATH',
        help='A data set, or files or folders of docked poses.',
    )
    add(
        '--receptor',
        type=str | None,
        default=None,
        metavar='PATH',
        help='For poses: the structure, or a data set whose receptor (its '
        'pocket) is taken, which is as in training.',
    )
    add(
        '--out',
        type=str,
        required=True,
        metavar='FILE',
        help='The table, .csv or .parquet.',
    )
    add(
        '--group_by',
        type=str | None,
        default=None,
        metavar='RULE',
        help='For poses, as of prepare.',
    )
    add(
        '--pattern',
        type=str | None,
        default=None,
        metavar='REGEX',
        help='For poses, as of prepare.',
    )
    add(
        '--template',
        type=str | None,
        default=None,
        metavar='FILE',
        help='For poses, as of prepare.',
    )
    add('--max_poses', type=int, default=64, help='The most poses of a batch.')
    add(
        '--device',
        type=str,
        default='auto',
        metavar='auto|cpu|gpu',
        help='Where to compute.',
    )
    return out


def run(argv: Sequence[str]) -> None:
    r"""Predicts pose sets.

    Args:
        argv: The options.

    Raises:
        ValueError: If the checkpoint is of another kind, or the sets are not
            like those of the training.
        OSError: If a file is missing, or the place cannot be written to.
    """
    options = parser().read(argv)
    out = check_file(options.out)
    check_format(out)
    quiet()
    module = MultiPoseModule.load_from_checkpoint(options.checkpoint)
    on_gpu = options.device != 'cpu' and torch.cuda.is_available()
    if options.device == 'gpu' and not on_gpu:
        raise ValueError('--device gpu: there is none')
    module.to('cuda' if on_gpu else 'cpu')
    data, left_out = _data(options, module)
    sets = data.sets
    cutoff = None if module.inputs is None else module.inputs.cutoff
    connected = TransformedSets(sets, range(len(sets)), cutoff=cutoff)
    sampler = PoseSetSampler(
        connected, max_poses=options.max_poses, sizes=connected.sizes(False)
    )
    loader = DataLoader(connected, batch_sampler=sampler)
    table = Predictions.of(module, loader)
    for file in table.write(out):
        print(f"'{file}' is written")
    page = report_predictions(out, data, options.as_dict(), left_out)
    print(f"'{page}' shows them")
    print(
        f'{len(table.sets)} sets and {len(table.poses)} poses, in '
        f'{module.unit}'
    )


def _data(options: Namespace, module: MultiPoseModule) -> tuple[DataSet, str]:
    """What is to be predicted, and what was left out in reading it."""
    first = options.data[0]
    if len(options.data) == 1 and is_data_set(first):
        if options.receptor is not None:
            raise ValueError(
                f"--receptor is for poses; '{first}' is a data set and has "
                f'its own'
            )
        return open_data(first), ''
    from pyg_multipose.io import read_poses, read_receptor

    hydrogens = module.inputs is not None and module.inputs.hydrogens
    receptor = name = None
    if options.receptor is not None and is_data_set(options.receptor):
        receptor, name = receptor_of(open_data(options.receptor))
    elif options.receptor is not None:
        receptor = read_receptor(options.receptor, hydrogens=hydrogens)
    poses = read_poses(
        options.data,
        group_by=options.group_by,
        pattern=options.pattern,
        template=options.template,
        receptor=receptor,
        receptor_name=name,
        hydrogens=hydrogens,
    )
    print(poses.report)
    if not len(poses):
        raise ValueError('No pose could be read; see above')
    columns = {'smiles': poses.smiles}
    path = ', '.join(options.data)
    data = DataSet(path, poses, poses.names, module.unit, columns)
    return data, f'Poses: {poses.report}'
