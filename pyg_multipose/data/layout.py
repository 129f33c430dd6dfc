"""Where the rows of every receptor and pose lie in a pose set's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from pyg_multipose.data.checks import check_counts
from pyg_multipose.data.graphs import as_batch, pose_values, renumbered
from pyg_multipose.data.levels import (
    GRAPH_RELATIONS,
    RELATIONS,
    Levels,
    num_rows,
)
from pyg_multipose.data.moved_rows import MovedRows, check_moved
from pyg_multipose.data.runs import Runs, offsets
from pyg_multipose.data.transfer import on_device, on_host, to_device

#: Numbers of poses.
Poses = Sequence[int] | np.ndarray


class Layout:
    r"""The integer bookkeeping of a :class:`PoseSet` or a batch of them.

    The node table holds, set by set, the receptor's rows and then the rows of
    each pose.
    Every such run of rows is a *segment*; edges and bonds lie in the same
    order, and belong to the segment of their ligand end. So do the pairs of
    :obj:`moved_index`, if atoms of the receptor are elsewhere in some poses.
    A layout holds integers only, never positions, and is made anew for every
    call, so it cannot go stale.

    Args:
        pose_set: A :class:`PoseSet` or a batch of them.
        device: Where graphs are wanted that are made of it; a batch on the
            CPU goes there graph by graph.
            (default: :obj:`None`, where the batch is)

    Raises:
        ValueError: If the counts do not fit the tables, if edges were
            reordered or run between poses, or if the sets of a batch do not
            have the same keys.

    Example:
        >>> import numpy as np
        >>> from pyg_multipose.data import Layout
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> pose_set = RadiusGraph(4.5)(MproMoonshot('test')[0])
        >>> layout, tables = Layout(pose_set), pose_set.to_dict()
        >>> layout.num_poses, layout.set_name(0)
        (8, "set 'ALP-POS-6479a3a9-1'")
        >>> layout.is_receptor(np.array([486, 487]))
        array([ True, False])
        >>> layout.pose_name(7)
        "set 'ALP-POS-6479a3a9-1', pose 7"
        >>> layout.receptor_rows(0), layout.receptor_rows(0, 'edge')
        (slice(0, 487, None), slice(0, 7246, None))
        >>> layout.pose_rows(7), layout.pose_rows(7, 'edge')
        (slice(711, 743, None), slice(11548, 12112, None))
        >>> layout.compose_receptor(tables, 0).num_nodes
        487
    """

    def __init__(
        self, pose_set: Data, device: torch.device | None = None
    ) -> None:
        values = dict(pose_set.stores[0].items())
        names = values.get('name', [])
        self._names: Sequence[str] = (
            [names] if isinstance(names, str) else names
        )
        self.levels: Levels = Levels.of(pose_set, self.set_name)
        self._home: torch.device = values['pose_size'].device
        self.device: torch.device = device or self._home
        self._moves = self.device != self._home
        self.receptor_size = _counts(values['receptor_size'])
        self.pose_size = _counts(values['pose_size'])
        self.set_size = _counts(values['set_size'])
        self.num_sets = len(self.set_size)
        self.num_poses = len(self.pose_size)
        self.set_ptr = offsets(self.set_size)  # first pose of each set
        counted = self.num_poses, len(self.receptor_size)
        check_counts(*counted, self.set_size, self.set_name)

        self.set_of_pose = np.repeat(np.arange(self.num_sets), self.set_size)
        # Segments in table order: a set's receptor, then its poses.
        self._receptor_segment = self.set_ptr[:-1] + np.arange(self.num_sets)
        self._pose_segment = np.arange(self.num_poses) + self.set_of_pose + 1
        size = np.empty(self.num_sets + self.num_poses, dtype=np.int64)
        size[self._receptor_segment] = self.receptor_size
        size[self._pose_segment] = self.pose_size
        ptr = offsets(size)
        self.num_nodes = int(ptr[-1])
        self._segments = {'node': Runs(ptr[:-1], size)}
        self._check_rows(values)
        for name in RELATIONS:
            key = f'{name}_index'
            if key in values:
                self._segments[name] = self._edges(key, values[key])
        #: Atoms that are not where the receptor has them, if there are any.
        self.moved: MovedRows | None = self._moved_rows(values)

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
        out = self.receptor_size[self.set_of_pose] + self.pose_size
        return out if self.moved is None else out - self.moved.count

    @property
    def ligand_size(self) -> np.ndarray:
        r"""Atoms of each pose that are none of a receptor's."""
        if self.moved is None:
            return self.pose_size
        return self.pose_size - self.moved.moved

    @property
    def pose_to_set(self) -> Tensor:
        r"""The set of every pose, shape :obj:`[num_poses]`."""
        return to_device(self.set_of_pose, self.device)

    def receptor_rows(self, index: int, name: str = 'node') -> slice:
        r"""The receptor rows of a set among atoms, or in a relation."""
        return self._segments[name].rows_of(self._receptor_segment[index])

    def pose_rows(self, pose: int, name: str = 'node') -> slice:
        r"""A pose's own rows among atoms, or in the table of a relation."""
        return self._segments[name].rows_of(self._pose_segment[pose])

    def is_receptor(self, rows: np.ndarray) -> np.ndarray:
        r"""Whether rows of the node table are those of receptors."""
        runs = self._segments['node']
        segment = np.searchsorted(runs.start, rows, side='right') - 1
        return np.isin(segment, self._receptor_segment)

    def rows(
        self, key: str, poses: Poses, receptor: int | None = None
    ) -> Tensor:
        r"""The rows of a table that some composed poses are made of.

        They are where the table is.

        Args:
            key: A key on level node, edge, bond or pose.
            poses: Numbers of the poses.
            receptor: The set whose receptor all share, as in :meth:`select`.
                (default: :obj:`None`, whole complexes as in :meth:`compose`)

        Example:
            >>> import torch
            >>> from torch_geometric.data import Data
            >>> from pyg_multipose.data import Layout, PoseSet
            >>> poses = [Data(pos=torch.eye(2, 3)), Data(pos=torch.ones(2, 3))]
            >>> Layout(PoseSet.from_poses(poses)).rows('pos', [1])
            tensor([2, 3])
        """
        chosen = np.asarray(poses, dtype=np.int64)
        if self.levels[key] == 'pose':
            return self._tensor(chosen)
        if receptor is None and self.moved is not None:
            rows = self._rows_of_complexes(self.moved, chosen)
            return self._tensor(np.concatenate(rows[self.levels[key]]))
        if receptor is None:
            segments = self._complex_segments(chosen).reshape(-1)
        else:
            segments = self._shared_segments(chosen, receptor)
        return self._tensor(self._segments[self.levels[key]][segments].rows())

    # What is made of them ####################################################

    def compose(self, tables: Mapping[str, Any], poses: Poses) -> Batch:
        r"""Builds whole graphs of some poses, receptor atoms first.

        Args:
            tables: The set's (or the batch's) values by key.
            poses: Numbers of the poses, in the order wanted.

        Returns:
            A :class:`~torch_geometric.data.Batch` whose graphs are the poses.

        Example:
            >>> from pyg_multipose.data import Layout
            >>> from pyg_multipose.datasets import MproMoonshot
            >>> pose_set = MproMoonshot('test')[0]
            >>> batch = Layout(pose_set).compose(pose_set.to_dict(), [0, 7])
            >>> batch.num_graphs, batch.ptr
            (2, tensor([   0,  519, 1038]))
        """
        chosen = np.asarray(poses, dtype=np.int64)
        if self.moved is not None:
            return self._moved_graphs(self.moved, tables, chosen)
        return self._graphs(tables, chosen, self._complex_segments(chosen))

    def compose_receptor(self, tables: Mapping[str, Any], index: int) -> Batch:
        r"""Builds the graph of a set's receptor alone."""
        segments = self._receptor_segment[index : index + 1, None]
        return self._graphs(tables, np.empty(0, dtype=np.int64), segments)

    def select(
        self, tables: Mapping[str, Any], poses: Poses, receptor: int = 0
    ) -> dict[str, Any]:
        r"""Rewrites the tables as those of one set of some of the poses.

        Args:
            tables: The values by key.
            poses: Numbers of the poses, in the order wanted; of one set, or
                of sets with equal receptors.
            receptor: The set whose receptor is taken. (default: :obj:`0`)

        Example:
            >>> from pyg_multipose.data import Layout
            >>> from pyg_multipose.datasets import MproMoonshot
            >>> pose_set = MproMoonshot('test')[0]
            >>> tables = Layout(pose_set).select(pose_set.to_dict(), [7, 0])
            >>> tables['pose_size'], tables['vina_score']
            (tensor([32, 32]), tensor([-5.3680, -7.3350]))
        """
        chosen = np.asarray(poses, dtype=np.int64)
        segments = self._shared_segments(chosen, receptor)
        taken = {name: runs[segments] for name, runs in self._segments.items()}
        node = taken['node']
        # Every edge leads to its own ligand or to its own set's receptor.
        own = self._receptor_segment[self.set_of_pose[chosen]]
        own = np.append(self._receptor_segment[receptor], own)
        ligand_shift = offsets(node.size)[:-1] - node.start
        receptor_shift = -self._segments['node'].start[own]
        out: dict[str, Any] = {}
        for key, value in tables.items():
            level = self.levels.get(key)
            if level == 'pose':
                out[key] = pose_values(value, chosen)
            elif level not in taken:
                out[key] = value
            elif key == f'{level}_index':
                old, size = taken[level].take(value, dim=1), taken[level].size
                first, to_ligand, to_receptor = (
                    self._tensor(np.repeat(of_segment, size))
                    for of_segment in (
                        node.start,
                        ligand_shift,
                        receptor_shift,
                    )
                )
                is_ligand = old >= first
                out[key] = old + torch.where(is_ligand, to_ligand, to_receptor)
            else:
                out[key] = taken[level].take(value)
        out['receptor_size'] = self._tensor(
            self.receptor_size[receptor : receptor + 1]
        )
        out['pose_size'] = self._tensor(self.pose_size[chosen])
        out['set_size'] = self._tensor(np.array([len(chosen)]))
        if 'num_nodes' in out:
            out['num_nodes'] = int(node.size.sum())
        return on_device(out, self.device) if self._moves else out

    # Inside ##################################################################

    def _complex_segments(self, poses: np.ndarray) -> np.ndarray:
        """The segments [num_poses, receptor | ligand] of complexes."""
        receptors = self._receptor_segment[self.set_of_pose[poses]]
        return np.stack([receptors, self._pose_segment[poses]], axis=1)

    def _shared_segments(self, poses: np.ndarray, receptor: int) -> np.ndarray:
        """The segments of one receptor, then of some ligands."""
        first = self._receptor_segment[receptor : receptor + 1]
        return np.concatenate([first, self._pose_segment[poses]])

    def _graphs(
        self,
        tables: Mapping[str, Any],
        poses: np.ndarray,
        segments: np.ndarray,
    ) -> Batch:
        flat = segments.reshape(-1)
        taken = {name: runs[flat] for name, runs in self._segments.items()}
        ptr = {
            name: offsets(np.add.reduce(runs.size.reshape(segments.shape), 1))
            for name, runs in taken.items()
        }

        def take(level: str, value: Tensor, is_index: bool) -> Tensor:
            if not is_index:
                return taken[level].take(value)
            return renumbered(
                value, taken[level], taken['node'], segments.shape
            )

        return as_batch(
            tables, self.levels, poses, ptr, take, self._home, self.device
        )

    def _moved_graphs(
        self, moved: MovedRows, tables: Mapping[str, Any], poses: np.ndarray
    ) -> Batch:
        """As above, of complexes with atoms that have moved."""
        rows = self._rows_of_complexes(moved, poses)
        ptr = {k: offsets(np.array([*map(len, v)])) for k, v in rows.items()}

        def take(level: str, value: Tensor, is_index: bool) -> Tensor:
            if not is_index:
                every = self._tensor(np.concatenate(rows[level]))
                return value.index_select(0, every)
            ends = [
                first + moved.placed(atoms, self._ends[level][:, edges])
                for first, atoms, edges in zip(
                    ptr['node'], rows['node'], rows[level], strict=False
                )
            ]
            return self._tensor(np.concatenate(ends, axis=1))

        return as_batch(
            tables, self.levels, poses, ptr, take, self._home, self.device
        )

    def _rows_of_complexes(
        self, moved: MovedRows, poses: np.ndarray
    ) -> dict[str, list[np.ndarray]]:
        """The rows of each pose in every table."""
        out = {'node': [moved.node_rows(pose) for pose in poses]}
        for name, ends in self._ends.items():
            runs = self._segments[name]
            out[name] = [moved.edge_rows(pose, ends, runs) for pose in poses]
        return out

    def _tensor(self, array: np.ndarray) -> Tensor:
        return to_device(array, self._home)

    # Checks ##################################################################

    def _edges(self, key: str, index: Tensor) -> Runs:
        """The rows of every segment in a table of edges."""
        if index.dim() != 2 or index.size(0) != 2 or index.dtype != torch.long:
            raise ValueError(
                f"'{key}' has shape {list(index.shape)} and dtype "
                f'{index.dtype}, expected [2, num_rows] and torch.int64'
            )
        ends = on_host(index)
        # As unsigned numbers, negative ones are the largest.
        if ends.size and ends.view(np.uint64).max() >= self.num_nodes:
            raise ValueError(
                f"'{key}' holds rows {ends.min()} to {ends.max()}, but the "
                f'pose set has {self.num_nodes} atoms'
            )
        nodes = self._segments['node'].size
        number = np.arange(len(nodes), dtype=np.int32)
        first, second = np.repeat(number, nodes)[ends]
        owner, other = np.maximum(first, second), np.minimum(first, second)
        stray = other != owner
        if stray.any():  # from another segment: the receptor of its set?
            receptor, own = np.empty_like(number), self._receptor_segment
            receptor[own] = own
            receptor[self._pose_segment] = own[self.set_of_pose]
            stray &= other != receptor[owner]
        if stray.any():
            edge = int(stray.argmax())
            names = [self._segment_name(s[edge]) for s in (first, second)]
            raise ValueError(
                f"'{key}' joins atom {ends[0, edge]} ({names[0]}) and atom "
                f'{ends[1, edge]} ({names[1]}) in edge {edge}; an edge lies '
                f'within one pose and its receptor'
            )
        if (owner[1:] < owner[:-1]).any():
            edge = int((owner[1:] < owner[:-1]).argmax()) + 1
            raise ValueError(
                f"The edges of '{key}' were reordered: edge {edge} belongs to "
                f'{self._segment_name(owner[edge])}, the one before it to '
                f'{self._segment_name(owner[edge - 1])}. Expected, set by '
                f"set, the receptor's edges and then those of each pose: "
                f'sort only within these, or apply RadiusGraph again'
            )
        ptr = np.searchsorted(owner, np.arange(len(nodes) + 1))
        return Runs(ptr[:-1], np.diff(ptr))

    def _moved_rows(self, values: Mapping[str, Any]) -> MovedRows | None:
        """The atoms that have moved, checked."""
        pairs = self._segments.get('moved')
        if pairs is None or not pairs.size.any():
            return None
        index = on_host(values['moved_index'])
        self._ends: dict[str, np.ndarray] = {
            name: on_host(values[f'{name}_index'])
            for name in GRAPH_RELATIONS
            if name in self._segments
        }
        nodes, poses = self._segments['node'], self._pose_segment
        receptors = self._receptor_segment[self.set_of_pose]
        out = MovedRows(index, pairs, nodes, poses, receptors)
        check_moved(out, self._ends, self._segments, self.pose_name)
        return out

    def _segment_name(self, segment: int) -> str:
        index = int(self._receptor_segment.searchsorted(segment, 'right')) - 1
        if segment == self._receptor_segment[index]:
            return f'{self.set_name(index)}, receptor'
        return self.pose_name(int(segment) - index - 1)

    def _check_rows(self, values: Mapping[str, Any]) -> None:
        expected = {
            'node': self.num_nodes,
            'pose': self.num_poses,
            'set': self.num_sets,
        }
        for name in RELATIONS:
            if f'{name}_index' in values:
                expected[name] = values[f'{name}_index'].size(-1)
        for key, level in self.levels.items():
            if level not in expected:
                raise ValueError(
                    f"'{key}' describes the rows of '{level}_index', which "
                    f'the pose set does not have'
                )
            got = num_rows(values[key], key, level)
            if got is not None and got != expected[level]:
                raise ValueError(
                    f"'{key}' (level '{level}') has {got} rows, expected "
                    f'{expected[level]}, one per {level}. Choose poses by '
                    f'PoseSet.select, and change atoms before building a set'
                )


def _counts(value: Tensor) -> np.ndarray:
    """A copy: the set may change while the layout is in use."""
    return on_host(value).copy()
