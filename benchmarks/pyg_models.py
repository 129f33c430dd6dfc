"""Small models of PyG's layers, and what they are made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch_geometric.data import Batch, Data
from torch_geometric.nn import (
    GATv2Conv,
    GINConv,
    GINEConv,
    GPSConv,
    HeteroConv,
    LayerNorm,
    MessagePassing,
    SAGEConv,
    TopKPooling,
    global_add_pool,
)


class Pooled(nn.Module):
    r"""Layers of PyG, a sum over atoms, and a head.

    Args:
        gnn: The layers, one module.
        width: Channels.
        channels: Predictions of a pose. (default: :obj:`1`)
    """

    def __init__(self, gnn: nn.Module, width: int, channels: int = 1) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, width)
        self.gnn = gnn
        self.head = nn.Linear(width, channels)

    def forward(self, batch: Batch) -> Tensor:
        r"""Predicts every pose.

        Args:
            batch: Poses as graphs.
        """
        x = self.gnn(self.embedding(batch.z), batch.edge_index)
        return self.head(global_add_pool(x, batch.batch, batch.num_graphs))


class Bonded(nn.Module):
    r"""Layers of PyG with lengths as attributes of edges.

    Args:
        layers: The layers.
        width: Channels.
    """

    def __init__(self, layers: list[nn.Module], width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, width)
        self.layers = nn.ModuleList(layers)
        self.head = nn.Linear(width, 1)

    def forward(self, batch: Batch) -> Tensor:
        r"""Predicts every pose.

        Args:
            batch: Poses as graphs.
        """
        x, length = self.embedding(batch.z), lengths(batch)
        for layer in self.layers:
            x = layer(x, batch.edge_index, edge_attr=length).tanh()
        return self.head(global_add_pool(x, batch.batch, batch.num_graphs))


class Transformer(nn.Module):
    r"""Layers of :class:`~torch_geometric.nn.GPSConv`.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, width)
        self.layers = nn.ModuleList(
            GPSConv(
                width,
                GINConv(nn.Linear(width, width)),
                heads=2,
                norm=LayerNorm(width, mode='node'),
            )
            for _ in range(2)
        )
        self.head = nn.Linear(width, 1)

    def forward(self, batch: Batch) -> Tensor:
        r"""Predicts every pose.

        Args:
            batch: Poses as graphs.
        """
        x = self.embedding(batch.z)
        for layer in self.layers:
            x = layer(x, batch.edge_index, batch.batch)
        return self.head(global_add_pool(x, batch.batch, batch.num_graphs))


class TopK(nn.Module):
    r"""A layer on all atoms, and one on the best half of them.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, width)
        self.first = Own(width)  # by distance: no two atoms are alike
        self.pool = TopKPooling(width, ratio=0.5)
        self.second = SAGEConv(width, width)
        self.head = nn.Linear(width, 1)

    def forward(self, batch: Batch) -> Tensor:
        r"""Predicts every pose.

        Args:
            batch: Poses as graphs.
        """
        x = self.embedding(batch.z)
        x = self.first(x, batch.edge_index, lengths(batch)).tanh()
        x, edge_index, _, index, _, _ = self.pool(
            x, batch.edge_index, batch=batch.batch
        )
        x = self.second(x, edge_index).tanh()
        return self.head(global_add_pool(x, index, batch.num_graphs))


class Own(MessagePassing):
    r"""A layer as somebody writes it: gates by distance, and a sum.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__(aggr='add')
        self.lin = nn.Linear(width, width)
        self.gate = nn.Linear(1, width)

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_attr: Tensor
    ) -> Tensor:
        r"""One round of messages.

        Args:
            x: Features of atoms.
            edge_index: Edges.
            edge_attr: Their lengths.
        """
        return x + self.propagate(
            edge_index, x=self.lin(x), edge_attr=edge_attr
        )

    def message(self, x_j: Tensor, edge_attr: Tensor) -> Tensor:
        r"""What an atom sends.

        Args:
            x_j: Features of sources.
            edge_attr: Lengths of edges.
        """
        return x_j * self.gate(edge_attr).sigmoid()


class Hetero(nn.Module):
    r"""Layers between ligand and pocket, as types of nodes.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        kinds = ('pocket', 'ligand')
        self.embedding = nn.Embedding(100, width)
        self.layers = nn.ModuleList(
            HeteroConv(
                {
                    (a, 'to', b): SAGEConv(width, width)
                    for a in kinds
                    for b in kinds
                }
            )
            for _ in range(2)
        )
        self.head = nn.Linear(width, 1)

    def forward(self, data: Any) -> Tensor:
        r"""Predicts every pose.

        Args:
            data: A batch of heterogeneous graphs.
        """
        x = {name: self.embedding(z) for name, z in data.z_dict.items()}
        for layer in self.layers:
            x = layer(x, data.edge_index_dict)
            x = {name: value.tanh() for name, value in x.items()}
        index = data['ligand'].batch
        return self.head(global_add_pool(x['ligand'], index, data.num_graphs))


class Fingerprint(nn.Module):
    r"""AttentiveFP, with features of atoms and edges made of a pose.

    Args:
        model: The model of :pyg:`PyG`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Tensor:
        r"""Predicts every pose.

        Args:
            batch: Poses as graphs.
        """
        x = nn.functional.one_hot(batch.z, 100).to(batch.pos)
        return self.model(x, batch.edge_index, lengths(batch), batch.batch)


def lengths(batch: Data) -> Tensor:
    r"""The length of every edge, in Angstrom.

    Args:
        batch: Graphs.
    """
    source, target = batch.edge_index
    return (batch.pos[source] - batch.pos[target]).norm(dim=1, keepdim=True)


def gine(width: int) -> nn.Module:
    r"""A layer of :class:`~torch_geometric.nn.GINEConv`.

    Args:
        width: Channels.
    """
    return GINEConv(nn.Linear(width, width), edge_dim=1)


def attention(width: int) -> nn.Module:
    r"""A layer of :class:`~torch_geometric.nn.GATv2Conv`.

    Args:
        width: Channels.
    """
    return GATv2Conv(width, width, edge_dim=1, add_self_loops=False)


class LowRank(nn.Module):
    r"""A weight plus a product of two thin matrices, which are trained.

    Args:
        weight: The weight, which is not.
        rank: Their rank. (default: :obj:`2`)
    """

    def __init__(self, weight: Tensor, rank: int = 2) -> None:
        super().__init__()
        out_channels, in_channels = weight.shape
        self.up = nn.Parameter(weight.new_zeros(out_channels, rank))
        self.down = nn.Parameter(0.1 * torch.randn(rank, in_channels))

    def forward(self, weight: Tensor) -> Tensor:
        r"""The weight that is used.

        Args:
            weight: The weight as it was trained.
        """
        return weight + self.up @ self.down


def low_rank(model: nn.Module) -> nn.Module:
    r"""Freezes a model, and gives its linear layers low-rank updates.

    Args:
        model: The model.
    """
    model.requires_grad_(False)
    for module in list(model.modules()):
        if isinstance(module, nn.Linear):
            update = LowRank(module.weight)
            parametrize.register_parametrization(module, 'weight', update)
    return model
