"""Neighbours by a list of cells: batched, on any device."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from pyg_multipose.transforms.search import NeighborSearch

#: Candidate pairs held at once, about 100 bytes each.
_CANDIDATES = 1 << 20


class CellSearch(NeighborSearch):
    r"""Search by a list of cells, one for all graphs, on any device.

    Args:
        pos: Coordinates in Angstrom, shape :obj:`[num_atoms, 3]`.
        r: The distance in Angstrom.
        batch: The graph of each atom. (default: :obj:`None`)
    """

    def _prepare(self, x: Tensor, batch: Tensor | None) -> None:
        self._x = x
        if len(x) == 0:
            return
        low, high = x.amin(dim=0), x.amax(dim=0)
        ends = torch.stack([low, high]).tolist()
        self._num_graphs = 1 if batch is None else int(batch.max()) + 1
        # Atoms within reach lie in the same cell or in adjoining ones, even
        # if rounding moves one across a border. Cells are larger where their
        # number would not fit 64 bits.
        extent = max(b - a for a, b in zip(*ends, strict=True))
        per_axis = max((2**62 // self._num_graphs) ** (1 / 3) - 8, 1.0)
        self._cell = max(1.001 * self._reach, extent / per_axis)
        self._low = low
        self._size = [
            math.floor((b - a) / self._cell) + 1
            for a, b in zip(*ends, strict=True)
        ]
        keys = self._keys(x, batch)
        self._sorted, self._order = torch.sort(keys)
        # Along z the three cells follow each other and are one range.
        _, ny, nz = (size + 6 for size in self._size)
        step = torch.tensor([-1, 0, 1], device=x.device)
        self._columns = (step[:, None] * ny + step).view(-1) * nz

    def graph(self, loop: bool = False) -> Tensor:
        r"""All pairs among the atoms themselves, see :func:`radius_graph`."""
        if len(self._x) == 0:
            return self._pairs([])
        keys = torch.empty_like(self._sorted)
        keys[self._order] = self._sorted
        target, source = self._pairs(self._near(self._x, keys))
        if not loop:
            other = source != target
            source, target = source[other], target[other]
        return torch.stack([source, target])

    def _query(self, y: Tensor, batch: Tensor | None) -> Tensor:
        if len(self._x) == 0 or len(y) == 0:
            return self._pairs([])
        if batch is not None:
            known = (batch < self._num_graphs).nonzero().view(-1)
            i, j = self._pairs(
                self._near(y[known], self._keys(y[known], batch[known]))
            )
            return torch.stack([known[i], j])
        return self._pairs(self._near(y, self._keys(y, batch)))

    def _keys(self, x: Tensor, batch: Tensor | None) -> Tensor:
        cells = torch.floor((x - self._low) / self._cell)
        # Atoms of another table may lie anywhere. Two empty cells on either
        # side, and one more to look into, keep them from wrapping around.
        key: Tensor | int = 0 if batch is None else batch
        for axis, size in enumerate(self._size):
            cell = cells[:, axis].clamp(-2, size + 1).long() + 3
            key = key * (size + 6) + cell
        assert isinstance(key, Tensor)
        return key

    def _near(self, y: Tensor, keys: Tensor) -> Iterator[Tensor]:
        """Yields pairs (row of y, row of x), a bounded number at a time."""
        columns = keys[:, None] + self._columns
        start = torch.searchsorted(self._sorted, columns - 1)
        count = torch.searchsorted(self._sorted, columns + 1, right=True)
        count -= start
        total = count.sum(dim=1).cumsum(dim=0)
        last = int(total[-1]) if len(y) else 0
        borders = torch.tensor(
            range(_CANDIDATES, last, _CANDIDATES),
            dtype=torch.long,
            device=self.device,
        )
        rows = (torch.searchsorted(total, borders) + 1).tolist()
        for first, end in zip([0, *rows], [*rows, len(y)], strict=True):
            if first == end:
                continue
            size = count[first:end].reshape(-1)
            column = torch.repeat_interleave(size)
            shift = start[first:end].reshape(-1) - (size.cumsum(0) - size)
            rank = torch.arange(len(column), device=self.device)
            j = self._order[shift[column] + rank]
            i = column // len(self._columns) + first
            step = y.index_select(0, i).sub_(self._x.index_select(0, j))
            dx, dy, dz = step.square_().unbind(dim=1)
            near = (dx + dy + dz <= self._limit).nonzero().view(-1)
            yield torch.stack([i[near], j[near]])

    def _pairs(self, chunks: Iterable[Tensor]) -> Tensor:
        """Sorts pairs by their first row, then their second."""
        empty = torch.empty(2, 0, dtype=torch.long, device=self.device)
        i, j = torch.cat([empty, *chunks], dim=1)
        keys = torch.sort(i * max(len(self._x), 1) + j).values
        i = keys // max(len(self._x), 1)
        return torch.stack([i, keys - i * max(len(self._x), 1)])
