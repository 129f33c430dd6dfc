r"""multipose prepare: files to a data set."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from pyg_multipose import __version__
from pyg_multipose.cli.data_set import ABOUT, SETS, TABLE
from pyg_multipose.cli.nearest import did_you_mean
from pyg_multipose.cli.parser import Namespace, Parser
from pyg_multipose.cli.places import new_folder
from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import PoseSetDataset

#: The unit of labels on each scale.
UNITS = {'pK': 'pK', 'dG_kT': 'kT', 'dG_kcal': 'kcal/mol'}
#: What is done with sets without a label.
UNLABELED = ('drop', 'keep', 'refuse')
#: What was left out, and why.
REPORT = 'report.txt'


def parser() -> Parser:
    r"""The options."""
    out = Parser(
        'prepare',
        'Reads docked poses, the receptor and measured affinities, and writes '
        'a data set. Nothing is left out in silence: report.txt beside the '
        'data says what was, and why.',
    )
    add = out.add_argument
    add(
        '--poses',
        type=str,
        nargs='+',
        metavar='PATH',
        required=True,
        help='Files or folders that a docking program has written (SDF, '
        'PDBQT, DLG, MOL2, Maestro; also .gz).',
    )
    add(
        '--out',
        type=str,
        required=True,
        metavar='FOLDER',
        help='The data set: a new folder.',
    )
    add(
        '--receptor',
        type=str | None,
        default=None,
        metavar='FILE',
        help='The structure that was docked into (PDB, mmCIF, PDBQT).',
    )
    add(
        '--receptor_name',
        type=str | None,
        default=None,
        metavar='NAME',
        help='What to call it. (the name of its file, if not given)',
    )
    add(
        '--labels',
        type=str | None,
        default=None,
        metavar='FILE',
        help='A CSV table of measured values. Without one, sets have no '
        'label and can be predicted only.',
    )
    add(
        '--unit',
        type=str | None,
        default=None,
        help='The unit of the values (nM, uM, pIC50, kcal/mol, ...), unless '
        'the table has a column of it.',
    )
    add(
        '--kind',
        type=str | None,
        default=None,
        help='What was measured (IC50, Ki, ...), unless the table has a '
        'column of it.',
    )
    add(
        '--id_column',
        type=str,
        default='ligand_id',
        metavar='COLUMN',
        help='The column of the ids of compounds, as poses have them.',
    )
    add(
        '--value_column',
        type=str,
        default='value',
        metavar='COLUMN',
        help='The column of the values.',
    )
    add(
        '--target',
        type=str | None,
        default=None,
        metavar='NAME',
        help='The target whose values are taken, if the table has a column '
        'target_id.',
    )
    add(
        '--scale',
        type=str,
        default='pK',
        metavar='|'.join(UNITS),
        help='The scale of the labels: pK (pIC50, pKi), or free energies.',
    )
    add(
        '--unlabeled',
        type=str,
        default='drop',
        metavar='|'.join(UNLABELED),
        help='What to do with poses without a label: leave them out (and say '
        'so), keep them without a label, or stop. Labels without poses are '
        'always left out, and named in the report.',
    )
    add(
        '--pocket',
        type=float | None,
        default=None,
        metavar='ANGSTROM',
        help='Keep the residues within so many Angstrom of any pose only: '
        'one pocket for all.',
    )
    add(
        '--group_by',
        type=str | None,
        default=None,
        metavar='RULE',
        help='What the poses of a compound have in common: title, file, '
        'folder, or a data item.',
    )
    add(
        '--pattern',
        type=str | None,
        default=None,
        metavar='REGEX',
        help='The part of that which is the id, such as "(.+)_pose.*".',
    )
    add(
        '--template',
        type=str | None,
        default=None,
        metavar='FILE',
        help='A file of lines "SMILES id", which PDBQT needs for bonds.',
    )
    add(
        '--hydrogens',
        type=bool,
        default=False,
        help='Whether hydrogens of the files are atoms of the sets.',
    )
    add(
        '--dry_run',
        type=bool,
        default=False,
        nargs='?',
        const=True,
        help='Read and report, but write nothing.',
    )
    return out


def run(argv: Sequence[str]) -> None:
    r"""Prepares a data set.

    Args:
        argv: The options.

    Raises:
        ValueError: If an option is wrong, or nothing is left.
        OSError: If a file is missing, or the place cannot be written to.
    """
    options = parser().read(argv)
    _check(options)
    if not options.dry_run:
        new_folder(options.out)
    sets, smiles, unit, reports = _read(options)
    if not len(sets):
        raise ValueError(
            '\n'.join([*reports, 'Nothing is left to be written; see above'])
        )
    text = '\n\n'.join(reports)
    print(text)
    if options.dry_run:
        print(f"\n{len(sets)} sets would be written to '{options.out}'")
        return
    _write(Path(options.out), options, sets, smiles, unit, text)
    print(f"\n{len(sets)} sets are in '{options.out}'")


def _check(options: Namespace) -> None:
    for name, allowed in (('scale', UNITS), ('unlabeled', UNLABELED)):
        value = getattr(options, name)
        if value not in allowed:
            raise ValueError(
                f'--{name} {value} is none of {list(allowed)}'
                f'{did_you_mean(value, allowed)}'
            )
    files = [*options.poses, options.receptor, options.labels]
    for path in filter(None, files):
        if not os.path.exists(path):
            raise FileNotFoundError(f"'{path}' does not exist")
    if options.pocket and not options.receptor:
        raise ValueError('--pocket needs a --receptor to cut')
    if options.receptor_name and not options.receptor:
        raise ValueError('--receptor_name needs a --receptor')


def _read(
    options: Namespace,
) -> tuple[Any, dict[str, str], str | None, list[str]]:
    from pyg_multipose.io import read_poses, read_receptor

    reports = []
    receptor = name = None
    if options.receptor:
        receptor = read_receptor(options.receptor, hydrogens=options.hydrogens)
        name = options.receptor_name or _stem(options.receptor)
        reports.append(f'Receptor: {receptor.report}')
    poses = read_poses(
        options.poses,
        group_by=options.group_by,
        pattern=options.pattern,
        template=options.template,
        receptor=receptor,
        receptor_name=name,
        hydrogens=options.hydrogens,
    )
    reports.append(f'Poses: {poses.report}')
    smiles = dict(zip(poses.names, poses.smiles, strict=True))
    if not len(poses) or not options.labels:
        return poses, smiles, None, reports
    joined, unit = _joined(options, poses, name, reports)
    return joined, smiles, unit, reports


def _joined(
    options: Namespace, poses: Any, name: str | None, reports: list[str]
) -> tuple[Any, str]:
    from pyg_multipose.io import join_labels, read_labels
    from pyg_multipose.io.source.table import read_table

    columns = {
        'ligand_id': options.id_column,
        'value': options.value_column,
    }
    table = read_table(Path(options.labels), None, 'utf-8')
    for option, column in (
        ('--id-column', options.id_column),
        ('--value-column', options.value_column),
    ):
        if table.column(column) is None:
            raise ValueError(
                f"'{options.labels}' has no column '{column}', only "
                f'{table.header}; name the one that is meant by {option}'
            )
    has_column = table.column('target_id') is not None
    target = options.target or name or 'target'
    labels = read_labels(
        options.labels,
        columns=columns,
        unit=options.unit,
        target_id=None if has_column else target,
        kind=options.kind,
    )
    reports.append(f'Labels: {labels.report}')
    joined = join_labels(
        poses,
        labels,
        target_id=target,
        kind=options.kind if len({one.kind for one in labels}) > 1 else None,
        scale=options.scale,
    )
    reports.append(f'Poses and labels: {joined.report}')
    lone = [ligand for ligand, _ in joined.poses_without_label]
    if lone and options.unlabeled == 'refuse':
        raise ValueError(
            f'{len(lone)} sets have no label, such as {lone[:3]}; '
            f'--unlabeled drop leaves them out, --unlabeled keep keeps them'
        )
    kinds = {one.kind for one in joined.labels}
    unit = UNITS[options.scale]
    if unit == 'pK' and kinds in ({'IC50'}, {'pIC50'}):
        unit = 'pIC50'
    elif unit == 'pK' and kinds in ({'Ki'}, {'pKi'}):
        unit = 'pKi'
    if options.unlabeled == 'keep' and lone:
        return _WithUnlabeled(poses, joined), unit
    return joined, unit


class _WithUnlabeled:
    """All sets, those without a label with one that is NaN."""

    def __init__(self, poses: Any, joined: Any) -> None:
        self.poses, self.joined = poses, joined
        names = [joined[number].name for number in range(len(joined))]
        self.place = {name: number for number, name in enumerate(names)}

    def __len__(self) -> int:
        return len(self.poses)

    def __getitem__(self, index: int) -> PoseSet:
        name = self.poses.names[index]
        if name in self.place:
            return self.joined[self.place[name]]
        out = self.poses[index]
        nan, zero = torch.tensor([torch.nan]), torch.tensor([0])
        for key, value in (
            ('y', nan), ('y_relation', zero), ('y_std', nan), ('y_count', zero)
        ):  # fmt: skip
            out.put(key, value, 'set')
        return out


def _write(
    folder: Path,
    options: Namespace,
    sets: Any,
    smiles: dict[str, str],
    unit: str | None,
    text: str,
) -> None:
    rows: list[dict[str, Any]] = []
    cut = _pocket(options.pocket, sets)
    scaffold = _scaffolds(smiles)

    def all_sets() -> Iterator[PoseSet]:
        for number in tqdm(range(len(sets)), desc='Writing', disable=None):
            pose_set = sets[number] if cut is None else cut(sets[number])
            y = pose_set.get('y')
            rows.append(
                {
                    'ligand_id': pose_set.name,
                    'smiles': smiles[pose_set.name],
                    'scaffold': scaffold[pose_set.name],
                    'poses': pose_set.num_poses,
                    'y': '' if y is None or y.isnan() else float(y),
                }
            )
            yield pose_set

    PoseSetDataset(folder).extend(all_sets())
    with open(folder / TABLE, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
    (folder / REPORT).write_text(f'{text}\n', encoding='utf-8')
    about = {
        'version': 1,
        'package': __version__,
        'unit': unit,
        'pocket': options.pocket,
        'hydrogens': options.hydrogens,
        'receptor': options.receptor and Path(options.receptor).name,
        'poses': [Path(path).name for path in options.poses],
        'labels': options.labels and Path(options.labels).name,
    }
    # The last file: a folder without it was not finished.
    (folder / ABOUT).write_text(json.dumps(about, indent=1), encoding='utf-8')
    assert (folder / SETS).is_file()


def _pocket(radius: float | None, sets: Any) -> Any:
    """One cut for all sets, around all of their poses."""
    if radius is None:
        return None
    from pyg_multipose.transforms import PocketCut

    bar = tqdm(range(len(sets)), desc='Looking for the pocket', disable=None)
    around = []
    for number in bar:
        pose_set = sets[number]
        around.append(pose_set.pos[pose_set.is_ligand.bool()])
    return PocketCut(radius, torch.cat(around), group='residue')


def _scaffolds(smiles: dict[str, str]) -> dict[str, str]:
    from pyg_multipose.io import scaffolds

    found = scaffolds(list(smiles.values()))
    return dict(zip(smiles, found, strict=True))


def _stem(path: str) -> str:
    return Path(path).name.partition('.')[0]
