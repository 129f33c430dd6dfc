r"""Atoms of a receptor that are elsewhere in a pose, or not there at all.

They are rows of the pose, behind those of its ligand. Each pair of
:obj:`moved_index` says which atom of the receptor is not where the receptor
has it, and which row of the pose stands for it: the first one, which is always
the ligand's, if it is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np

from pyg_multipose.data.runs import Runs, offsets


class MovedRows:
    r"""Which rows the complexes of poses are made of, if atoms have moved.

    Args:
        index: The values of :obj:`moved_index`, shape :obj:`[2, num_moved]`.
        pairs: The pairs of each segment.
        nodes: The rows of each segment in the node table.
        pose_segment: The segment of each pose.
        receptor_segment: That of the receptor of each pose.
    """

    def __init__(
        self,
        index: np.ndarray,
        pairs: Runs,
        nodes: Runs,
        pose_segment: np.ndarray,
        receptor_segment: np.ndarray,
    ) -> None:
        self._index, self._pairs, self._nodes = index, pairs, nodes
        self._pose, self._receptor = pose_segment, receptor_segment
        #: How many atoms of its receptor are not there, in each pose.
        self.count: np.ndarray = pairs.size[pose_segment]
        #: How many pairs are of its receptor alone, which is wrong.
        self.within: np.ndarray = pairs.size[receptor_segment]
        #: How many of these are elsewhere.
        self._is_moved = index[1] != np.repeat(nodes.start, pairs.size)
        before = offsets(self._is_moved)
        start = pairs.start[pose_segment]
        self.moved: np.ndarray = before[start + self.count] - before[start]

    def pairs(self, pose: int, within: bool = False) -> np.ndarray:
        r"""Rows of the receptor's atoms, and those that stand for them.

        Args:
            pose: Number of the pose.
            within: Whether pairs within its receptor are asked for, which
                are none of a pose. (default: :obj:`False`)
        """
        segment = (self._receptor if within else self._pose)[pose]
        return self._index[:, self._pairs.rows_of(segment)]

    def stands(self) -> np.ndarray:
        r"""The rows of receptor atoms that are elsewhere in a pose."""
        return self._index[1, self._is_moved]

    def keys(self) -> np.ndarray:
        r"""What is not where it was: segment times rows, plus the row."""
        segment = np.repeat(np.arange(len(self._pairs.size)), self._pairs.size)
        return segment * len(self._mark) + self._index[0]

    def parts(self, pose: int) -> tuple[slice, slice]:
        r"""The rows of the receptor, and those of the pose.

        Args:
            pose: Number of the pose.
        """
        receptor = self._nodes.rows_of(self._receptor[pose])
        return receptor, self._nodes.rows_of(self._pose[pose])

    def segment(self, pose: int) -> int:
        r"""The segment of a pose.

        Args:
            pose: Its number.
        """
        return int(self._pose[pose])

    def node_rows(self, pose: int) -> np.ndarray:
        r"""The rows of a complex: its receptor, atom by atom, and its ligand.

        Args:
            pose: Number of the pose.
        """
        gone, stands = self.pairs(pose)
        receptor, own = self.parts(pose)
        rows = np.arange(receptor.start, receptor.stop)
        rows[gone - receptor.start] = stands
        absent = stands == own.start
        rows = np.delete(rows, gone[absent] - receptor.start)
        ligand = np.ones(own.stop - own.start, dtype=bool)
        ligand[stands[~absent] - own.start] = False
        return np.concatenate([rows, own.start + ligand.nonzero()[0]])

    def edge_rows(
        self, pose: int, index: np.ndarray, edges: Runs
    ) -> np.ndarray:
        r"""The rows of the edges (or bonds) of a complex.

        Args:
            pose: Number of the pose.
            index: The table of edges, shape :obj:`[2, num_edges]`.
            edges: The edges of each segment.
        """
        receptor = edges.rows_of(self._receptor[pose])
        own = edges.rows_of(self._pose[pose])
        is_gone, gone = self._mark, self.pairs(pose)[0]
        is_gone[gone] = True
        kept = ~is_gone[index[:, receptor]].any(axis=0)
        is_gone[gone] = False
        return np.concatenate(
            [
                receptor.start + kept.nonzero()[0],
                np.arange(own.start, own.stop),
            ]
        )

    def placed(self, rows: np.ndarray, ends: np.ndarray) -> np.ndarray:
        r"""Where atoms are among the rows of a complex.

        Args:
            rows: What :meth:`node_rows` gave.
            ends: Rows of atoms, any shape.
        """
        self._place[rows] = np.arange(len(rows))
        return self._place[ends]

    @cached_property
    def _mark(self) -> np.ndarray:
        """Of every row of the node table, false between two calls."""
        return np.zeros(int(self._nodes.size.sum()), dtype=bool)

    @cached_property
    def _place(self) -> np.ndarray:
        return np.zeros(int(self._nodes.size.sum()), dtype=np.int64)


def check_moved(
    moved: MovedRows,
    ends: Mapping[str, np.ndarray],
    tables: Mapping[str, Runs],
    pose_name: Callable[[int], str],
) -> None:
    r"""Refuses pairs that contradict each other, and edges to no atom.

    Args:
        moved: The atoms that have moved.
        ends: The tables of edges and of bonds, by relation.
        tables: The rows of each segment in these.
        pose_name: How messages call a pose.
    """
    for pose in np.flatnonzero(moved.count + moved.within).tolist():
        where = pose_name(pose)
        gone, stands = moved.pairs(pose, bool(moved.within[pose]))
        receptor, own = moved.parts(pose)
        outside = (gone < receptor.start) | (gone >= receptor.stop)
        outside |= (stands < own.start) | (stands >= own.stop)
        if outside.any():
            pair = int(outside.argmax())
            raise ValueError(
                f"{where}: 'moved_index' pairs the rows {gone[pair]} and "
                f'{stands[pair]} of atoms, expected a row of the receptor '
                f'({receptor.start} to {receptor.stop - 1}) and one of the '
                f'pose ({own.start} to {own.stop - 1}). Build sets by '
                f'PoseSet.from_complex(moved=...)'
            )
        for what, rows in (
            ('the receptor has moved', gone - receptor.start),
            (
                'the pose stands for one',
                stands[stands != own.start] - own.start,
            ),
        ):
            values, count = np.unique(rows, return_counts=True)
            if (count > 1).any():
                raise ValueError(
                    f"{where}: by 'moved_index', atom "
                    f'{values[count > 1][0]} of {what} {count.max()} times; '
                    f'an atom of the receptor has one position in a pose'
                )
        for relation, index in ends.items():
            mine = tables[relation].rows_of(moved.segment(pose))
            touched = np.isin(index[:, mine], gone)
            if touched.any():
                edge = touched.any(axis=0).argmax()
                raise ValueError(
                    f"{where}: edge {edge} of the pose's "
                    f"'{relation}_index' leads to an atom of the receptor "
                    f'that is not there in this pose. Join the atom that '
                    f'stands for it, or apply RadiusGraph again'
                )
