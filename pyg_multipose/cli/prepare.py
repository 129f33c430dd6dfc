r"""multipose prepare: files to a data set."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pyg_multipose.campaign import Shard, run_shards
from pyg_multipose.campaign.run_shards import check_processes
from pyg_multipose.cli.campaign_options import add_campaign
from pyg_multipose.cli.data_set import ABOUT, COUNTS, REPORT, TABLE
from pyg_multipose.cli.joining import UNITS, UNLABELED
from pyg_multipose.cli.nearest import did_you_mean
from pyg_multipose.cli.parser import Namespace, Parser
from pyg_multipose.cli.places import new_folder
from pyg_multipose.cli.preparation import Preparation
from pyg_multipose.cli.prepared import finish
from pyg_multipose.datasets.pose_set_shards import LIST


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
        help='The data set: a new folder, or that of the same command before, '
        'which goes on where it stopped.',
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
        '--shard_size',
        type=int,
        default=10_000,
        metavar='POSES',
        help='How many poses a file of the data set has: a larger input is '
        'cut into several, each written once. Memory depends on it.',
    )
    add_campaign(out)
    return out


def run(argv: Sequence[str]) -> None:
    r"""Prepares a data set.

    Args:
        argv: The options.

    Raises:
        ValueError: If an option is wrong, nothing is left, or the folder is
            of another run.
        OSError: If a file is missing, or the place cannot be written to.
        RuntimeError: If processes died again and again.
    """
    options = parser().read(argv)
    part = _check(options)
    plain = options.as_dict()
    with ExitStack() as stack:
        folder = Path(options.out)
        if options.dry_run:
            temporary = tempfile.TemporaryDirectory(prefix='multipose-')
            folder = Path(stack.enter_context(temporary))
        else:
            _check_place(folder)
            new_folder(options.out, force=True)
        work = Preparation(plain, folder, not options.dry_run)
        work.begin()
        mine = part.of(work.count) if part else range(work.count)
        _run(work, work.missing(mine), work, options, 'Reading poses')
        if not work.is_read():
            print(
                f"{len(mine)} of {work.count} shards are in '{options.out}'; "
                f'the last part to end will finish it'
            )
            return
        if options.pocket is not None and not options.dry_run:
            # The pocket is known now: whoever is first, cuts what is left.
            left = work.manifest.missing(work.count)
            _run(work.cut, left, work, options, 'Cutting the pocket')
        finish(work, options)


def _run(
    task: Any, left: Sequence[int], work: Preparation, options: Namespace,
    what: str,
) -> None:  # fmt: skip
    """Shards are done here, or wherever they are to."""
    if left:
        run_shards(
            task, left, options.processes, options.scheduler, desc=what,
            progress=None if work.count > 1 else False,
        )  # fmt: skip


def _check(options: Namespace) -> Shard | None:
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
    if options.shard_size < 1:
        raise ValueError(
            f'--shard-size {options.shard_size}: expected a positive number'
        )
    check_processes(options.processes)
    return None if options.shard is None else Shard.parse(options.shard)


def _check_place(folder: Path) -> None:
    """What is not of a campaign is not touched."""
    own = {'shards', 'processed', LIST, ABOUT, TABLE, REPORT, COUNTS}
    found = _names(folder)
    other = sorted(found - own)
    is_begun = (folder / 'shards' / 'run.json').is_file()
    # One that was killed before that file had been written left no more:
    is_made = found <= {'shards'} and not _names(folder / 'shards')
    if other or not (is_begun or is_made):
        raise FileExistsError(
            f"'{folder}' holds files already, such as "
            f"'{(other or sorted(found))[0]}'; choose another --out"
        )


def _names(folder: Path) -> set[str]:
    """What a folder holds, but for files whose writer was killed."""
    if not folder.is_dir():
        return set()
    return {
        path.name
        for path in folder.iterdir()
        if not path.name.endswith('.part')
    }
