r"""Shards of predictions, each some sets in a row."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch_geometric.data import Batch

from pyg_multipose.campaign import Manifest, atomic_file
from pyg_multipose.cli.mol_blocks import sdf_records
from pyg_multipose.cli.prediction_input import PredictionInput
from pyg_multipose.data import PoseSet
from pyg_multipose.train import MultiPoseModule
from pyg_multipose.train.predicted_columns import Columns, predicted_columns
from pyg_multipose.train.table_writer import OF_POSES, OF_SETS, TableWriter
from pyg_multipose.transforms import RadiusGraph

#: The most atoms of a batch, each receptor once for every set.
_NODES = 100_000
#: What this process has loaded, by campaign, and who may use it: workers of
#: Dask may have several threads.
_LOADED: dict[str, tuple[MultiPoseModule, Sequence[PoseSet]]] = {}
_LOCK = threading.Lock()


@dataclass
class PredictionShards:
    r"""Predicts the sets of a shard, and writes its tables.

    A process keeps the model and the data set for the next shard, and the
    model what it made of the receptor.

    Args:
        manifest: What the campaign is.
        source: The sets.
        checkpoint: The model.
        ranges: The first and the last set (excluded) of each shard.
        max_poses: The most poses of a batch.
        device: Where to compute.
        sdf: Which poses are written as SDF, if any.
    """

    manifest: Manifest
    source: PredictionInput
    checkpoint: str
    ranges: np.ndarray[Any, Any]
    max_poses: int
    device: str
    sdf: str | None

    def __call__(self, shard: int) -> dict[str, Any]:
        r"""Does a shard.

        Args:
            shard: Its number.

        Returns:
            Counts of what was predicted.
        """
        with _LOCK:
            key = f'{self.manifest.folder} {self.manifest.digest}'
            if key not in _LOADED:
                module = MultiPoseModule.load_from_checkpoint(self.checkpoint)
                self.keep(module, self.source.open())
            return self._predict(shard, *_LOADED[key])

    def keep(self, module: MultiPoseModule, sets: Sequence[PoseSet]) -> None:
        r"""Takes what is loaded already.

        Args:
            module: The model.
            sets: The sets.
        """
        torch.set_num_threads(1)
        _LOADED.clear()
        key = f'{self.manifest.folder} {self.manifest.digest}'
        _LOADED[key] = module.to(self.device).eval(), sets
        # Whether receptors are shared is decided by one set in all processes.
        first = connected(module, Batch.from_data_list([sets[0]]))
        predicted_columns(module, first, check=False)

    @staticmethod
    def let_go() -> None:
        r"""Lets go of what is loaded."""
        _LOADED.clear()

    def names(self, shard: int) -> list[str]:
        r"""The files of a shard.

        Args:
            shard: Its number.
        """
        out = [f'sets-{shard:06d}.parquet', f'poses-{shard:06d}.parquet']
        return [*out, f'poses-{shard:06d}.sdf'] if self.sdf else out

    def _predict(
        self, shard: int, module: MultiPoseModule, sets: Sequence[PoseSet]
    ) -> dict[str, Any]:
        start, end = self.ranges[shard].tolist()
        rows: tuple[Columns, Columns] = {}, {}
        records: list[str] = []
        flags: Counter[str] = Counter()
        for first, items in self._batches(sets, start, end):
            batch = connected(module, Batch.from_data_list(items))
            if module.inputs is not None:
                own = 'edge_index' in items[0]
                module.inputs.check(batch, edges=own, receptors=False)
            found = predicted_columns(module, batch, first, check=False)
            for columns, more in zip(rows, found, strict=True):
                for key, values in more.items():
                    columns.setdefault(key, []).extend(values)
            if self.sdf is not None:
                records += sdf_records(items, *found, self.sdf)
        for text in rows[0]['flags']:
            flags.update(text.split('; ') if text else ())
        files = [self.manifest.folder / name for name in self.names(shard)]
        for file, columns, types in zip(
            files, rows, (OF_SETS, OF_POSES), strict=False
        ):
            kept = {key: types[key] for key in types if key in columns}
            with TableWriter(file, kept) as table:
                table.add(columns)
        if self.sdf is not None:
            with atomic_file(files[2], 'w', encoding='utf-8') as out:
                out.writelines(records)
        counts = {
            'sets': end - start,
            'poses': len(rows[1]['id']),
            'flags': dict(flags),
        }
        self.manifest.record(shard, self.names(shard), counts)
        return counts

    def _batches(
        self, sets: Sequence[PoseSet], start: int, end: int
    ) -> Iterator[tuple[int, list[PoseSet]]]:
        """Sets in a row, as many as a batch may hold, and the first one."""
        items: list[PoseSet] = []
        poses = nodes = 0
        for number in range(start, end):
            one = sets[number]
            size = one.num_poses, int(one.num_nodes or 0)
            poses, nodes = poses + size[0], nodes + size[1]
            if items and (poses > self.max_poses or nodes > _NODES):
                yield number - len(items), items
                items, (poses, nodes) = [], size
            items.append(one)
        yield end - len(items), items


def connected(module: MultiPoseModule, batch: Any) -> Any:
    r"""Sets with the edges that the model was trained on.

    Args:
        module: The model.
        batch: A batch of sets, which may have edges already.
    """
    cutoff = None if module.inputs is None else module.inputs.cutoff
    if cutoff is None or 'edge_index' in batch:
        return batch
    return RadiusGraph(cutoff)(batch)
