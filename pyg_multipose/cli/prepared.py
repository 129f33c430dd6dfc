r"""The end of a preparation: tables and reports of all shards."""

from __future__ import annotations

import csv
import json
import shutil
import warnings
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pyg_multipose import __version__
from pyg_multipose.campaign import atomic_file
from pyg_multipose.cli.data_set import ABOUT, COUNTS, REPORT, TABLE
from pyg_multipose.cli.parser import Namespace
from pyg_multipose.cli.preparation import Preparation
from pyg_multipose.datasets import PoseSetShards
from pyg_multipose.datasets.pose_set_shards import shard_file
from pyg_multipose.io.molecule.features import VERSION
from pyg_multipose.io.tally import Tally

#: Columns of the table of sets.
COLUMNS = ('ligand_id', 'smiles', 'scaffold', 'poses', 'y', 'relation')
#: Where the truth is, seen from a label.
RELATIONS = {-1: '<', 0: '', 1: '>'}


def finish(work: Preparation, options: Namespace) -> None:
    r"""Writes the tables; any process may, and all write the same.

    Args:
        work: What was prepared.
        options: Those of the command.

    Raises:
        ValueError: If no set is left.
    """
    whole = work.reading.whole(work.index)
    sets = poses = 0
    with ExitStack() as stack:
        writer = None
        if work.writes:
            file = atomic_file(
                work.folder / TABLE, 'w', newline='', encoding='utf-8'
            )
            writer = csv.writer(stack.enter_context(file), lineterminator='\n')
            writer.writerow(COLUMNS)
        for shard in range(work.count):
            values = work.values(shard)
            if work.writes:
                work.forget(shard)
            whole.add(values, values['gone'])
            sets += len(values['rows'])
            poses += sum(row[3] for row in values['rows'])
            if writer is not None:
                writer.writerows(
                    [*row[:-1], RELATIONS[row[-1]]] for row in values['rows']
                )
    for text in whole.close():
        warnings.warn(text, stacklevel=2)
    parts = {'Receptor': work.receptor and work.receptor.report}
    parts['Poses'] = whole.report
    unit = None
    if work.joining.labels is not None and whole.report.num_kept:
        parts['Labels'] = work.joining.labels.report
        joined, unit = work.joining.report(_Names(work))
        parts['Poses and labels'] = joined
    reports = [f'{name}: {one}' for name, one in parts.items() if one]
    if not sets:
        if not options.dry_run:
            shutil.rmtree(work.folder / 'shards')
            (work.folder / TABLE).unlink()
        raise ValueError(
            '\n'.join([*reports, 'Nothing is left to be written; see above'])
        )
    text = '\n\n'.join(reports)
    print(text)
    if options.dry_run:
        print(f"\n{sets} sets would be written to '{options.out}'")
        return
    _write(work, options, parts, text, unit)
    print(f"\n{sets} sets are in '{options.out}'")


class _Names:
    """The ids of all sets that were read, as often as they are asked for."""

    def __init__(self, work: Preparation) -> None:
        self._work = work

    def __iter__(self) -> Any:
        return self._work.names()


def _write(
    work: Preparation,
    options: Namespace,
    parts: dict[str, Any],
    text: str,
    unit: str | None,
) -> None:
    folder = work.folder
    with atomic_file(folder / REPORT, 'w', encoding='utf-8') as file:
        file.write(f'{text}\n')
    counts = {
        name: {
            kind: dict(Counter(row.reason for row in getattr(one, kind)))
            if not isinstance(one, Tally)
            else dict(one.reasons(kind))
            for kind in ('dropped', 'flagged')
        }
        for name, one in parts.items()
        if one
    }
    with atomic_file(folder / COUNTS, 'w', encoding='utf-8') as file:
        json.dump(counts, file, indent=1, ensure_ascii=False)
    if work.count > 1:
        names = [
            shard_file('', shard, work.count)
            for shard in range(work.count)
            if work.manifest.counts(shard)['sets']
        ]
        PoseSetShards.write_list(folder, names)
    about = {
        'version': 1,
        'package': __version__,
        'unit': unit,
        'pocket': options.pocket,
        'hydrogens': options.hydrogens,
        'features': VERSION,
        'receptor': options.receptor and Path(options.receptor).name,
        'poses': [Path(path).name for path in options.poses],
        'labels': options.labels and Path(options.labels).name,
    }
    # The last file: a folder without it was not finished.
    with atomic_file(folder / ABOUT, 'w', encoding='utf-8') as file:
        json.dump(about, file, indent=1)
