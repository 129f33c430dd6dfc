"""Edges between atoms within a distance, for graphs and pose sets."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import torch
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform

from pyg_multipose.data import PoseSet
from pyg_multipose.data.layout import Layout
from pyg_multipose.data.levels import Levels
from pyg_multipose.transforms.neighbors import (
    check_cap,
    nearest,
    radius_graph,
    warn_cut_graphs,
)
from pyg_multipose.transforms.pose_cap import keep_nearest
from pyg_multipose.transforms.pose_edges import (
    Segments,
    pose_edges,
    set_pose_edges,
    set_slices,
)
from pyg_multipose.transforms.pose_set_transform import PoseSetTransform
from pyg_multipose.transforms.search import (
    check_finite,
    check_radius,
    check_shape,
    exact,
)

_FOLLOWED = ('_batch', '_ptr')


@functional_transform('pose_radius_graph')
class RadiusGraph(PoseSetTransform):
    r"""Connects all atoms of a pose within a distance.

    (functional name: :obj:`pose_radius_graph`).

    Works on :class:`~torch_geometric.data.Data`,
    :class:`~pyg_multipose.data.PoseSet` and batches of either, on CPU and GPU,
    and gives the same class back.
    Edges run in both directions, and there are as many as there are: unlike
    PyG's transform of this name, it cuts no neighbours unless asked to.

    :obj:`edge_index` is replaced, and whatever described the old edges (all
    other keys that start with :obj:`edge_`, and keys of a pose set on the edge
    level) is removed.
    Bonds are kept.
    Edges are sorted by target, then source; in a pose set those within the
    receptor come first and then, pose by pose, those that touch its ligand.

    In a pose set with a receptor the edges within the receptor are searched
    and stored once for all poses.

    Args:
        r: The distance in Angstrom; atoms at exactly this distance are
            connected.
        loop: Whether each atom is connected to itself.
            (default: :obj:`False`)
        max_num_neighbors: How many neighbours an atom may have at most; the
            nearest are kept, and a warning tells where that cut any.
            A graph that was cut is no longer symmetric, and its receptor has
            other edges in every pose: a set with a receptor is then returned
            in the form of :meth:`~pyg_multipose.data.PoseSet.from_poses`.
            (default: :obj:`None`, all neighbours)

    Raises:
        ValueError: If :obj:`r` or :obj:`max_num_neighbors` is not positive,
            if there are no positions, or if one is not finite.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> pose_set = MproMoonshot('test')[0]
        >>> RadiusGraph(4.5)(pose_set).edge_index.shape
        torch.Size([2, 12112])
        >>> RadiusGraph(4.5)(pose_set.pose(0)).edge_index.shape
        torch.Size([2, 7846])
    """

    def __init__(
        self,
        r: float,
        loop: bool = False,
        max_num_neighbors: int | None = None,
    ) -> None:
        self.r = check_radius(r)
        self.loop = loop
        self.max_num_neighbors = check_cap(max_num_neighbors)

    def forward(self, data: Any) -> Any:
        r"""Replaces the edges of a graph, a pose set or a batch.

        Args:
            data: What to connect; :meth:`__call__` hands in a shallow copy.
        """
        if not isinstance(data, Data):
            raise ValueError(
                f'RadiusGraph connects the atoms of a Data, a PoseSet or a '
                f'batch of either, got {type(data).__name__}'
            )
        check_shape(data.get('pos'), 'pos')
        if isinstance(data, PoseSet):
            return self._connect_poses(data)
        return self._connect_graphs(data)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(r={self.r}, loop={self.loop}, '
            f'max_num_neighbors={self.max_num_neighbors})'
        )

    # Graphs ##################################################################

    def _connect_graphs(self, data: Data) -> Data:
        _drop(data, {key for key in data.keys() if key.startswith('edge_')})
        batch = data.get('batch')
        if batch is None and hasattr(data, '_slice_dict'):
            size = data._slice_dict['pos'].diff().to(data.pos.device)
            batch = torch.repeat_interleave(size)
        edge_index = radius_graph(data.pos, self.r, batch, self.loop)
        if self.max_num_neighbors is not None:
            keep, cut = nearest(edge_index, data.pos, self.max_num_neighbors)
            edge_index = edge_index[:, keep]
            warn_cut_graphs(self.max_num_neighbors, cut, batch)
        data.edge_index = edge_index
        if hasattr(data, '_slice_dict') and batch is not None:
            ptr = data._slice_dict['pos']
            count = torch.bincount(
                batch[edge_index[1]], minlength=len(ptr) - 1
            )
            set_slices(data, count, ptr[:-1])
        return data

    # Pose sets ###############################################################

    def _connect_poses(self, data: PoseSet) -> PoseSet:
        edge_keys = Levels.of(data).on('edge')
        # What ``follow_batch`` made of them has no level.
        followed = [f'{key}{end}' for key in edge_keys for end in _FOLLOWED]
        _drop(data, {*edge_keys, *(key for key in followed if key in data)})
        layout = Layout(data)
        segments = Segments(layout)
        check_finite(exact(data.pos), segments.atom_name)
        edge_index, count = pose_edges(data.pos, segments, self.r, self.loop)
        set_pose_edges(data, edge_index, count, segments)
        # One declaration, whether or not there were edges before.
        levels = str(Levels.of(data))
        single = isinstance(data['levels'], str)
        data['levels'] = levels if single else [levels] * layout.num_sets
        if self.max_num_neighbors is None:
            return data
        return keep_nearest(data, segments, count, self.max_num_neighbors)


def _drop(data: Data, keys: Set[str]) -> None:
    """Forgets keys, also where a batch remembers how to slice them."""
    for key in keys:
        del data[key]
    if hasattr(data, '_slice_dict'):
        # New dictionaries: the old ones belong to the original, too.
        for name in ('_slice_dict', '_inc_dict'):
            old = getattr(data, name)
            kept = {key: old[key] for key in old if key not in keys}
            setattr(data, name, kept)
