r"""Filters of SchNet at some distances, from which others are found."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Linear, Sequential
from torch_geometric.nn.models.schnet import GaussianSmearing

from pyg_multipose.nn.messages.interpolation import (
    Places,
    interpolate,
    knots,
    places,
)
from pyg_multipose.nn.messages.kernel import is_plain_call
from pyg_multipose.nn.models.gaussians import cosine_cutoff, smear
from pyg_multipose.nn.models.schnet_layer import SchNetLayer
from pyg_multipose.nn.models.shifted_softplus import ShiftedSoftplus
from pyg_multipose.nn.models.softplus_mlp import is_as_made

#: Knots in a width of a Gaussian, and what an error may be at most, relative
#: to the largest filter. The error itself is a hundredth of that, and falls
#: with the sixth power of the number of knots.
_KNOTS = {torch.float32: 12, torch.float64: 96}
_BOUND = {torch.float32: 2e-6, torch.float64: 1e-12}

#: Of so many intervals one is looked at.
_LOOK = 4


class FilterTables:
    r"""Tables of the filters of a model.

    A filter is a smooth function of a distance: that of an edge can be found
    between filters that are close to it (:eq:`eq-interpolation`), for a tenth
    of the cost.

    Args:
        layers: The layers of the model.
        expansion: Its Gaussians.
        cutoff: Its cutoff in Angstrom.
        dtype: The type of filters.
    """

    def __init__(
        self,
        layers: Sequence[SchNetLayer],
        expansion: GaussianSmearing,
        cutoff: float,
        dtype: torch.dtype,
    ):
        self.layers = layers
        self.expansion = expansion
        self.cutoff = cutoff
        self.dtype = dtype
        widths = expansion.offset.numel() - 1
        #: Intervals between knots, up to the cutoff.
        self.number = _KNOTS.get(dtype, 0) * widths

    def can_serve(self, pos: Tensor) -> bool:
        r"""Whether filters are as they were made, and distances just numbers.

        Neither may want to see calls of its own, or gradients with respect to
        positions, whose error would be larger.

        Args:
            pos: Positions :math:`(n, 3)`.
        """
        return (
            self.number > 0
            and pos.is_cpu
            and not pos.requires_grad
            and not torch.is_autocast_enabled('cpu')
            and is_as_made(self.expansion, GaussianSmearing)
            and all(map(_is_as_made, self.layers))
            and is_plain_call(pos, *self._weights())
        )

    def worth(self, num_edges: int) -> bool:
        r"""Whether filters of some edges cost more than tables do.

        Args:
            num_edges: The number of edges.
        """
        return num_edges > 2 * self.number

    def make(self) -> list[Tensor] | None:
        r"""Returns the tables, differentiable; :obj:`None`: not exact enough.

        What is found from them is compared with filters between the knots.
        """
        tables = self._filters(knots(self.number))
        between = torch.arange(0, self.number, _LOOK).double() + 0.5
        place = places(between, self.number, self.dtype)
        with torch.no_grad():
            for table, exact in zip(
                tables, self._filters(between), strict=True
            ):
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

    def _filters(self, x: Tensor) -> list[Tensor]:
        # As of edges, but beyond the cutoff, they go on as smoothly.
        dist = x.double() * (self.cutoff / self.number)
        geometry = (
            smear(self.expansion, dist, self.dtype),
            cosine_cutoff(dist, self.cutoff).to(self.dtype),
        )
        return [layer.edge_filters(geometry)[0] for layer in self.layers]

    def _weights(self) -> list[Tensor]:
        return [
            weight
            for layer in self.layers
            for weight in layer.mlp.parameters()
        ]


def _is_as_made(layer: SchNetLayer) -> bool:
    return (
        isinstance(layer, SchNetLayer)
        and type(layer).edge_filters is SchNetLayer.edge_filters
        and 'edge_filters' not in vars(layer)
        and is_as_made(layer.mlp, Sequential)
        and len(layer.mlp) == 3
        and all(is_as_made(layer.mlp[i], Linear) for i in (0, 2))
        and is_as_made(layer.mlp[1], ShiftedSoftplus)
    )
