"""The plain models of the bars: nothing in them is this package's.

SchNet is PyG's, block by block.  The equivariant network has the width, the
depth and the weights of ours, but is put together here, from e3nn's own
tensor product, whatever ours computes it with.  Both are called as
``model(graphs)``.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from e3nn import o3
from torch import Tensor, nn
from torch_geometric import nn as pyg
from torch_geometric.utils import scatter


class SchNet(pyg.SchNet):
    r"""PyG's SchNet, called with a batch."""

    def forward(self, graphs: Any) -> Tensor:  # type: ignore[override]
        r"""Predictions of all graphs, :obj:`[P]` or :obj:`[P, F]`."""
        out = super().forward(graphs.z, graphs.pos, graphs.batch)
        return out.squeeze(1) if out.size(1) == 1 else out


class EquivariantGNN(nn.Module):
    r"""Tensor field network on e3nn, with the weights of ours.

    Args:
        hidden_irreps: Irreps of the hidden features, equal ones together.
        num_layers: The number of convolutions.
        cutoff: In Angstrom.
        lmax: The highest degree of spherical harmonics.
        out_channels: Predictions of a graph.
    """

    def __init__(
        self,
        hidden_irreps: str,
        num_layers: int,
        cutoff: float,
        lmax: int,
        out_channels: int = 1,
    ) -> None:
        super().__init__()
        hidden = o3.Irreps(hidden_irreps).regroup()
        scalars = o3.Irreps([(hidden.count('0e'), '0e')])
        edge = o3.Irreps.spherical_harmonics(lmax)
        self.cutoff = cutoff
        self.embedding = nn.Embedding(100, scalars.dim)
        self.harmonics = o3.SphericalHarmonics(
            edge, normalize=True, normalization='component'
        )
        self.convs = nn.ModuleList()
        irreps = scalars
        for number in range(num_layers):
            wanted = scalars if number == num_layers - 1 else hidden
            conv = Convolution(irreps, wanted, edge)
            self.convs.append(conv)
            irreps = conv.irreps_out
        self.head = nn.Sequential(
            nn.Linear(scalars.dim, scalars.dim),
            nn.SiLU(),
            nn.Linear(scalars.dim, out_channels),
        )

    def forward(self, graphs: Any) -> Tensor:
        r"""Predictions of all graphs, :obj:`[P]` or :obj:`[P, F]`."""
        source, target = graphs.edge_index
        vector = graphs.pos[source] - graphs.pos[target]
        vector = vector.to(self.embedding.weight.dtype)
        length = vector.norm(dim=1)
        harmonics = self.harmonics(vector)
        radial = bessel(length, self.cutoff, 8)
        x = self.embedding(graphs.z)
        for conv in self.convs:
            x = conv(x, graphs.edge_index, harmonics, radial)
        out = scatter(self.head(x), graphs.batch, 0, graphs.num_graphs)
        return out.squeeze(1) if out.size(1) == 1 else out


