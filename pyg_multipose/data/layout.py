"""Where the rows of every receptor and pose lie in a pose set's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from pyg_multipose.data.levels import RELATIONS, Levels

#: Keys from which PyG infers the number of nodes of a graph.
_SIZED = ('x', 'pos', 'feat')


@dataclass(frozen=True)
class Relation:
    r"""The rows of one edge table (:obj:`edge` or :obj:`bond`), by segment.

    Args:
        start: First row of each segment, shape :obj:`[num_segments]`.
        size: Number of rows of each segment, shape :obj:`[num_segments]`.
    """

    start: np.ndarray
    size: np.ndarray


class Layout:
    r"""The integer bookkeeping of a :class:`PoseSet` or a batch of them.

    The node table holds, set by set, the receptor's rows and then the rows of
    each pose.
    Every such run of rows is a *segment*; edges and bonds lie in the same
    order, and belong to the segment of their ligand end.
    A layout holds integers only, never positions, and is made anew for every
    call, so it cannot go stale.

    Args:
        pose_set: A :class:`PoseSet` or a batch of them.

    Raises:
        ValueError: If the counts do not fit the tables, if edges were
            reordered or run between poses, or if the sets of a batch do not
            have the same keys.
    """

    def __init__(self, pose_set: Data) -> None:
        names = pose_set['name']
        self._names: Sequence[str] = (
            [names] if isinstance(names, str) else names
        )
        self.levels: Levels = Levels.of(pose_set, self.set_name)
        self.device: torch.device = pose_set['pose_size'].device
        self.receptor_size = _numpy(pose_set['receptor_size'])
        self.pose_size = _numpy(pose_set['pose_size'])
        self.set_size = _numpy(pose_set['set_size'])
        self.num_sets = len(self.set_size)
        self.num_poses = len(self.pose_size)
        self._check_counts()

        self.set_ptr = _ptr(self.set_size)  # first pose of each set
        self.set_of_pose = np.repeat(np.arange(self.num_sets), self.set_size)
        # Segments in table order: a set's receptor, then its poses.
        self._receptor_segment = self.set_ptr[:-1] + np.arange(self.num_sets)
        self._pose_segment = np.arange(self.num_poses) + self.set_of_pose + 1
        size = np.empty(self.num_sets + self.num_poses, dtype=np.int64)
        size[self._receptor_segment] = self.receptor_size
        size[self._pose_segment] = self.pose_size
        start = _ptr(size)
        self.num_nodes = int(start[-1])
        self._node = Relation(start[:-1], size)
        self._check_rows(pose_set)
        self._relations = {
            name: self._relation(name, pose_set[f'{name}_index'])
            for name in RELATIONS
            if f'{name}_index' in pose_set
        }

    # Where things are ########################################################

    def set_name(self, index: int) -> str:
        r"""How messages call a set: its name, or its place in the batch."""
        name = self._names[index] if index < len(self._names) else ''
        return f"set '{name}'" if name else f'set {index}'

    def pose_name(self, pose: int) -> str:
        r"""How messages call a pose of the batch: its set, then its number."""
        index = int(self.set_of_pose[pose])
        return f'{self.set_name(index)}, pose {pose - self.set_ptr[index]}'

    @property
    def nodes_per_pose(self) -> np.ndarray:
        r"""Atoms of each complex, receptor included, :obj:`[num_poses]`."""
        return self.receptor_size[self.set_of_pose] + self.pose_size

    @property
    def pose_to_set(self) -> Tensor:
        r"""The set of every pose, shape :obj:`[num_poses]`."""
        return self._tensor(self.set_of_pose)

    def receptor_rows(self, index: int) -> slice:
        r"""The receptor rows of a set in the node table."""
        return self._rows(self._node, self._receptor_segment[index])

    def receptor_relation_rows(self, name: str, index: int) -> slice:
        r"""The receptor rows of a set in the table of a relation."""
        return self._rows(self._relations[name], self._receptor_segment[index])

    # What is made of them ####################################################

    def compose(self, tables: Mapping[str, Any], poses: Sequence[int]) -> Batch:
        r"""Builds whole graphs of some poses, receptor atoms first.

        One gather per key, on the device, whatever the number of poses.

        Args:
            tables: The set's (or the batch's) values by key.
            poses: Numbers of the poses, in the order wanted.

        Returns:
            A :class:`~torch_geometric.data.Batch` whose graphs are the poses.
        """
        chosen = np.asarray(poses, dtype=np.int64)
        return self._gather(tables, chosen, self._complex_segments(chosen))

    def compose_receptor(self, tables: Mapping[str, Any], index: int) -> Batch:
        r"""Builds the graph of a set's receptor alone."""
        segments = self._receptor_segment[index : index + 1, None]
        return self._gather(tables, np.empty(0, dtype=np.int64), segments)

    def rows(self, key: str, poses: Sequence[int]) -> Tensor:
        r"""The rows of a table that some composed poses are made of.

        Args:
            key: A key on level node, edge, bond or pose.
            poses: Numbers of the poses.
        """
        chosen = np.asarray(poses, dtype=np.int64)
        level = self.levels[key]
        if level == 'pose':
            return self._tensor(chosen)
        relation = self._node if level == 'node' else self._relations[level]
        segments = self._complex_segments(chosen).reshape(-1)
        return self._tensor(_ranges(relation, segments))

    def select(
        self, tables: Mapping[str, Any], poses: Sequence[int]
    ) -> dict[str, Any]:
        r"""Rewrites the tables of a single set for some of its poses.

        Args:
            tables: The set's values by key.
            poses: Numbers of the poses, in the order wanted.
        """
        chosen = np.asarray(poses, dtype=np.int64)
        segments = np.concatenate([[0], self._pose_segment[chosen]])
        rows = _ranges(self._node, segments)
        shift = _ptr(self._node.size[segments])[:-1]
        shift -= self._node.start[segments]
        out: dict[str, Any] = {}
        for key, value in tables.items():
            level = self.levels.get(key)
            if level == 'node':
                out[key] = value[self._tensor(rows)]
            elif level == 'pose':
                out[key] = self._pose_values(value, chosen)
            elif level in RELATIONS:
                relation = self._relations[level]
                edges = self._tensor(_ranges(relation, segments))
                if key != f'{level}_index':
                    out[key] = value[edges]
                    continue
                moved = value[:, edges]
                by_edge = np.repeat(shift, relation.size[segments])
                is_ligand = moved >= int(self.receptor_size[0])
                out[key] = moved + is_ligand * self._tensor(by_edge)
            else:
                out[key] = value
        out['pose_size'] = self._tensor(self.pose_size[chosen])
        out['set_size'] = self._tensor(np.array([len(chosen)]))
        return out

    # Inside ##################################################################

    def _complex_segments(self, poses: np.ndarray) -> np.ndarray:
        """The segments [num_poses, receptor | ligand] of complexes."""
        receptors = self._receptor_segment[self.set_of_pose[poses]]
        return np.stack([receptors, self._pose_segment[poses]], axis=1)

    def _gather(
        self,
        tables: Mapping[str, Any],
        poses: np.ndarray,
        segments: np.ndarray,
    ) -> Batch:
        num_graphs = len(segments)
        flat = segments.reshape(-1)
        sizes = self._node.size[segments]  # [num_graphs, receptor | ligand]
        ptr = _ptr(sizes.sum(axis=1))
        rows = self._tensor(_ranges(self._node, flat))
        device_ptr = self._tensor(ptr)

        # New row minus old row, for the rows of the receptor and the ligand.
        shift = _ptr(sizes.reshape(-1))[:-1] - self._node.start[flat]
        shift = shift.reshape(segments.shape)
        ligand_start = self._node.start[segments[:, -1]]

        out = Batch(_base_cls=Data)
        slices: dict[str, Tensor] = {}
        incs: dict[str, Tensor] = {}
        no_inc = torch.zeros(num_graphs, dtype=torch.long)
        edge_of: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        for name, relation in self._relations.items():
            per_graph = relation.size[segments].sum(axis=1)
            graph = self._tensor(np.repeat(np.arange(num_graphs), per_graph))
            edge_of[name] = (
                self._tensor(_ranges(relation, flat)),
                graph,
                torch.from_numpy(_ptr(per_graph)),
            )
        node_slices = torch.from_numpy(ptr)
        for key, value in tables.items():
            level = self.levels.get(key)
            if level == 'node':
                out[key] = value.index_select(0, rows)
                slices[key], incs[key] = node_slices, no_inc
            elif level in RELATIONS:
                edges, graph, edge_slices = edge_of[level]
                slices[key], incs[key] = edge_slices, no_inc
                if key != f'{level}_index':
                    out[key] = value.index_select(0, edges)
                    continue
                old = value.index_select(1, edges)
                moved = self._tensor(shift)[graph]
                starts = self._tensor(ligand_start)[graph]
                out[key] = old + torch.where(
                    old >= starts, moved[:, -1], moved[:, 0]
                )
                incs[key] = node_slices[:-1]
            elif level == 'pose' and len(poses):
                out[key] = self._pose_values(value, poses)
                slices[key] = torch.arange(num_graphs + 1)
                incs[key] = no_inc
        if not any(key in out for key in _SIZED):
            out.num_nodes = int(ptr[-1])
            out._store._num_nodes = sizes.sum(axis=1).tolist()
        out.batch = torch.repeat_interleave(
            device_ptr.diff(), output_size=int(ptr[-1])
        )
        out.ptr = device_ptr
        out._num_graphs = num_graphs
        out._slice_dict, out._inc_dict = slices, incs
        return out

    def _pose_values(self, value: Any, poses: np.ndarray) -> Any:
        if isinstance(value, Tensor):
            return value[self._tensor(poses)]
        if self.num_sets > 1 or (value and isinstance(value[0], list)):
            value = [item for of_set in value for item in of_set]
        return [value[pose] for pose in poses]

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    @staticmethod
    def _rows(relation: Relation, segment: int) -> slice:
        start = int(relation.start[segment])
        return slice(start, start + int(relation.size[segment]))

    def _relation(self, name: str, index: Tensor) -> Relation:
        segments = len(self._node.size)
        of_node = np.repeat(np.arange(segments), self._node.size)
        ends = _numpy(index)
        if ends.size and (ends.min() < 0 or ends.max() >= self.num_nodes):
            raise ValueError(
                f"'{name}_index' holds rows {ends.min()} to {ends.max()}, but "
                f'the pose set has {self.num_nodes} atoms'
            )
        first, second = of_node[ends]
        owner = np.maximum(first, second)
        receptor = self._receptor_segment[
            np.searchsorted(self._receptor_segment, owner, side='right') - 1
        ]
        other = np.minimum(first, second)
        stray = (other != owner) & (other != receptor)
        if stray.any():
            edge = int(stray.nonzero()[0][0])
            raise ValueError(
                f"'{name}_index' joins rows {ends[0, edge]} and "
                f'{ends[1, edge]} (edge {edge}), which belong to two poses; '
                f'an edge lies within one pose and its receptor'
            )
        if (np.diff(owner) < 0).any():
            raise ValueError(
                f"The edges of '{name}_index' were reordered: expected, set "
                f"by set, the receptor's edges and then those of each pose. "
                f'Sort only within these runs, or apply RadiusGraph again'
            )
        size = np.bincount(owner, minlength=segments).astype(np.int64)
        return Relation(_ptr(size)[:-1], size)

    def _check_counts(self) -> None:
        for index, size in enumerate(self.set_size):
            if size == 0:
                raise ValueError(
                    f'{self.set_name(index)} has no poses; a set needs at '
                    f'least one. Leave it out of the batch'
                )
        if int(self.set_size.sum()) != self.num_poses:
            raise ValueError(
                f"'set_size' counts {int(self.set_size.sum())} poses, but "
                f"'pose_size' has {self.num_poses} entries"
            )

    def _check_rows(self, pose_set: Data) -> None:
        for key, level in self.levels.items():
            value = pose_set[key]
            if level == 'node':
                got, expected = len(value), self.num_nodes
            elif level == 'pose' and isinstance(value, Tensor):
                got, expected = len(value), self.num_poses
            elif level in RELATIONS and not key.endswith('_index'):
                index = f'{level}_index'
                if index not in pose_set:
                    raise ValueError(
                        f"'{key}' describes the rows of '{index}', which the "
                        f'pose set does not have'
                    )
                got, expected = len(value), pose_set[index].size(1)
            else:
                continue
            if got != expected:
                raise ValueError(
                    f"'{key}' (level '{level}') has {got} rows, but the pose "
                    f'set has {expected}. Change poses with '
                    f'PoseSet.select, and atoms before building the set'
                )


def _numpy(value: Tensor) -> np.ndarray:
    return value.detach().cpu().numpy()


def _ptr(size: np.ndarray) -> np.ndarray:
    ptr = np.zeros(len(size) + 1, dtype=np.int64)
    np.cumsum(size, out=ptr[1:])
    return ptr


def _ranges(relation: Relation, segments: np.ndarray) -> np.ndarray:
    """Concatenates the row numbers of some segments, without a loop."""
    size = relation.size[segments]
    ptr = _ptr(size)
    return np.arange(ptr[-1]) + np.repeat(
        relation.start[segments] - ptr[:-1], size
    )
