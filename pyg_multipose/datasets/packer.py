"""Rows of sets that share a receptor, from tables of their ligands."""

from __future__ import annotations

import json
from collections.abc import Mapping

from torch import Tensor

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.data.levels import INDICES
from pyg_multipose.datasets.pose_set_schema import Row, Schema


class Packer:
    r"""Makes rows of sets from their tables, without making the sets.

    A set has to be packed as a whole first; others of the same receptor and
    the same keys differ from it in what poses bring along.

    Args:
        pose_set: The first set.
    """

    def __init__(self, pose_set: PoseSet) -> None:
        layout = Layout(pose_set)
        #: The keys that all sets have.
        self.schema = Schema.of(pose_set, layout.levels)
        #: The row of the first set.
        self.first = self.schema.pack(pose_set, layout)
        self._texts = [pose_set[key] for key in self.schema.texts]
        self._name = self.schema.texts.index('name')

    def row(self, name: str, tables: Mapping[str, Tensor]) -> Row:
        r"""The row of a set.

        Args:
            name: Its name.
            tables: The rows of all keys that are not the receptor's; indices
                count from the receptor's first atom.

        Raises:
            ValueError: If a table is not as in the first set.
        """
        parts = []
        for key, (level, dtype, shape) in self.schema.tensors.items():
            value = tables[key]
            got = (
                value.shape[:1] if key == f'{level}_index' else value.shape[1:]
            )
            if value.dtype != dtype or tuple(got) != shape:
                raise ValueError(
                    f"Set '{name}': '{key}' is {value.dtype} of shape "
                    f'{list(value.shape)}, but in the first set {dtype} with '
                    f'{list(shape)} for each row'
                )
            parts.append(value.contiguous().numpy().tobytes())
        texts = [*self._texts]
        texts[self._name] = name
        counts = (
            int(tables['pose_size'].sum()),
            *(tables[key].size(1) if key in tables else 0 for key in INDICES),
        )
        fixed = self.first.receptor_sizes
        return self.first._replace(
            name=name,
            poses=len(tables['pose_size']),
            sizes=tuple(map(sum, zip(fixed, counts, strict=True))),
            tables=b''.join(parts),
            text=json.dumps(texts),
        )

    def moved(self, row: Row, schema: Schema) -> Row:
        r"""The row of a set whose receptor had other atoms before.

        Args:
            row: That of the set before; no atom has moved in a pose.
            schema: That of the set before.
        """
        tables = schema.tables(row)
        shift = self.first.receptor_sizes[0] - row.receptor_sizes[0]
        for key in INDICES:
            if key in tables:
                tables[key] = tables[key] + shift
        return self.row(row.name, tables)
