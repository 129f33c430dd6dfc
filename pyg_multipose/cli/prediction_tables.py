r"""The tables of a campaign, of the parts that shards have written."""

from __future__ import annotations

import gzip
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from pyg_multipose.campaign import Manifest, atomic_file, checksum
from pyg_multipose.cli.prediction_shards import POSES, SDF, SETS
from pyg_multipose.train.predicted_columns import ranks
from pyg_multipose.train.table_writer import (
    OF_POSES,
    OF_SETS,
    TableWriter,
    arrow,
    of_poses,
)

#: The form of the file that says which run the tables are of.
VERSION = 1


class PredictionTables:
    r"""The tables of all shards, written as a stream.

    What is held is a number for each set (its prediction, its rank) and one
    shard.

    Args:
        manifest: What the campaign is.
        out: The table of sets.
        sdf: The file of poses, if there is one.
    """

    def __init__(
        self, manifest: Manifest, out: Path, sdf: Path | None
    ) -> None:
        self.manifest, self.out, self.sdf = manifest, out, sdf
        #: Says which run the tables are of, and that they are complete.
        self.about = out.with_name(f'{out.name}.json')

    @property
    def files(self) -> list[Path]:
        r"""What is written."""
        files = [self.out, of_poses(self.out)]
        return files if self.sdf is None else [*files, self.sdf]

    def done(self) -> dict[str, Any] | None:
        r"""The counts of this very run, if its tables are there and whole."""
        about = self.found()
        if about is None or about.get('run') != self.manifest.run:
            return None
        for file in self.files:
            known = about['files'].get(str(file.name))
            if known is None or not file.is_file():
                return None
            if file.stat().st_size != known['bytes']:
                return None
            if checksum(file) != known['blake2b']:
                return None
        return about['counts']

    def found(self) -> dict[str, Any] | None:
        r"""What is known of the tables that are there, of whatever run."""
        try:
            about = json.loads(self.about.read_text(encoding='utf-8'))
            return about if about['version'] == VERSION else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def counts(self, shards: int) -> dict[str, Any]:
        r"""Counts of all shards.

        Args:
            shards: How many shards there are.
        """
        total: Counter[str] = Counter()
        flags: Counter[str] = Counter()
        for shard in range(shards):
            one = self.manifest.counts(shard)
            total.update({key: one[key] for key in ('sets', 'poses')})
            flags.update(one['flags'])
        return {
            'sets': total['sets'],
            'poses': total['poses'],
            'flags': dict(flags),
        }

    def write(self, shards: int, strong: bool) -> dict[str, Any]:
        r"""Writes the tables.

        Args:
            shards: How many shards there are.
            strong: Whether a high prediction is a strong one.

        Returns:
            Counts of all.
        """
        total = self.counts(shards)
        rank = self._ranks(total['sets'], shards, strong)
        start = 0
        with TableWriter(self.out, OF_SETS) as table:
            for shard in range(shards):
                columns = self._read(shard, 0)
                end = start + len(columns['id'])
                columns['rank'] = rank[start:end].tolist()
                table.add(columns)
                start = end
        del rank
        with TableWriter(of_poses(self.out), OF_POSES) as table:
            for shard in range(shards):
                table.add(self._read(shard, 1))
        if self.sdf is not None:
            self._write_sdf(self.sdf, shards)
        return total

    def finish(self, counts: dict[str, Any]) -> None:
        r"""Notes that all is written, and which run it is of.

        Args:
            counts: What :meth:`write` gave.
        """
        about = {
            'version': VERSION,
            'run': self.manifest.run,
            'counts': counts,
            'files': {
                file.name: {
                    'bytes': file.stat().st_size,
                    'blake2b': checksum(file),
                }
                for file in self.files
            },
        }
        with atomic_file(self.about, 'w', encoding='utf-8') as out:
            json.dump(about, out, indent=1)

    def _ranks(
        self, number: int, shards: int, strong: bool
    ) -> np.ndarray[Any, Any]:
        values = np.empty(number)
        start = 0
        for shard in range(shards):
            found = self._table(shard, 0, ['prediction'])['prediction']
            end = start + len(found)
            values[start:end] = found.to_numpy()
            start = end
        return ranks(values, strong)

    def _read(self, shard: int, part: int) -> dict[str, Any]:
        return self._table(shard, part, None).to_pydict()

    def _table(self, shard: int, part: int, columns: Any) -> Any:
        name = (SETS, POSES)[part].format(shard)
        file = self.manifest.folder / name
        return arrow('parquet').read_table(file, columns=columns)

    def _write_sdf(self, path: Path, shards: int) -> None:
        with atomic_file(path) as out:
            # Without a time, so that the same poses are the same bytes.
            zipped = path.suffix.lower() == '.gz'
            into = gzip.GzipFile('', 'wb', 6, out, 0) if zipped else out
            for shard in range(shards):
                name = SDF.format(shard)
                with open(self.manifest.folder / name, 'rb') as part:
                    shutil.copyfileobj(part, into)
            if zipped:
                into.close()
