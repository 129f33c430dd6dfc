r"""What an equivariant network knows of edges."""

from collections.abc import Sequence

import torch
from e3nn import o3
from torch import Tensor
from torch.nn import Embedding

from pyg_multipose.nn.messages.edges import edge_vectors
from pyg_multipose.nn.models.equivariant_conv import (
    EquivariantConv,
    has_own_filters,
)
from pyg_multipose.nn.models.filter_tables import FilterTables
from pyg_multipose.nn.models.radial_basis import (
    BesselBasis,
    GaussianBasis,
    PolynomialEnvelope,
)
from pyg_multipose.nn.models.radial_filters import RadialFilters
from pyg_multipose.nn.models.softplus_mlp import is_as_made

# Atoms closer than this (Angstrom) have no direction to each other:
_COINCIDENT = 1e-6


class EquivariantFilters(RadialFilters):
    r"""The part of :class:`~pyg_multipose.nn.models.EquivariantGNN` of edges.

    Weights of paths depend on distances only, harmonics on directions.
    """

    cutoff: float
    num_radial: int
    embedding: Embedding
    basis: BesselBasis | GaussianBasis
    envelope: PolynomialEnvelope
    harmonics: o3.SphericalHarmonics

    @property
    def layers(self) -> Sequence[EquivariantConv]:
        r"""The convolutions."""
        raise NotImplementedError

    def edge_geometry(
        self, pos: Tensor, edge_index: Tensor
    ) -> tuple[Tensor, Tensor]:
        r"""Returns everything that the layers know about edges.

        Args:
            pos: Positions in Angstrom :math:`(n, 3)`.
            edge_index: Sources and targets :math:`(2, E)`.

        Returns:
            Spherical harmonics of the direction from target to source
            :math:`(E, (l_{\max} + 1)^2)`, and the radial basis under its
            envelope :math:`(E, N_{\mathrm{radial}})`.
        """
        (harmonics,), dist = self._directions(pos, edge_index)
        radial = self.basis(dist) * self.envelope(dist).unsqueeze(-1)
        return harmonics, radial.to(harmonics.dtype)

    def _directions(
        self, pos: Tensor, edge_index: Tensor
    ) -> tuple[tuple[Tensor], Tensor]:
        dtype = self.embedding.weight.dtype
        vec = edge_vectors(pos, edge_index, dtype)

        # Everything is constant for coincident atoms, so that no gradient of
        # a root or of a quotient at zero is ever taken:
        square = vec.square().sum(dim=-1)
        dist = square.clamp(min=_COINCIDENT**2).sqrt()
        unit = vec / dist.unsqueeze(-1)
        unit = torch.where(
            (square > _COINCIDENT**2).unsqueeze(-1),
            unit,
            torch.zeros_like(unit),
        )
        return (self.harmonics(unit).to(dtype),), dist

    def _filter_tables(self) -> FilterTables:
        dtype = self.embedding.weight.dtype
        knots = getattr(self.basis, 'knots', 1) * self.num_radial
        if dtype == torch.float64:
            knots *= 8
        return FilterTables(self._filters, knots, self.cutoff, dtype)

    def _filters(self, dist: Tensor) -> list[Tensor]:
        # As of edges, but beyond the cutoff, they go on as smoothly; where a
        # basis would be a quotient of zeros, it is constant to high order.
        dist = dist.masked_fill(dist == 0, 1e-15 * self.cutoff)
        envelope = self.envelope.polynomial(dist / self.envelope.cutoff)
        radial = self.basis(dist) * envelope.unsqueeze(-1)
        radial = radial.to(self.embedding.weight.dtype)
        return [conv.radial_mlp(radial) for conv in self.layers]

    def _is_as_made(self) -> bool:
        return (
            type(self).edge_geometry is EquivariantFilters.edge_geometry
            and 'edge_geometry' not in vars(self)
            and any(
                is_as_made(self.basis, kind)
                for kind in (BesselBasis, GaussianBasis)
            )
            and is_as_made(self.envelope, PolynomialEnvelope)
            and self.envelope.cutoff == self.cutoff  # where tables end
            and all(map(has_own_filters, self.layers))
        )

    def _weights(self) -> list[Tensor]:
        return [
            p for conv in self.layers for p in conv.radial_mlp.parameters()
        ]
