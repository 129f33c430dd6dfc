r"""multipose predict: tables of predictions."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import pyg_multipose
from pyg_multipose.campaign import (
    Manifest,
    Shard,
    checksum,
    remove_leftovers,
    run_shards,
)
from pyg_multipose.campaign.run_shards import check_processes
from pyg_multipose.cli.campaign_options import add_campaign
from pyg_multipose.cli.mol_blocks import CHOICES, check_bonds
from pyg_multipose.cli.parser import Namespace, Parser
from pyg_multipose.cli.places import check_file
from pyg_multipose.cli.prediction_input import PredictionInput, input_of
from pyg_multipose.cli.prediction_shards import PredictionShards, connected
from pyg_multipose.cli.prediction_tables import PredictionTables
from pyg_multipose.cli.trainer import quiet
from pyg_multipose.train import MultiPoseModule
from pyg_multipose.train.table_writer import FORMATS, check_format
from pyg_multipose.train.units import UNITS

#: The form of the parts that shards write.
VERSION = 1


def parser() -> Parser:
    r"""The options."""
    out = Parser(
        'predict',
        'Predicts a data set, or poses from files, by a trained model. '
        'Writes two tables: NAME.csv has a row for each compound, '
        'NAME_poses.csv one for each pose. What was interrupted goes on where '
        'it was.',
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
        type=str | list[str] | None,
        default=None,
        nargs='*',
        metavar='PATH',
        help='A data set; files or folders of docked poses, too.',
    )
    add(
        '--poses',
        type=str,
        default=None,
        nargs='*',
        metavar='PATH',
        help='Files or folders of docked poses, instead of a data set.',
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
        help='The table, .csv (also if it has no end) or .parquet.',
    )
    add(
        '--sdf',
        type=str | None,
        default=None,
        metavar='FILE',
        help='Write poses too, with their predictions as data items.',
    )
    add(
        '--sdf_poses',
        type=str,
        default=CHOICES[0],
        metavar='|'.join(CHOICES),
        help='Which: the best one of each compound, those with at least a '
        'hundredth of the weight too, or all.',
    )
    for name, metavar in (
        ('group_by', 'RULE'), ('pattern', 'REGEX'), ('template', 'FILE')
    ):  # fmt: skip
        add(
            f'--{name}',
            type=str | None,
            default=None,
            metavar=metavar,
            help='For poses, as of prepare.',
        )
    add(
        '--max_poses', type=int, default=256, help='The most poses of a batch.'
    )
    add(
        '--shard_size',
        type=int | None,
        default=None,
        help='The most poses of a shard, which is done by one process and '
        'written once. (as there are many, if not given)',
    )
    add(
        '--device',
        type=str,
        default='auto',
        metavar='auto|cpu|gpu',
        help='Where to compute.',
    )
    add_campaign(out)
    return out


def run(argv: Sequence[str]) -> None:
    r"""Predicts pose sets.

    Args:
        argv: The options.

    Raises:
        ValueError: If the checkpoint is of another kind, the sets are not
            like those of the training, or there are shards of another run.
        OSError: If a file is missing, or the place cannot be written to.
    """
    options = parser().read(argv)
    threads = torch.get_num_threads()
    try:
        _predict(options)
    finally:
        PredictionShards.let_go()
        torch.set_num_threads(threads)


def _predict(options: Namespace) -> None:
    out, sdf, part = _checked(options)
    quiet()
    module = MultiPoseModule.load_from_checkpoint(options.checkpoint)
    source = input_of(
        options.poses or options.data,
        module.inputs is not None and module.inputs.hydrogens,
        receptor=options.receptor,
        group_by=options.group_by,
        pattern=options.pattern,
        template=options.template,
        size=options.shard_size,
    )
    run = {
        'command': 'predict',
        'version': VERSION,
        'versions': {
            'pyg_multipose': pyg_multipose.__version__,
            'torch': torch.__version__,
        },
        'checkpoint': checksum(options.checkpoint),
        'input': source.fingerprint(),
        'max_poses': options.max_poses,
        'shard_size': options.shard_size,
        'device': _device(options.device),
        'sdf': None if sdf is None else options.sdf_poses,
    }
    folder = out.absolute().with_name(f'{out.name}.parts')
    tables = PredictionTables(Manifest(folder, run), out, sdf)
    counts = tables.done()
    if counts is not None:
        print('All was done before, and nothing is left to be done')
        shutil.rmtree(folder, ignore_errors=True)  # if it was killed there
    elif options.dry_run:
        _plan(tables, source, module, part)
        return
    else:
        counts = _made(options, tables, source, module, part)
    if counts is None:
        return
    for flag, count in sorted(counts['flags'].items()):
        print(f'{count} sets: {flag}')
    for file in tables.files:
        print(f"'{file}' is written")
    print(
        f'{counts["sets"]} sets and {counts["poses"]} poses, in {module.unit}'
    )


def _made(
    options: Namespace,
    tables: PredictionTables,
    source: PredictionInput,
    module: MultiPoseModule,
    part: Shard,
) -> dict[str, Any] | None:
    """Does what is to be done here; counts if that was the last of it."""
    manifest = tables.manifest
    work = PredictionShards(
        manifest,
        source,
        os.path.abspath(options.checkpoint),
        options.max_poses,
        manifest.run['device'],
        manifest.run['sdf'],
    )
    manifest.begin()
    if tables.found() is not None:
        print(f"'{tables.out}' is of another run, and will be replaced")
    remove_leftovers(manifest.folder)
    try:
        source.begin(manifest.folder)
        _check_first(source, module, tables.sdf)
        _run(options, work, part.of(source.count), module)
    except BaseException:
        if not any(manifest.folder.glob('shard-*')):
            shutil.rmtree(manifest.folder, ignore_errors=True)
        raise
    if not manifest.is_done(source.count):
        print(
            f'Part {part} is done. When all parts are, the last one writes '
            f"'{tables.out}'"
        )
        return None
    return _assembled(options, tables, work, module)


def _check_first(
    source: PredictionInput, module: MultiPoseModule, sdf: Path | None
) -> None:
    """Refuses what is refused before the work begins."""
    first = source.first
    if first is None:
        return
    if sdf is not None:
        check_bonds(first, source.name)
    if module.inputs is not None:
        module.inputs.check(
            connected(module, first), edges='edge_index' in first
        )


def _run(
    options: Namespace,
    work: PredictionShards,
    mine: range,
    module: MultiPoseModule,
) -> None:
    missing = work.manifest.missing(mine)
    if len(missing) < len(mine):
        print(f'{len(mine) - len(missing)} of {len(mine)} shards are done')
    if missing and options.scheduler is None:
        work.keep(module)
    run_shards(
        work,
        missing,
        options.processes if work.device == 'cpu' else 1,
        options.scheduler,
        desc='Predicting',
    )


def _assembled(
    options: Namespace,
    tables: PredictionTables,
    work: PredictionShards,
    module: MultiPoseModule,
) -> dict[str, Any]:
    """The tables, by whoever of all parts comes last."""
    manifest, number = tables.manifest, work.source.count
    remove_leftovers(tables.out.parent)
    try:
        for shard in manifest.missing(number):  # damaged meanwhile
            work(shard)
        text = work.source.left_out(manifest.folder)
        if text:
            print(text)
        if not tables.counts(number)['sets']:
            shutil.rmtree(manifest.folder)
            raise ValueError('No pose could be read; see above')
        counts = tables.write(number, UNITS[module.unit])
        _write_page(options, tables, work, text, counts)
    except FileNotFoundError:
        # Another part was done at the same time, and has written them.
        done = tables.done()
        if done is None:
            raise
        counts = done
    tables.finish(counts)
    shutil.rmtree(manifest.folder, ignore_errors=True)
    return counts


def _write_page(
    options: Namespace,
    tables: PredictionTables,
    work: PredictionShards,
    text: str,
    counts: dict[str, Any],
) -> None:
    from pyg_multipose.cli.reporting import report_predictions

    data = work.source.page_data(counts['sets'])
    if data is None:
        print('These are too many for a page that shows them')
        return
    page = report_predictions(tables.out, data, options.as_dict(), text)
    print(f"'{page}' shows them")


def _checked(options: Namespace) -> tuple[Path, Path | None, Shard]:
    if bool(options.poses) == bool(options.data):
        raise ValueError(
            'What is to be predicted? Give --data (a data set) or --poses '
            '(files or folders of docked poses), one of them'
        )
    if options.sdf_poses not in CHOICES:
        raise ValueError(
            f'--sdf-poses {options.sdf_poses} is none of {list(CHOICES)}'
        )
    for name in ('max_poses', 'shard_size'):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ValueError(
                f'--{name.replace("_", "-")} {value}: expected a number from '
                f'1 on'
            )
    check_processes(options.processes)
    name = options.out
    if not Path(name).suffix:
        name = f'{name}{FORMATS[0]}'
    out = check_file(name)
    check_format(out)
    part = Shard.parse(options.shard or '1/1')
    return out, options.sdf and check_file(options.sdf), part


def _device(asked: str) -> str:
    on_gpu = asked != 'cpu' and torch.cuda.is_available()
    if asked == 'gpu' and not on_gpu:
        raise ValueError('--device gpu: there is none')
    return 'cuda' if on_gpu else 'cpu'


def _plan(
    tables: PredictionTables,
    source: PredictionInput,
    module: MultiPoseModule,
    part: Shard,
) -> None:
    manifest = tables.manifest
    with tempfile.TemporaryDirectory(prefix='multipose-') as temporary:
        source.begin(Path(temporary))
        _check_first(source, module, tables.sdf)
        mine = part.of(source.count)
        done = 0
        if manifest.folder.is_dir():
            manifest.begin()
            done = len(mine) - len(manifest.missing(mine))
        print(
            f"'{source.name}': {source.count} shards would be predicted; of "
            f'these {len(mine)} here, of which {done} are done'
        )
    for file in tables.files:
        print(f"'{file}' would be written")
