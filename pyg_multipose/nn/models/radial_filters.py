r"""A model of which the filters are functions of a distance only."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Embedding
from torch_geometric.nn.models.schnet import GaussianSmearing

from pyg_multipose.nn.messages.edges import distinct_pairs, edge_vectors
from pyg_multipose.nn.messages.interaction import EdgeTensors
from pyg_multipose.nn.messages.interpolation import Tabulated
from pyg_multipose.nn.models.filter_tables import FilterTables
from pyg_multipose.nn.models.gaussians import cosine_cutoff, smear
from pyg_multipose.nn.models.schnet_layer import SchNetLayer
from pyg_multipose.nn.sharing.shared_receptor import SharedReceptor


class RadialFilters(SharedReceptor):
    r"""The part of SchNet that makes filters of distances.

    It computes them edge by edge, or, of many edges, finds them in tables.
    """

    cutoff: float
    embedding: Embedding
    distance_expansion: GaussianSmearing

    @property
    def layers(self) -> Sequence[SchNetLayer]:
        r"""The interactions."""
        raise NotImplementedError

    def distinct_edges(
        self, edge_index: Tensor, num_nodes: int
    ) -> tuple[Tensor, Tensor | None]:
        r"""Finds the pairs of atoms: both directions have one length.

        Args:
            edge_index: Sources and targets :math:`(2, E)`.
            num_nodes: The number of atoms.

        Returns:
            Pairs :math:`(2, R)`, and the pair of every edge :math:`(E)`.
        """
        # Their number is not known to a compiler, and waits for a device.
        if torch.compiler.is_compiling() or not edge_index.is_cpu:
            return edge_index, None
        return distinct_pairs(edge_index, num_nodes)

    def edge_geometry(
        self, pos: Tensor, edge_index: Tensor
    ) -> tuple[Tensor, Tensor]:
        r"""Returns everything that the layers know about edges.

        Args:
            pos: Positions in Angstrom :math:`(n, 3)`.
            edge_index: Sources and targets :math:`(2, R)`.

        Returns:
            The radial basis :math:`(R, \mathrm{num\_gaussians})` and the
            cosine cutoff :math:`(R, 1)`.
        """
        return self._expand(self._distances(pos, edge_index))

    def filter_tables(
        self, pos: Tensor, edge_index: Tensor
    ) -> list[Tensor] | None:
        r"""Returns tables from which the filters of edges can be found.

        A filter is a smooth function of a distance, so those of many edges
        are found between those at some thousand distances
        (:eq:`eq-interpolation`), with an error below that of rounding, for a
        tenth of the time.

        Args:
            pos: Positions in Angstrom :math:`(n, 3)`.
            edge_index: Sources and targets :math:`(2, R)` of the edges that
                are to pay for them.

        Returns:
            A table for each layer :math:`(K, \mathrm{num\_filters})`, for
            :meth:`layer_geometries` of these or other edges; :obj:`None` for
            few edges, filters that are too steep, positions that need
            gradients, modules that were replaced or have hooks, in half
            precision, and on other devices than a CPU.
        """
        found = self._tables
        if found.worth(edge_index.size(1)) and self._in_tables(found, pos):
            return found.make()
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
            The table of each layer and the places of edges in it, or
            :meth:`edge_geometry` for all layers.
        """
        if tables is not None and self._in_tables(self._tables, pos):
            at = self._tables.places(self._distances(pos, edge_index))
            return [Tabulated(table, *at) for table in tables]
        return super().layer_geometries(pos, edge_index)

    @property
    def _tables(self) -> FilterTables:
        return FilterTables(
            self.layers,
            self.distance_expansion,
            self.cutoff,
            self.embedding.weight.dtype,
        )

    def _in_tables(self, found: FilterTables, pos: Tensor) -> bool:
        # Who changed what layers are told about edges has a say.
        return (
            type(self).edge_geometry is RadialFilters.edge_geometry
            and 'edge_geometry' not in vars(self)
            and found.can_serve(pos)
        )

    def _distances(self, pos: Tensor, edge_index: Tensor) -> Tensor:
        vec = edge_vectors(pos, edge_index, self.embedding.weight.dtype)
        square = vec.square().sum(dim=-1)
        # The second derivative of a root at zero is not finite:
        zero = square == 0
        return square.masked_fill(zero, 1).sqrt().masked_fill(zero, 0)

    def _expand(self, dist: Tensor) -> tuple[Tensor, Tensor]:
        dtype = self.embedding.weight.dtype
        within = dist.clamp(max=self.cutoff)
        cutoff = cosine_cutoff(within, self.cutoff)
        return smear(self.distance_expansion, dist, dtype), cutoff.to(dtype)
