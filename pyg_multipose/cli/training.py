r"""The options of a training, and what they make."""

from __future__ import annotations

from typing import Any

import torch

from pyg_multipose.cli.data_set import DataSet, labels_of
from pyg_multipose.cli.parser import Namespace, Parser
from pyg_multipose.train import MultiPoseModule, PoseSetDataModule
from pyg_multipose.train.recipe import build
from pyg_multipose.train.units import UNITS, check_unit

#: What turns kT into each unit.
AFFINITIES: dict[str, dict[str, Any] | None] = {
    'pIC50': {'class_path': 'PIC50'},
    'pKi': {'class_path': 'PKi'},
    'pK': {'class_path': 'PKi'},
    'kT': None,
    'kcal/mol': {'class_path': 'DeltaG', 'init_args': {'to': 'kcal/mol'}},
    'kJ/mol': {'class_path': 'DeltaG', 'init_args': {'to': 'kJ/mol'}},
}
#: Arguments of the bundled models, unless others are given.
MODEL_ARGS: dict[str, dict[str, Any]] = {
    'EquivariantGNN': {
        'hidden_irreps': '16x0e+8x1o',
        'num_layers': 2,
        'lmax': 1,
        'radial_channels': 16,
        'pool': 'sum',
        'atoms': 'ligand',
    },
    'SchNet': {
        'hidden_channels': 64,
        'num_filters': 64,
        'num_interactions': 3,
        'atoms': 'ligand',
    },
}
#: What a split needs, and the column that it is usually in.
COLUMNS = {
    'group': ('groups', 'scaffold'),
    'date': ('dates', 'date'),
    'given': ('places', 'part'),
}
#: Those of the readout. Plans that follow the memory that is free would not
#: be the same twice.
READOUT = {'max_nodes_per_chunk': 4096, 'memory_budget': 2_000_000_000}


def add_options(parser: Parser) -> None:
    r"""Adds the options of data and model.

    Args:
        parser: Where to.
    """
    data = parser.add_argument_group('data')
    add = data.add_argument
    add(
        '--data',
        type=str,
        required=True,
        metavar='FOLDER',
        help='What multipose prepare has written, or MproMoonshot, the '
        'bundled data.',
    )
    add(
        '--split',
        type=str,
        default='random',
        metavar='random|group|date|given',
        help='How sets are split into train, valid and test. A compound is '
        'never in two of them.',
    )
    add(
        '--lengths',
        type=tuple[float, float, float],
        default=(0.8, 0.1, 0.1),
        metavar='[A,B,C]',
        help='The shares of the three.',
    )
    add(
        '--column',
        type=str | None,
        default=None,
        metavar='NAME',
        help='The column of groups, dates or given parts. (scaffold, date or '
        'part, if not given)',
    )
    add(
        '--table',
        type=str | None,
        default=None,
        metavar='FILE',
        help='A CSV file with that column and a column ligand_id. (the '
        'table of the data set, if not given)',
    )
    add(
        '--cutoff',
        type=float,
        default=4.5,
        metavar='ANGSTROM',
        help='Atoms within this distance are neighbours.',
    )
    add(
        '--unit',
        type=str | None,
        default=None,
        metavar='|'.join(UNITS),
        help='The unit of the labels. (as the data set says, if not given)',
    )
    add(
        '--max_poses',
        type=int | None,
        default=64,
        help='The most poses of a batch.',
    )
    add(
        '--max_nodes',
        type=int | None,
        default=None,
        help='The most atoms of a batch; a receptor counts once in a set.',
    )
    add(
        '--max_sets',
        type=int | None,
        default=None,
        help='The most sets of a batch.',
    )
    add(
        '--num_workers',
        type=int,
        default=0,
        help='Processes that load data beside the training.',
    )
    model = parser.add_argument_group('model')
    add = model.add_argument
    add(
        '--model',
        type=str,
        default='EquivariantGNN',
        metavar='NAME',
        help='EquivariantGNN, SchNet, or the path of a class, such as '
        'my_package.MyModel.',
    )
    add(
        '--model_args',
        type=dict[str, Any],
        default={},
        metavar='{NAME:...}',
        help='Its arguments. For the bundled ones, what is not given comes '
        'from defaults and from the labels of the training.',
    )
    add(
        '--combination',
        type=str,
        default='max',
        metavar='NAME',
        help='How poses are combined: max (a smooth minimum of energies), '
        'mean, free_energy, ...',
    )
    add(
        '--combination_args',
        type=dict[str, Any],
        default={},
        metavar='{NAME:...}',
        help='Its arguments.',
    )
    add(
        '--readout',
        type=dict[str, Any],
        default=READOUT,
        metavar='{NAME:...}',
        help='Arguments of MultiPoseReadout.',
    )
    add(
        '--loss',
        type=str,
        default='HuberLoss',
        metavar='NAME',
        help='HuberLoss, MSELoss or GaussianNLLLoss; bounds (> 99 uM) are '
        'bounds in all of them.',
    )
    add(
        '--loss_args',
        type=dict[str, Any],
        default={},
        metavar='{NAME:...}',
        help='Its arguments.',
    )
    add(
        '--noise',
        type=float | None,
        default=None,
        help='The standard deviation of labels, for GaussianNLLLoss.',
    )
    add(
        '--optimizer',
        type=str,
        default='AdamW',
        metavar='NAME',
        help='A class of torch.optim.',
    )
    add('--lr', type=float, default=0.01, help='The highest learning rate.')
    add(
        '--weight_decay',
        type=float,
        default=0.01,
        help='The decay of weights.',
    )
    add(
        '--schedule',
        type=str,
        default='one_cycle',
        metavar='constant|one_cycle|cosine|plateau',
        help='How the learning rate goes on.',
    )
    add(
        '--seed',
        type=int,
        default=0,
        help='Of initial weights, splits and the order of batches.',
    )
    add(
        '--device',
        type=str,
        default='auto',
        metavar='auto|cpu|gpu',
        help='Where to compute.',
    )


