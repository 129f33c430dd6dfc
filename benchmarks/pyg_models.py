"""Models of PyG as they are, which know nothing of receptors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from benchmarks.losses import Loss
from benchmarks.reference import SchNet
from benchmarks.settings import Settings
from pyg_multipose.nn import RadiusInteractionGraph

#: Attention heads of GATv2.
HEADS = 4


class Pooled(nn.Module):
    r"""A graph network of :pyg:`PyG` between an embedding and a head.

    Args:
        network: From features of atoms and edges to features.
        width: The number of features.
        channels: Predictions of a graph.
    """

    def __init__(self, network: nn.Module, width: int, channels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, width)
        self.network = network
        self.head = nn.Linear(width, channels)

    def forward(self, graphs: Any) -> Tensor:
        r"""Predictions of all graphs, :obj:`[P, F]`."""
        x = self.network(self.embedding(graphs.z), graphs.edge_index)
        return self.head(
            pyg.global_add_pool(x, graphs.batch, graphs.num_graphs)
        )


def build_pyg(name: str, loss: Loss, settings: Settings) -> nn.Module:
    r"""A model of :pyg:`PyG`.

    Args:
        name: One of :obj:`benchmarks.cases.PYG_MODELS`.
        loss: It tells the number of predictions.
        settings: The widths.
    """
    arguments = settings.pyg
    if name == "PyG's SchNet":
        return SchNet(
            **{
                **settings.schnet,
                'num_interactions': arguments['num_layers'],
            },
            interaction_graph=RadiusInteractionGraph(settings.cutoff),
        )
    network = _NETWORKS[name](**arguments)
    return Pooled(network, arguments['hidden_channels'], loss.channels)


def _gatv2(**arguments: Any) -> nn.Module:
    return pyg.GAT(**arguments, v2=True, heads=HEADS)


def _pna(**arguments: Any) -> nn.Module:
    return pyg.PNA(
        **arguments,
        aggregators=['mean', 'min', 'max', 'std'],
        scalers=['identity', 'amplification', 'attenuation'],
        deg=torch.ones(40, dtype=torch.long),
    )


_NETWORKS: dict[str, Callable[..., nn.Module]] = {
    'GIN': pyg.GIN,
    'GATv2': _gatv2,
    'PNA': _pna,
}
