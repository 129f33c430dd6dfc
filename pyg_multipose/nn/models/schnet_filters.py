r"""How SchNet makes filters of distances."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Embedding
from torch_geometric.nn.models.schnet import GaussianSmearing

from pyg_multipose.nn.messages.edges import distinct_pairs, edge_lengths
from pyg_multipose.nn.models.filter_tables import FilterTables
from pyg_multipose.nn.models.gaussians import cosine_cutoff, expand, smear
from pyg_multipose.nn.models.radial_filters import RadialFilters
from pyg_multipose.nn.models.schnet_layer import SchNetLayer, has_own_filters
from pyg_multipose.nn.models.softplus_mlp import is_as_made


class SchNetFilters(RadialFilters):
    r"""The part of :class:`~pyg_multipose.nn.models.SchNet` before messages.

    A filter depends on a distance only, so it is made once for both
    directions of an edge.
    """

    cutoff: float
    num_gaussians: int
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
        return self._expand(self._directions(pos, edge_index)[1])

    def _filter_tables(self) -> FilterTables:
        dtype = self.embedding.weight.dtype
        # Knots in the width of a Gaussian, for an error below rounding:
        knots = 96 if dtype == torch.float64 else 12
        return FilterTables(
            self._filters, knots * (self.num_gaussians - 1), self.cutoff, dtype
        )

    def _filters(self, dist: Tensor) -> list[Tensor]:
        # As of edges, but beyond the cutoff, they go on as smoothly.
        dtype = self.embedding.weight.dtype
        gaussians = smear(self.distance_expansion, dist, dtype)
        cosine = cosine_cutoff(dist / self.cutoff).to(dtype)
        return [
            layer.edge_filters((gaussians, cosine))[0] for layer in self.layers
        ]

    def _directions(
        self, pos: Tensor, edge_index: Tensor
    ) -> tuple[tuple[()], Tensor]:
        dtype = self.embedding.weight.dtype
        return (), edge_lengths(pos, edge_index, dtype)

    def _is_as_made(self) -> bool:
        return (
            type(self).edge_geometry is SchNetFilters.edge_geometry
            and 'edge_geometry' not in vars(self)
            and is_as_made(self.distance_expansion, GaussianSmearing)
            and all(map(has_own_filters, self.layers))
        )

    def _weights(self) -> list[Tensor]:
        return [p for layer in self.layers for p in layer.mlp.parameters()]

    def _expand(self, dist: Tensor) -> tuple[Tensor, Tensor]:
        dtype = self.embedding.weight.dtype
        return expand(self.distance_expansion, dist, self.cutoff, dtype)
