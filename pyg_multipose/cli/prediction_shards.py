r"""Shards of predictions, each some sets in a row."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

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

#: The files of a shard.
SETS, POSES = 'sets-{:06d}.parquet', 'poses-{:06d}.parquet'
SDF = 'poses-{:06d}.sdf'
#: The columns of its sets: ranks need those of all shards.
PART_OF_SETS = {name: OF_SETS[name] for name in OF_SETS if name != 'rank'}
#: The most atoms of a batch, each receptor once for every set.
_NODES = 100_000
#: What this process has loaded, by campaign, and who may use it: workers of
#: Dask may have several threads.
_LOADED: dict[str, tuple[MultiPoseModule, PredictionInput]] = {}
_LOCK = threading.Lock()


@dataclass
class PredictionShards:
    r"""Predicts the sets of a shard, and writes its tables.

    A process keeps the model and what it opened for the next shard, and the
    model what it made of the receptor.

    Args:
        manifest: What the campaign is.
        source: The sets.
        checkpoint: The model.
        max_poses: The most poses of a batch.
        device: Where to compute.
        sdf: Which poses are written as SDF, if any.
    """

    manifest: Manifest
    source: PredictionInput
    checkpoint: str
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
                self.keep(
                    MultiPoseModule.load_from_checkpoint(self.checkpoint)
                )
            return self._predict(shard, *_LOADED[key])

    def keep(self, module: MultiPoseModule) -> None:
        r"""Takes a model that is loaded.

        Args:
            module: The model.
        """
        torch.set_num_threads(1)
        _LOADED.clear()
        key = f'{self.manifest.folder} {self.manifest.digest}'
        _LOADED[key] = module.to(self.device).eval(), self.source
        # Whether receptors are shared is decided by one set in all processes.
        if self.source.first is not None:
            first = Batch.from_data_list([self.source.first])
            predicted_columns(module, connected(module, first), check=False)

    @staticmethod
    def let_go() -> None:
        r"""Lets go of what is loaded."""
        _LOADED.clear()

    def _predict(
        self, shard: int, module: MultiPoseModule, source: PredictionInput
    ) -> dict[str, Any]:
        folder, number = self.manifest.folder, 0
        rows: list[Columns] = [
            {key: [] for key in PART_OF_SETS},
            {key: [] for key in OF_POSES},
        ]
        flags: Counter[str] = Counter()
        sdf = folder / SDF.format(shard)
        with ExitStack() as stack:
            if self.sdf is not None:
                out = stack.enter_context(
                    atomic_file(sdf, 'w', encoding='utf-8')
                )
            for items in self._batches(source.sets(shard)):
                batch = connected(module, Batch.from_data_list(items))
                if module.inputs is not None:
                    own = 'edge_index' in items[0]
                    module.inputs.check(batch, edges=own, receptors=False)
                found = predicted_columns(module, batch, number, check=False)
                number += len(items)
                for columns, more in zip(rows, found, strict=True):
                    for name, values in more.items():
                        columns[name].extend(values)
                if self.sdf is not None:
                    out.writelines(sdf_records(items, *found, self.sdf))
        for text in rows[0]['flags']:
            flags.update(text.split('; ') if text else ())
        names = [SETS.format(shard), POSES.format(shard)]
        for name, columns, types in zip(
            names, rows, (PART_OF_SETS, OF_POSES), strict=True
        ):
            with TableWriter(folder / name, types) as table:
                table.add(columns)
        names += [sdf.name] if self.sdf is not None else []
        names += source.say(shard, folder)
        counts = {
            'sets': len(rows[0]['id']),
            'poses': len(rows[1]['id']),
            'flags': dict(flags),
        }
        self.manifest.record(shard, names, counts)
        return counts

    def _batches(self, sets: Iterable[PoseSet]) -> Iterator[list[PoseSet]]:
        """Sets in a row, as many as a batch may hold."""
        items: list[PoseSet] = []
        poses = nodes = 0
        for one in sets:
            size = one.num_poses, int(one.num_nodes or 0)
            poses, nodes = poses + size[0], nodes + size[1]
            if items and (poses > self.max_poses or nodes > _NODES):
                yield items
                items, (poses, nodes) = [], size
            items.append(one)
        if items:
            yield items


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
