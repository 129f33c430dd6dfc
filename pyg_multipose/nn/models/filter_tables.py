r"""Functions of a distance at some distances, from which others are found."""

from collections.abc import Callable

import torch
from torch import Tensor

from pyg_multipose.nn.messages.interpolation import (
    Places,
    interpolate,
    knots,
    places,
)

#: What an error may be at most, relative to the largest value.
_BOUND = {torch.float32: 2e-6, torch.float64: 1e-12}
#: Of so many intervals one is looked at.
_LOOK = 4


class FilterTables:
    r"""Tables of smooth functions of a distance.

    The value at a distance is found between those that are close to it
    (:eq:`eq-interpolation`).

    Args:
        functions: Returns the functions of all layers at distances in
            Angstrom :math:`(K)`, each :math:`(K, F)`. They are smooth also a
            little below zero, and beyond the cutoff.
        number: The number of intervals :math:`K` up to the cutoff.
        cutoff: The cutoff in Angstrom, from which on filters are zero.
        dtype: The type of the values.
    """

    def __init__(
        self,
        functions: Callable[[Tensor], list[Tensor]],
        number: int,
        cutoff: float,
        dtype: torch.dtype,
    ):
        self.functions = functions
        self.number = number
        self.cutoff = cutoff
        self.dtype = dtype

    def worth(self, num_edges: int) -> bool:
        r"""Whether filters of some edges cost more than tables do.

        Args:
            num_edges: The number of edges.
        """
        return self.dtype in _BOUND and num_edges > 2 * self.number

    def make(self) -> list[Tensor] | None:
        r"""Returns the tables, differentiable; :obj:`None`: not exact enough.

        What is found from them is compared with values between the knots.
        """
        tables = self._at(knots(self.number))
        between = torch.arange(0, self.number, _LOOK).double() + 0.5
        place = places(between, self.number, self.dtype)
        with torch.no_grad():
            for table, exact in zip(tables, self._at(between), strict=True):
                error = (interpolate(table, *place) - exact).abs().max()
                bound = _BOUND[self.dtype] * exact.abs().max()
                if not bool(error <= bound):  # nor where it is not a number
                    return None
        return tables

    def places(self, dist: Tensor) -> Places:
        r"""Finds distances in the tables.

        Args:
            dist: Distances in Angstrom :math:`(R)`.
        """
        # Wide enough that no rounding is added to that of distances.
        x = dist.double() * (self.number / self.cutoff)
        return places(x, self.number, self.dtype)

    def _at(self, x: Tensor) -> list[Tensor]:
        return self.functions(x.double() * (self.cutoff / self.number))
