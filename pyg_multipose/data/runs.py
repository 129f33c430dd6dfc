"""Runs of consecutive rows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.data.transfer import to_device


@dataclass(frozen=True)
class Runs:
    r"""Where some runs of consecutive rows lie in a table.

    Args:
        start: First row of each run, shape :obj:`[num_runs]`.
        size: Number of rows of each run, shape :obj:`[num_runs]`.
    """

    start: np.ndarray
    size: np.ndarray

    def __getitem__(self, index: np.ndarray) -> Runs:
        return Runs(self.start[index], self.size[index])

    def rows_of(self, run: int) -> slice:
        r"""The rows of one run.

        Args:
            run: Its number.
        """
        start = int(self.start[run])
        return slice(start, start + int(self.size[run]))

    def rows(self) -> np.ndarray:
        r"""The numbers of all rows, run by run."""
        ptr = offsets(self.size)
        return np.arange(ptr[-1]) + np.repeat(self.start - ptr[:-1], self.size)

    def take(self, table: Tensor, dim: int = 0) -> Tensor:
        r"""The rows of all runs, as a table of its own.

        Args:
            table: Where to take them from.
            dim: The dimension that counts the rows. (default: :obj:`0`)
        """
        needs_grad = table.requires_grad and torch.is_grad_enabled()
        if needs_grad or table.device.type != 'cpu':
            # The gradient of a slice is as large as the table, and on a GPU
            # each slice is a launch.
            rows = to_device(self.rows(), table.device)
            return table.index_select(dim, rows)
        # On a CPU, copies of runs are several times faster than of rows.
        starts, sizes = self.merged
        return torch.cat(
            [
                table.narrow(dim, start, size)
                for start, size in zip(starts, sizes, strict=True)
            ],
            dim=dim,
        )

    @cached_property
    def merged(self) -> tuple[list[int], list[int]]:
        r"""Start and size of the runs, those that follow one another as one.

        There is one at least, though it may be empty.
        """
        starts: list[int] = []
        sizes: list[int] = []
        end = -1
        for start, size in zip(
            self.start.tolist(), self.size.tolist(), strict=True
        ):
            if start == end:
                sizes[-1] += size
            elif size:
                starts.append(start)
                sizes.append(size)
            else:
                continue
            end = start + size
        return (starts, sizes) if starts else ([0], [0])


def offsets(size: np.ndarray) -> np.ndarray:
    r"""Where runs of these sizes start, and where the last one ends.

    Args:
        size: Number of rows of each run.
    """
    ptr = np.zeros(len(size) + 1, dtype=np.int64)
    np.add.accumulate(size, out=ptr[1:])
    return ptr
