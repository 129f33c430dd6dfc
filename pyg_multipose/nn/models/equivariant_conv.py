r"""An equivariant graph convolution in separate pieces."""

import math
from typing import Any

import torch
from e3nn import o3
from torch import Tensor
from torch.nn import Linear, Module, Sequential, SiLU

from pyg_multipose.nn.messages.interaction import EdgeTensors, InteractionLayer
from pyg_multipose.nn.messages.interpolation import interpolate
from pyg_multipose.nn.messages.senders import senders
from pyg_multipose.nn.models.gate import Gate
from pyg_multipose.nn.models.irreps_linear import IrrepsLinear
from pyg_multipose.nn.models.softplus_mlp import is_mlp_as_made
from pyg_multipose.nn.models.tensor_product import (
    TensorProduct,
    hide_constants,
)


class EquivariantConv(InteractionLayer):
    r"""An equivariant convolution over neighbors.

    It follows the `"Tensor Field Networks" <https://arxiv.org/abs/1802.08219>`_
    and `"E(3)-Equivariant Graph Neural Networks for Data-Efficient and
    Accurate Interatomic Potentials" <https://arxiv.org/abs/2101.03164>`_
    (NequIP) papers:

    .. math::
        \mathbf{A}_i &= \frac{1}{\sqrt{\bar{N}}} \sum_{j \in \mathcal{N}(i)}
        \mathbf{w}_{ij} \, (\mathbf{W}_1 \mathbf{x}_j) \otimes
        Y(\hat{\mathbf{r}}_{ij}), \qquad
        \mathbf{w}_{ij} = \mathrm{MLP}(\mathbf{b}_{ij})

        \mathbf{x}^{\prime}_i &= \mathrm{gate} \left( \frac{1}{\sqrt{2}}
        (\mathbf{W}_2 \mathbf{A}_i + \mathbf{W}_3 \mathbf{x}_i) \right)

    where :math:`\otimes` is the tensor product channel by channel,
    :math:`Y` are spherical harmonics, :math:`\mathbf{b}_{ij}` is a radial
    basis and :math:`\mathbf{W}_1, \mathbf{W}_2, \mathbf{W}_3` mix channels of
    equal irreps.
    The gate is :class:`~pyg_multipose.nn.models.gate.Gate`.

    The convolution is the composition of four pieces that may be called on
    their own: :meth:`edge_filters` (a function of geometry and parameters
    only), :meth:`source` (atom by atom), :meth:`aggregate` (linear in its
    source features, a sum over edges) and :meth:`update` (atom by atom).
    The radial network has no bias, so an edge with a zero basis sends exactly
    nothing. It is the only part that autocast may run in half precision.

    Args:
        irreps_in: Irreps of the input features.
        irreps_out: Irreps of the output features that are wanted. Those that
            no product of input and harmonics gives are left out: see
            :obj:`conv.irreps_out`.
        irreps_edge: Irreps of the spherical harmonics, one channel each.
        num_radial: Number of radial basis functions.
        radial_channels: Hidden width of the radial network.
            (default: :obj:`64`)
        num_neighbors: The constant :math:`\bar{N}`. (default: :obj:`16.0`)
    """

    def __init__(
        self,
        irreps_in: Any,
        irreps_out: Any,
        irreps_edge: Any,
        num_radial: int,
        radial_channels: int = 64,
        num_neighbors: float = 16.0,
    ):
        super().__init__()
        self.irreps_in = o3.Irreps(irreps_in)
        self.irreps_edge = o3.Irreps(irreps_edge)
        self.num_neighbors = num_neighbors

        # What mixing or gating cannot fill would be zeros that cost time:
        reachable = {ir for _, ir in self.irreps_in}
        for _, ir_in in self.irreps_in:
            for _, ir_edge in self.irreps_edge:
                reachable.update(ir_in * ir_edge)
        irreps_out = o3.Irreps(
            [
                mul_ir
                for mul_ir in o3.Irreps(irreps_out)
                if mul_ir.ir in reachable
            ]
        )

        self.gate = Gate(irreps_out)
        self.irreps_out = self.gate.irreps_out
        irreps_gate = self.gate.irreps_in

        # One output slot for each path, so that each has its own mixing
        # weights; input irreps without any path are not even mixed:
        wanted = {ir for _, ir in irreps_gate}
        irreps_source = o3.Irreps(
            [
                mul_ir
                for mul_ir in self.irreps_in
                if any(
                    ir in wanted
                    for _, ir_edge in self.irreps_edge
                    for ir in mul_ir.ir * ir_edge
                )
            ]
        )
        slots: list[Any] = []
        instructions: list[Any] = []
        for i, (mul, ir_in) in enumerate(irreps_source):
            for j, (_, ir_edge) in enumerate(self.irreps_edge):
                for ir in ir_in * ir_edge:
                    if ir in wanted:
                        instructions.append((i, j, len(slots), 'uvu', True))
                        slots.append((mul, ir))
        irreps_slots, position, _ = o3.Irreps(slots).sort()
        instructions = [
            (i, j, position[k], mode, has_weight)
            for i, j, k, mode, has_weight in instructions
        ]

        self.tensor_product = TensorProduct(
            irreps_source, self.irreps_edge, irreps_slots, instructions
        )
        self.radial_mlp = Sequential(
            Linear(num_radial, radial_channels, bias=False),
            SiLU(),
            Linear(
                radial_channels, self.tensor_product.weight_numel, bias=False
            ),
        )
        self.lin_source = IrrepsLinear(self.irreps_in, irreps_source)
        self.lin_message = IrrepsLinear(irreps_slots.simplify(), irreps_gate)
        self.lin_self = IrrepsLinear(self.irreps_in, irreps_gate)

        hide_constants(self)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        for lin in self.radial_mlp:
            if isinstance(lin, Linear):
                torch.nn.init.normal_(lin.weight, std=lin.in_features**-0.5)
        # e3nn scales by the number of inputs when a layer is applied:
        for lin in [self.lin_source, self.lin_message, self.lin_self]:
            torch.nn.init.normal_(lin.weight)

    def edge_filters(self, geometry: EdgeTensors) -> EdgeTensors:
        r"""Returns the spherical harmonics and the weight of every path.

        Args:
            geometry: Spherical harmonics of every edge
                :math:`(E, \mathrm{irreps\_edge})`, and a radial basis, zero
                from the cutoff on, :math:`(E, N_{\mathrm{radial}})`, or a
                table of weights and the places of edges in it.

        Returns:
            The harmonics as they are, and weights :math:`(E, W)`: a function
            of distances and parameters only.
        """
        harmonics, *table = geometry
        if len(table) == 3:
            return harmonics, interpolate(*table)
        (radial,) = table
        return harmonics, self.radial_mlp(radial).to(radial.dtype)

    def source(self, x: Tensor) -> Tensor:
        r"""Returns what an atom sends, before any edge is known.

        Args:
            x: Features :math:`(n, \mathrm{irreps\_in})`.

        Returns:
            Source features, divided by the root of :obj:`num_neighbors`, atom
            by atom.
        """
        with _no_autocast(x):
            # Here and not of the sums, which are wider.
            out: Tensor = self.lin_source(x, self.num_neighbors**-0.5)
        return out

    def aggregate(
        self,
        source: Tensor,
        edge_index: Tensor,
        filters: EdgeTensors,
        dim_size: int,
        rows: Tensor | None = None,
    ) -> Tensor:
        r"""Sums the messages of edges at their targets.

        Linear in :obj:`source`; the sum over two sets of edges is the sum of
        the two results.

        Args:
            source: Output of :meth:`source`.
            edge_index: Rows of :obj:`source` and targets :math:`(2, E)`.
            filters: Output of :meth:`edge_filters`.
            dim_size: The number of target atoms.
            rows: The row of :obj:`filters` that every edge uses :math:`(E)`;
                :obj:`None`: one row for each edge, in their order.
                (default: :obj:`None`)

        Returns:
            Sums, one row for each target.
        """
        return self._sum(source, edge_index, filters, dim_size, rows)

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
            onto: Sums, which are written to.
            source: What atoms of poses send.
            alone: What the atoms of the receptor send alone.
            edge_index: As of
                :meth:`~pyg_multipose.nn.messages.interaction.InteractionLayer.add_messages`.
            filters: Output of :meth:`edge_filters`.
            rows: As of :meth:`aggregate`. (default: :obj:`None`)
            atoms: The receptor atom of every row of :obj:`source`, if
                differences are sent. (default: :obj:`None`)

        Returns:
            Sums, one row for each target.
        """
        sent, size = senders(source, alone, atoms), onto.size(0)
        return self._sum(sent, edge_index, filters, size, rows, onto)

    def _sum(self, source: Tensor, *args: Any) -> Tensor:
        edge_index, (harmonics, weights), *more = args
        with _no_autocast(source):
            out: Tensor = self.tensor_product(
                source, edge_index, harmonics, weights, *more
            )
        return out

    def update(self, x: Tensor, aggregated: Tensor) -> Tensor:
        r"""Returns the new features of atoms.

        Args:
            x: Features :math:`(n, \mathrm{irreps\_in})`.
            aggregated: Output of :meth:`aggregate` for the same atoms.

        Returns:
            Features :math:`(n, \mathrm{irreps\_out})`, atom by atom.
        """
        with _no_autocast(x):
            half = math.sqrt(0.5)
            out = self.lin_message(aggregated, half) + self.lin_self(x, half)
            return self.gate(out)

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        # Copies of generated code forget which buffers are not persistent:
        hide_constants(self)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.irreps_in} -> {self.irreps_out})'
        )


def has_own_filters(conv: Module) -> bool:
    r"""Whether a layer makes weights of paths by what it was built with.

    Args:
        conv: Any layer.
    """
    return (
        isinstance(conv, EquivariantConv)
        and type(conv).edge_filters is EquivariantConv.edge_filters
        and 'edge_filters' not in vars(conv)
        and is_mlp_as_made(conv.radial_mlp, SiLU)
    )


def _no_autocast(x: Tensor) -> torch.autocast:
    # The code that e3nn generates cannot mix types, as autocast would have it:
    return torch.autocast(x.device.type, enabled=False)
