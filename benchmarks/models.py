"""The single-pose models, in pairs of the same weights: plain, and ours."""

from __future__ import annotations

import copy

import torch
from torch import nn

from benchmarks import reference
from benchmarks.cases import PYG_MODELS
from benchmarks.losses import Loss
from benchmarks.pyg_networks import build_pyg
from benchmarks.settings import Settings
from pyg_multipose.nn import RadiusInteractionGraph
from pyg_multipose.nn.models import EquivariantGNN, SchNet

#: What a head is scaled by, so that under Max with t = 1000 one pose matters.
SHARP = 100.0


def build(
    name: str, loss: Loss, settings: Settings
) -> tuple[nn.Module, nn.Module]:
    r"""A plain model and ours, with the same weights, in the default dtype.

    Of a model of :pyg:`PyG` both are that model.

    Args:
        name: One of :obj:`benchmarks.cases.MODELS`, or of
            :obj:`benchmarks.cases.PYG_MODELS`.
        loss: It tells the number of predictions, and how sharp they are.
        settings: The widths, and the device.
    """
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        if name in PYG_MODELS:
            plain = build_pyg(name, loss, settings).to(settings.device)
            return plain, copy.deepcopy(plain)
        plain, ours = (_schnet if name == 'schnet' else _e3nn)(loss, settings)
    if loss.sharp:
        head = 'lin2.weight' if name == 'schnet' else 'head.2.weight'
        with torch.no_grad():
            ours.get_parameter(head).mul_(SHARP)
    reference.load(plain, ours)
    return plain.to(settings.device), ours.to(settings.device)


def needs_edges(model: nn.Module) -> bool:
    r"""Whether a model reads edges, rather than finding them.

    Args:
        model: Plain or ours.
    """
    # A strategy holds its model.
    return not isinstance(getattr(model, 'model', model), reference.SchNet)


def renew(model: nn.Module) -> None:
    r"""Changes all weights a little, as the step of an optimizer does.

    Nothing that was kept from the step before is valid then.

    Args:
        model: The model.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 + 1e-6)


def _schnet(loss: Loss, settings: Settings) -> tuple[nn.Module, nn.Module]:
    plain = reference.SchNet(
        **settings.schnet,
        interaction_graph=RadiusInteractionGraph(settings.cutoff),
    )
    ours = SchNet(**settings.schnet)
    if loss.channels > 1:
        for model in (plain, ours):
            model.lin2 = nn.Linear(model.lin2.in_features, loss.channels)
    return plain, ours


def _e3nn(loss: Loss, settings: Settings) -> tuple[nn.Module, nn.Module]:
    arguments = {**settings.e3nn, 'out_channels': loss.channels}
    plain = reference.EquivariantGNN(**arguments)
    return plain, EquivariantGNN(**arguments)
