"""Neighbours by k-d trees: the fastest way on a CPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from pyg_multipose.transforms.search import NeighborSearch

#: Small graphs share a tree of about this many atoms.
_ATOMS_PER_TREE = 256


class TreeSearch(NeighborSearch):
    r"""Search by k-d trees, one per graph; the fastest way on a CPU.

    Args:
        pos: Coordinates in Angstrom, shape :obj:`[num_atoms, 3]`.
        r: The distance in Angstrom.
        batch: The graph of each atom. (default: :obj:`None`)
    """

    def _prepare(self, x: Tensor, batch: Tensor | None) -> None:
        self._x = _Atoms(x, batch)
        self._num = len(x)
        self._trees: dict[int, cKDTree] = {}

    def graph(self, loop: bool = False) -> Tensor:
        r"""All pairs among the atoms themselves, see :func:`radius_graph`."""
        source, target = [], []
        for first, last in self._x.groups():
            tree = self._tree(first, last)
            pairs = tree.query_pairs(self._reach, output_type='ndarray')
            i, j = np.ascontiguousarray(pairs.T)
            axes = self._x.axes[:, first:last]
            near = _squared(axes, i, axes, j) <= self._limit
            i, j = i[near], j[near]
            self_loops = [np.arange(last - first)] if loop else []
            t, s = _sorted_pairs(
                np.concatenate([i, j, *self_loops]),
                np.concatenate([j, i, *self_loops]),
                last - first,
                last - first,
            )
            source.append(s + first)
            target.append(t + first)
        t, s = self._x.rows(target), self._x.rows(source)
        if self._x.order is not None:
            t, s = _sorted_pairs(t, s, self._num, self._num)
        return torch.from_numpy(np.stack([s, t])).to(self.device)

    def _query(self, y: Tensor, batch: Tensor | None) -> Tensor:
        found, of = [], []
        atoms = _Atoms(y, batch)
        for first, last in self._x.groups():
            ids = self._x.ids[first], self._x.ids[last - 1]
            start = np.searchsorted(atoms.ids, ids[0], side='left')
            end = np.searchsorted(atoms.ids, ids[1], side='right')
            if start == end:
                continue
            # The offsets that keep graphs apart have to be the same.
            other = self._grown(atoms, int(start), int(end), ids)
            pairs = other.sparse_distance_matrix(
                self._tree(first, last), self._reach, output_type='ndarray'
            )
            i, j = pairs['i'], pairs['j']
            axes = self._x.axes[:, first:last]
            near = (
                _squared(atoms.axes[:, start:end], i, axes, j) <= self._limit
            )
            i, j = _sorted_pairs(
                i[near], j[near], int(end - start), last - first
            )
            found.append(j + first)
            of.append(i + start)
        i, j = atoms.rows(of), self._x.rows(found)
        if self._x.order is not None or atoms.order is not None:
            i, j = _sorted_pairs(i, j, len(y), self._num)
        return torch.from_numpy(np.stack([i, j])).to(self.device)

    def _tree(self, first: int, last: int) -> cKDTree:
        if first not in self._trees:
            ids = self._x.ids[first], self._x.ids[last - 1]
            self._trees[first] = self._grown(self._x, first, last, ids)
        return self._trees[first]

    def _grown(
        self, atoms: _Atoms, first: int, last: int, ids: Sequence[int]
    ) -> cKDTree:
        points = atoms.axes[:, first:last].T
        if ids[0] != ids[1]:
            # Graphs that share a tree are kept apart by a fourth coordinate,
            # which adds exactly zero within each of them.
            apart = (atoms.ids[first:last] - ids[0]) * (3 * self._reach)
            points = np.concatenate([points, apart[:, None]], axis=1)
        return cKDTree(points, compact_nodes=False, balanced_tree=False)


class _Atoms:
    """Atoms on the CPU, those of a graph next to each other.

    Args:
        x: Coordinates in float64, shape :obj:`[num_atoms, 3]`.
        batch: The graph of each atom.
    """

    def __init__(self, x: Tensor, batch: Tensor | None) -> None:
        points = x.cpu().numpy()
        self.order: np.ndarray | None = None
        if batch is None:
            self.ids = np.zeros(len(points), dtype=np.int64)
        else:
            self.ids = batch.cpu().numpy()
            if (self.ids[1:] < self.ids[:-1]).any():
                self.order = np.argsort(self.ids, kind='stable')
                self.ids = self.ids[self.order]
                points = points[self.order]
        self.axes = np.ascontiguousarray(points.T)

    def groups(self) -> list[tuple[int, int]]:
        """First and last atom of each tree: a graph, or several small."""
        if len(self.ids) == 0:
            return []
        new = np.flatnonzero(self.ids[1:] != self.ids[:-1]) + 1
        starts = np.concatenate([[0], new])
        tree = starts // _ATOMS_PER_TREE
        starts = starts[np.concatenate([[True], tree[1:] != tree[:-1]])]
        ends = [*starts[1:].tolist(), len(self.ids)]
        return list(zip(starts.tolist(), ends, strict=True))

    def rows(self, parts: list[np.ndarray]) -> np.ndarray:
        """Joins atom numbers, as rows of the table that was given."""
        empty = np.empty(0, dtype=np.int64)
        out = np.concatenate([empty, *parts]).astype(np.int64, copy=False)
        return out if self.order is None else self.order[out]


def _squared(
    a: np.ndarray, i: np.ndarray, b: np.ndarray, j: np.ndarray
) -> np.ndarray:
    # Axis by axis, in this order: the rounding is part of the definition.
    x, y, z = (p[i] - q[j] for p, q in zip(a, b, strict=True))
    return x * x + y * y + z * z


def _sorted_pairs(
    i: np.ndarray, j: np.ndarray, num_i: int, num_j: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sorts pairs by their first number, then their second."""
    if max(num_i, num_j) <= 2**16:
        # Two passes of the radix sort that 16 bits get are the fastest.
        order = np.argsort(j.astype(np.uint16), kind='stable')
        i = i[order]
        by_i = np.argsort(i.astype(np.uint16), kind='stable')
        return i[by_i], j[order[by_i]]
    keys = np.sort(i * num_j + j)
    i = keys // num_j
    return i, keys - i * num_j
