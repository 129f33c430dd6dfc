r"""A model of which the filters are functions of a distance."""

from abc import abstractmethod

import torch
from torch import Tensor

from pyg_multipose.nn.messages.interaction import EdgeTensors
from pyg_multipose.nn.messages.interpolation import Places
from pyg_multipose.nn.messages.kernel import is_plain_call
from pyg_multipose.nn.models.filter_tables import FilterTables
from pyg_multipose.nn.sharing.shared_receptor import SharedReceptor


class RadialFilters(SharedReceptor):
    r"""A model that finds the filters of many edges in tables.

    A filter, or a factor of it, is a smooth function of a distance, so those
    of many edges are found between those at some hundred distances
    (:eq:`eq-interpolation`), with an error below that of rounding, for a
    tenth of the time.
    """

    def filter_tables(
        self, pos: Tensor, edge_index: Tensor
    ) -> list[Tensor] | None:
        r"""Returns tables from which the filters of edges can be found.

        Args:
            pos: Positions in Angstrom :math:`(n, 3)`.
            edge_index: Sources and targets :math:`(2, R)` of the edges that
                are to pay for them.

        Returns:
            A table for each layer :math:`(K + 5, F)`, for
            :meth:`layer_geometries` of these or other edges; :obj:`None` for
            few edges, filters that are too steep, positions that need
            gradients, modules that were replaced or have hooks, in half
            precision, and on other devices than a CPU.
        """
        tables = self._filter_tables()
        if tables.worth(edge_index.size(1)) and self._has_tables(pos):
            return tables.make()
        return None

    def layer_geometries(
        self,
        pos: Tensor,
        edge_index: Tensor,
        tables: list[Tensor] | None = None,
    ) -> list[EdgeTensors]:
        r"""Returns what each layer is told about edges.

        Args:
            pos: Positions in Angstrom :math:`(n, 3)`.
            edge_index: Sources and targets :math:`(2, R)`.
            tables: Output of :meth:`filter_tables`. (default: :obj:`None`)

        Returns:
            The table of each layer and where edges are in it, or
            :meth:`edge_geometry` for all layers.
        """
        if tables is not None and self._has_tables(pos):
            geometry, dist = self._directions(pos, edge_index)
            at: Places = self._filter_tables().places(dist)
            return [(*geometry, table, *at) for table in tables]
        return super().layer_geometries(pos, edge_index)

    def _has_tables(self, pos: Tensor) -> bool:
        """Whether distances are just numbers, and filters as they were made.

        Neither may want to see calls of its own, or gradients with respect to
        positions, whose error would be larger.
        """
        return (
            pos.is_cpu
            and not pos.requires_grad
            and not torch.is_autocast_enabled('cpu')
            and self._is_as_made()
            and is_plain_call(pos, *self._weights())
        )

    @abstractmethod
    def _filter_tables(self) -> FilterTables:
        """The tables, not made yet."""

    @abstractmethod
    def _directions(
        self, pos: Tensor, edge_index: Tensor
    ) -> tuple[EdgeTensors, Tensor]:
        """What is told of edges beside their lengths, and these."""

    @abstractmethod
    def _is_as_made(self) -> bool:
        """Whether all that filters are made by is what it was."""

    @abstractmethod
    def _weights(self) -> list[Tensor]:
        """The parameters that filters depend on."""