def data_module(options: Namespace, data: DataSet) -> PoseSetDataModule:
    r"""The data in parts and batches.

    Args:
        options: Those of :func:`add_options`.
        data: The data set.

    Raises:
        ValueError: If the unit of the labels is not known, or a split lacks
            its column.
    """
    unit = options.unit or data.unit
    if unit is None:
        raise ValueError(
            f"'{data.path}' does not say what the unit of its labels is; give "
            f'--unit, one of {list(UNITS)}'
        )
    check_unit('--unit', unit)
    told: dict[str, Any] = {}
    if options.split in COLUMNS:
        argument, name = COLUMNS[options.split]
        told[argument] = data.column(options.column or name, options.table)
    module = PoseSetDataModule(
        data.sets,
        split=options.split,
        lengths=options.lengths,
        ligands=data.ligands,
        cutoff=options.cutoff,
        unit=unit,
        max_nodes=options.max_nodes,
        max_poses=options.max_poses,
        max_sets=options.max_sets,
        seed=options.seed,
        num_workers=options.num_workers,
        about=data.about,
        **told,
    )
    module.setup()
    return module


def multi_pose_module(
    options: Namespace, data: PoseSetDataModule
) -> MultiPoseModule:
    r"""The model with all that a training needs.

    The options are completed: :obj:`model_args` holds all that was chosen.

    Args:
        options: Those of :func:`add_options`.
        data: The data, after its setup.

    Raises:
        ValueError: If there is no label to learn from.
    """
    assert data.unit is not None
    recipe = AFFINITIES[data.unit]
    combination = {
        'class_path': options.combination,
        'init_args': dict(options.combination_args),
    }
    options.model_args = _completed(options, data, combination, recipe)
    return MultiPoseModule(
        {'class_path': options.model, 'init_args': options.model_args},
        combination,
        affinity=recipe,
        loss={
            'class_path': options.loss,
            'init_args': dict(options.loss_args),
        },
        noise=options.noise,
        unit=data.unit,
        readout=dict(options.readout),
        optimizer=options.optimizer,
        lr=options.lr,
        weight_decay=options.weight_decay,
        schedule=options.schedule,
    )


def _completed(
    options: Namespace, data: PoseSetDataModule, combination: Any, recipe: Any
) -> dict[str, Any]:
    """Arguments of a bundled model, on the scale of the labels.

    Predictions start near the mean label under every combination: what it
    makes of poses that are all zero is taken off.
    """
    given = dict(options.model_args)
    y, _ = labels_of(data.parts['train'])
    for part in data.parts:
        labels = y if part == 'train' else labels_of(data.parts[part])[0]
        if part != 'test' and labels.isnan().all():
            raise ValueError(
                f"None of the {len(labels)} sets of the part '{part}' has a "
                f"label; 'multipose prepare --labels' gives them"
            )
    if options.model not in MODEL_ARGS:
        return given
    out = {
        **MODEL_ARGS[options.model], 'cutoff': options.cutoff, **given
    }  # fmt: skip
    if 'mean' in out or 'std' in out:
        return out
    known = ~y.isnan()
    energy = y[known]
    if recipe is not None:
        energy = build('affinity', recipe)[0].inverse(energy)  # type: ignore
    atoms, counts = [], []
    for pose_set in (data.parts['train'][n] for n in range(len(y))):
        atoms.append(pose_set.pose_size)
        counts.append(pose_set.num_poses)
    count = torch.tensor(counts)
    offset = build('combination', combination)[0](
        torch.zeros(int(count.sum()), 1),
        index=torch.repeat_interleave(count),
        dim_size=len(count),
    )
    size = float(torch.cat(atoms).float().mean())
    mean = float(energy.mean() - offset.mean())
    std = float(energy.std()) if len(energy) > 1 else 0.0
    std = std or 1.0
    if options.model == 'SchNet':  # of each atom, and these are summed
        mean /= size
    return {**out, 'mean': mean, 'std': std / size}
