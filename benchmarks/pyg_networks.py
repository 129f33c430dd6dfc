"""Models of PyG as they are, which know nothing of receptors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch_geometric import nn as pyg

from benchmarks.losses import Loss
from benchmarks.pyg_models import Pooled
from benchmarks.reference import SchNet
from benchmarks.settings import Settings
from pyg_multipose.nn import RadiusInteractionGraph

#: Attention heads of GATv2.
HEADS = 4


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
