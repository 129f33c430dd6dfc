"""Edges and distances within a cutoff, for models that build their own."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_multipose.transforms.neighbors import (
    check_cap,
    nearest,
    radius_graph,
    warn_cut_graphs,
)
from pyg_multipose.transforms.search import check_radius


class RadiusInteractionGraph(torch.nn.Module):
    r"""Connects all atoms within a cutoff and measures their distances.

    The same as PyG's module of this name, but it needs nothing that is not on
    PyPI and cuts no neighbours unless asked to.
    Hand it to :class:`torch_geometric.nn.models.SchNet` as
    :obj:`interaction_graph`.

    Args:
        cutoff: The distance in Angstrom; atoms at exactly this distance are
            connected. (default: :obj:`10.0`)
        max_num_neighbors: How many neighbours an atom may have at most; the
            nearest are kept, and a warning tells where that cut any.
            (default: :obj:`None`, all neighbours)

    Shapes:
        - **pos:** coordinates in Angstrom, :obj:`[num_atoms, 3]`
        - **batch:** the graph of each atom, :obj:`[num_atoms]`
        - **output:** edges (sources, then targets, sorted by target, then
          source) :obj:`[2, num_edges]`, and their lengths in Angstrom,
          differentiable in :obj:`pos`, :obj:`[num_edges]`

    Raises:
        ValueError: If :obj:`cutoff` or :obj:`max_num_neighbors` is not
            positive, or if a coordinate is not finite.

    Example:
        >>> import torch
        >>> from torch_geometric.nn import SchNet
        >>> from pyg_multipose.nn import RadiusInteractionGraph
        >>> graph = RadiusInteractionGraph(cutoff=2.0)
        >>> pos = torch.zeros(3, 3)
        >>> pos[:, 0] = torch.tensor([0.0, 1.5, 4.0])
        >>> graph(pos)
        (tensor([[1, 0],
                [0, 1]]), tensor([1.5000, 1.5000]))
        >>> model = SchNet(cutoff=2.0, interaction_graph=graph)
        >>> model(torch.tensor([6, 8, 7]), pos).shape
        torch.Size([1, 1])
    """

    def __init__(
        self, cutoff: float = 10.0, max_num_neighbors: int | None = None
    ) -> None:
        super().__init__()
        self.cutoff = check_radius(cutoff)
        self.max_num_neighbors = check_cap(max_num_neighbors)

    def forward(
        self, pos: Tensor, batch: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        r"""Finds the edges and measures them.

        Args:
            pos: Coordinates.
            batch: The graph of each atom; one graph if omitted.
                (default: :obj:`None`)
        """
        edge_index = self._edges(pos, batch)
        source, target = edge_index
        square = (pos[source] - pos[target]).square().sum(dim=-1)
        # The second derivative of a norm is NaN where atoms coincide.
        zero = square == 0
        length = square.masked_fill(zero, 1).sqrt().masked_fill(zero, 0)
        return edge_index, length

    def extra_repr(self) -> str:
        r"""The arguments."""
        return (
            f'cutoff={self.cutoff}, max_num_neighbors={self.max_num_neighbors}'
        )

    @torch.compiler.disable
    def _edges(self, pos: Tensor, batch: Tensor | None) -> Tensor:
        edge_index = radius_graph(pos, self.cutoff, batch)
        if self.max_num_neighbors is None:
            return edge_index
        keep, cut = nearest(edge_index, pos, self.max_num_neighbors)
        warn_cut_graphs(self.max_num_neighbors, cut, batch)
        return edge_index[:, keep]
