"""Graphs of some poses, made of the tables of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.data.layout import Poses
from pyg_multipose.gradient.receptors.receptors import Receptors


class Composer:
    r"""Composes whole complexes, or poses that share an encoded receptor.

    Args:
        layout: Where the rows of poses lie.
        receptors: What is encoded once, or :obj:`None`.
    """

    def __init__(self, layout: Layout, receptors: Receptors | None) -> None:
        self._layout, self._receptors = layout, receptors

    def receptor(self, poses: Poses) -> int | None:
        r"""The set whose encoded receptor a chunk shares.

        Args:
            poses: Numbers of the poses.
        """
        if self._receptors is None:
            return None
        index = int(self._receptors.of_pose[poses[0]])
        return None if index < 0 else index

    def compose(self, tables: dict[str, Any], poses: Poses) -> Data:
        r"""Poses as graphs, or as a pose set that shares a receptor.

        Args:
            tables: The values of the batch.
            poses: Numbers of the poses.
        """
        index = self.receptor(poses)
        if index is None:
            return self._layout.compose(tables, poses)
        out = PoseSet()
        for key, value in self._layout.select(tables, poses, index).items():
            out[key] = value
        out['levels'] = str(self._layout.levels)
        return out

    def leaves(
        self, poses: Poses, tables: dict[str, Any], keys: Sequence[str]
    ) -> tuple[Data, dict[str, Tensor]]:
        r"""Poses cut off from the batch, with leaves of their own.

        A leaf of the whole batch would cost its size for every chunk.

        Args:
            poses: Numbers of the poses.
            tables: The values of the batch.
            keys: Those that need a gradient.
        """
        with torch.no_grad():
            graphs = self.compose(tables, poses)
        leaves = {key: graphs[key].requires_grad_() for key in keys}
        for key, leaf in leaves.items():
            graphs[key] = leaf.clone()  # which a model may change in place
        return graphs, leaves

    def rows(self, key: str, poses: Poses) -> Tensor:
        r"""The rows of a table that composed poses are made of.

        Args:
            key: The key of the table.
            poses: Numbers of the poses.
        """
        return self._layout.rows(key, poses, self.receptor(poses))
