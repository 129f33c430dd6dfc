"""A network whose energy is a sum over contacts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing, global_add_pool
from torch_geometric.nn.models.schnet import GaussianSmearing

#: Atomic numbers are smaller than this.
NUM_ELEMENTS = 100


class ContactEnergies(MessagePassing):
    r"""An energy of every edge by the elements at its ends and its length.

    .. math::
        E = \mu + 10 \, \sigma_y \, b + \sigma \sum_{(j, i)}
        \mathbf{a}_{z_i}^{\top} \left( \mathbf{b}_{z_j} \odot \mathbf{W}
        \boldsymbol{\phi}(d_{ij}) \right) c(d_{ij})

    over edges from the receptor to the ligand, with vectors of elements,
    Gaussians :math:`\boldsymbol{\phi}`, a cutoff :math:`c` that is smooth, and
    a constant that starts at :math:`\mu` and is learned by :math:`b`, quickly:
    planted energies have none, however far from zero their mean is.

    Args:
        channels: The length of the vectors.
        num_gaussians: How many Gaussians.
        cutoff: Where the cutoff ends, in Angstrom.
        mean: Where the constant starts, :math:`\mu` in kT.
        std: The standard deviation of labels, :math:`\sigma_y` in kT.
        num_atoms: Of a ligand, about. Its atoms have energies of either sign,
            so that their sum is a random walk: :math:`\sigma` is
            :math:`\sigma_y` over the square root of this number.
    """

    def __init__(
        self,
        channels: int,
        num_gaussians: int,
        cutoff: float,
        mean: float = 0.0,
        std: float = 1.0,
        num_atoms: float = 1.0,
    ) -> None:
        super().__init__(aggr='sum')
        self.target = nn.Embedding(NUM_ELEMENTS, channels)
        self.source = nn.Embedding(NUM_ELEMENTS, channels)
        self.gaussians = GaussianSmearing(0.0, cutoff, num_gaussians)
        self.filter = nn.Linear(num_gaussians, channels, bias=False)
        self.cutoff = cutoff
        self.bias = nn.Parameter(torch.zeros(()))
        self.mean, self.std, self.num_atoms = mean, std, num_atoms

    def forward(self, batch: Any) -> Tensor:
        r"""Returns the energy of every pose in kT.

        Args:
            batch: Poses with :obj:`is_ligand` and edges.
        """
        source, target = batch.edge_index
        length = (batch.pos[source] - batch.pos[target]).norm(dim=1)
        fade = 0.5 * (1 + (torch.pi / self.cutoff * length).cos())
        filters = self.filter(self.gaussians(length)) * fade.unsqueeze(1)
        around = self.propagate(
            batch.edge_index, x=self.source(batch.z), filters=filters
        )
        energy = (self.target(batch.z) * around).sum(dim=1, keepdim=True)
        energy = energy * batch.is_ligand.unsqueeze(1)
        total = global_add_pool(energy, batch.batch, batch.num_graphs)
        total = total / self.num_atoms**0.5
        return self.mean + self.std * (10 * self.bias + total)

    def message(self, x_j: Tensor, filters: Tensor) -> Tensor:
        r"""What an atom sends along an edge."""
        return x_j * filters