class Convolution(nn.Module):
    r"""Messages by e3nn's tensor product, then a gate.

    Args:
        irreps_in: Of the input.
        irreps_out: Wanted of the output; what cannot be reached is left out.
        irreps_edge: Of the spherical harmonics.
    """

    def __init__(
        self, irreps_in: o3.Irreps, irreps_out: o3.Irreps, irreps_edge: Any
    ) -> None:
        super().__init__()
        reached = {ir for _, ir in irreps_in} | {
            ir
            for _, one in irreps_in
            for _, two in irreps_edge
            for ir in one * two
        }
        irreps_out = o3.Irreps(
            [(mul, ir) for mul, ir in irreps_out if ir in reached]
        )
        gated = o3.Irreps([(mul, ir) for mul, ir in irreps_out if ir.l > 0])
        scalars = irreps_out.count('0e')
        gates = sum(mul for mul, _ in gated)
        self.sizes = [scalars, gates, *(mul * ir.dim for mul, ir in gated)]
        self.channels = [mul for mul, _ in gated]
        self.irreps_out = o3.Irreps([(scalars, '0e'), *gated])
        mixed = o3.Irreps([(scalars + gates, '0e'), *gated])

        wanted = {ir for _, ir in mixed}
        sent = o3.Irreps(
            [
                (mul, one)
                for mul, one in irreps_in
                if any(ir in wanted for _, two in irreps_edge
                       for ir in one * two)
            ]
        )  # fmt: skip
        paths = [
            (i, j, mul, ir)
            for i, (mul, one) in enumerate(sent)
            for j, (_, two) in enumerate(irreps_edge)
            for ir in one * two
            if ir in wanted
        ]
        slots, place, _ = o3.Irreps(
            [(mul, ir) for *_, mul, ir in paths]
        ).sort()
        self.tensor_product = o3.TensorProduct(
            sent,
            irreps_edge,
            slots,
            [
                (i, j, place[k], 'uvu', True)
                for k, (i, j, _, _) in enumerate(paths)
            ],
            internal_weights=False,
            shared_weights=False,
        )
        self.radial_mlp = nn.Sequential(
            nn.Linear(8, 64, bias=False),
            nn.SiLU(),
            nn.Linear(64, self.tensor_product.weight_numel, bias=False),
        )
        self.lin_source = o3.Linear(irreps_in, sent)
        self.lin_message = o3.Linear(slots.simplify(), mixed)
        self.lin_self = o3.Linear(irreps_in, mixed)

    def forward(
        self, x: Tensor, edge_index: Tensor, harmonics: Tensor, radial: Tensor
    ) -> Tensor:
        r"""New features of all atoms."""
        source, target = edge_index
        message = self.tensor_product(
            self.lin_source(x)[source], harmonics, self.radial_mlp(radial)
        )
        total = scatter(message, target, 0, x.size(0)) / math.sqrt(16)
        out = (self.lin_message(total) + self.lin_self(x)) * math.sqrt(0.5)
        even, gates, *gated = out.split(self.sizes, dim=1)
        # Factors that keep the mean square of a normal variable at one.
        parts = [nn.functional.silu(even) * 1.67653]
        scale = (gates.sigmoid() * 1.84623).split(self.channels, dim=1)
        for part, by in zip(gated, scale, strict=True):
            part = part.unflatten(1, (by.size(1), -1)) * by.unsqueeze(2)
            parts.append(part.flatten(1))
        return torch.cat(parts, dim=1)


def bessel(length: Tensor, cutoff: float, count: int) -> Tensor:
    r"""Bessel functions under a polynomial envelope (DimeNet's, p = 6).

    Args:
        length: Of edges, in Angstrom.
        cutoff: Where all is zero, in Angstrom.
        count: How many functions.
    """
    x = (length / cutoff).clamp(max=1.0)
    envelope = 1 + x**6 * (x * (48 - 21 * x) - 28)
    order = torch.arange(1, count + 1, device=length.device)
    phase = length.unsqueeze(1) * (math.pi / cutoff) * order.to(length.dtype)
    waves = cutoff * math.sqrt(2 / 3) * phase.sin() / length.unsqueeze(1)
    return waves * envelope.unsqueeze(1)


def load(reference: nn.Module, model: nn.Module) -> None:
    r"""Gives a plain model the weights of one of ours.

    Args:
        reference: The plain model.
        model: Ours.

    Raises:
        ValueError: If one has parameters that the other has not.
    """
    mine = dict(reference.named_parameters())
    theirs = dict(model.named_parameters())
    if mine.keys() != theirs.keys():
        raise ValueError(
            f'The plain {type(reference).__name__} and '
            f'{type(model).__name__} have different parameters: '
            f'{sorted(mine.keys() ^ theirs.keys())}'
        )
    with torch.no_grad():
        for name, parameter in mine.items():
            parameter.copy_(theirs[name])
