r"""One interaction of SchNet in separate pieces."""

import torch
from torch import Tensor
from torch.nn import Linear, Module, Sequential

from pyg_multipose.nn.messages.interaction import EdgeTensors, InteractionLayer
from pyg_multipose.nn.messages.interpolation import interpolate
from pyg_multipose.nn.messages.message_sum import message_sum
from pyg_multipose.nn.messages.shared_sum import shared_sum
from pyg_multipose.nn.models.shifted_softplus import ShiftedSoftplus
from pyg_multipose.nn.models.softplus_mlp import (
    is_as_made,
    is_mlp_as_made,
    softplus_mlp,
)


class SchNetLayer(InteractionLayer):
    r"""A continuous-filter convolution and what follows it.

    It follows the `"SchNet: A Continuous-filter Convolutional Neural Network
    for Modeling Quantum Interactions" <https://arxiv.org/abs/1706.08566>`_
    paper:

    .. math::
        \mathbf{A}_i &= \sum_{j \in \mathcal{N}(i)} (\mathbf{W}_1
        \mathbf{x}_j) \odot \mathbf{w}_{ij}, \qquad
        \mathbf{w}_{ij} = u(d_{ij}) \, \mathrm{MLP}(\mathbf{b}_{ij})

        \mathbf{x}^{\prime}_i &= \mathbf{x}_i + \mathbf{W}_3 \,
        \mathrm{ssp} (\mathbf{W}_2 \mathbf{A}_i + \mathbf{c}_2) + \mathbf{c}_3

    with a radial basis :math:`\mathbf{b}_{ij}`, the cosine cutoff
    :math:`u` and the softplus :math:`\mathrm{ssp}(x) = \ln(1 + e^x) -
    \ln 2`.
    Parameters have the names that they have in PyG, where the filter network
    has two.

    Args:
        hidden_channels: Number of features :math:`F`.
        num_gaussians: Number of radial basis functions :math:`G`.
        num_filters: Number of channels of messages :math:`S`.
    """

    def __init__(
        self, hidden_channels: int, num_gaussians: int, num_filters: int
    ):
        super().__init__()
        self.mlp = Sequential(
            Linear(num_gaussians, num_filters),
            ShiftedSoftplus(),
            Linear(num_filters, num_filters),
        )
        self.conv = _Conv(hidden_channels, num_filters, self.mlp)
        self.act = ShiftedSoftplus()
        self.lin = Linear(hidden_channels, hidden_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        for lin in [*self.mlp, self.conv.lin1, self.conv.lin2, self.lin]:
            if isinstance(lin, Linear):
                torch.nn.init.xavier_uniform_(lin.weight)
                if lin.bias is not None:
                    torch.nn.init.zeros_(lin.bias)

    def edge_filters(self, geometry: EdgeTensors) -> EdgeTensors:
        r"""Returns the filter of every edge.

        Args:
            geometry: A radial basis :math:`(R, G)` and the cosine cutoff
                :math:`(R, 1)`; or a table of filters and the places of edges
                in it.

        Returns:
            Filters :math:`(R, S)`, zero from the cutoff on.
        """
        if len(geometry) == 3:
            return (interpolate(*geometry),)
        gaussians, cutoff = geometry
        if is_as_made(self.mlp, Sequential) and len(self.mlp) == 3:
            return (softplus_mlp(gaussians, *self.mlp).mul_(cutoff),)
        return (self.mlp(gaussians) * cutoff,)

    def source(self, x: Tensor) -> Tensor:
        r"""Returns what an atom sends, before any edge is known.

        Args:
            x: Features :math:`(n, F)`.

        Returns:
            Source features :math:`(n, S)`, atom by atom.
        """
        return self.conv.lin1(x)

    def aggregate(
        self,
        source: Tensor,
        edge_index: Tensor,
        filters: EdgeTensors,
        dim_size: int,
        rows: Tensor | None = None,
    ) -> Tensor:
        r"""Sums the messages of edges at their targets.

        Args:
            source: Output of :meth:`source`.
            edge_index: Rows of :obj:`source` and targets :math:`(2, E)`.
            filters: Output of :meth:`edge_filters`.
            dim_size: The number of target atoms.
            rows: The row of :obj:`filters` that every edge uses :math:`(E)`;
                :obj:`None`: one row for each edge, in their order.
                (default: :obj:`None`)

        Returns:
            Sums :math:`(n, S)`, one row for each target.
        """
        return message_sum(source, edge_index, filters[0], dim_size, rows)

    def add_messages(
        self,
        onto: Tensor,
        source: Tensor,
        alone: Tensor,
        edge_index: Tensor,
        filters: EdgeTensors,
        rows: Tensor | None = None,
        atoms: Tensor | None = None,
    ) -> Tensor:
        r"""Adds messages of poses that share a receptor to other sums.

        Args:
            onto: Sums :math:`(n, S)`, which are written to.
            source: What atoms of poses send :math:`(m, S)`.
            alone: What the atoms of the receptor send alone :math:`(R, S)`.
            edge_index: As of
                :meth:`~pyg_multipose.nn.messages.interaction.InteractionLayer.add_messages`.
            filters: Output of :meth:`edge_filters`.
            rows: As of :meth:`aggregate`. (default: :obj:`None`)
            atoms: The receptor atom of every row of :obj:`source`, if
                differences are sent. (default: :obj:`None`)

        Returns:
            Sums :math:`(n, S)`, one row for each target.
        """
        return shared_sum(
            onto, source, alone, edge_index, filters[0], rows, atoms
        )

    def update(self, x: Tensor, aggregated: Tensor) -> Tensor:
        r"""Returns the new features of atoms.

        Args:
            x: Features :math:`(n, F)`.
            aggregated: Output of :meth:`aggregate` for the same atoms.

        Returns:
            Features :math:`(n, F)`, atom by atom.
        """
        return softplus_mlp(
            aggregated, self.conv.lin2, self.act, self.lin, onto=x
        )


def has_own_filters(layer: Module) -> bool:
    r"""Whether a layer makes filters by what it was built with.

    Args:
        layer: Any layer.
    """
    return (
        isinstance(layer, SchNetLayer)
        and type(layer).edge_filters is SchNetLayer.edge_filters
        and 'edge_filters' not in vars(layer)
        and is_mlp_as_made(layer.mlp, ShiftedSoftplus)
    )


class _Conv(Module):
    # What PyG calls a convolution holds these parameters.
    def __init__(self, hidden_channels: int, num_filters: int, nn: Module):
        super().__init__()
        self.lin1 = Linear(hidden_channels, num_filters, bias=False)
        self.lin2 = Linear(num_filters, hidden_channels)
        self.nn = nn
