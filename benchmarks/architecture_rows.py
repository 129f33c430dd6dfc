"""Architectures as rows of a table: how each is built and used."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch_geometric.nn import GAT, GIN, PNA
from torch_geometric.nn.models import (
    AttentiveFP,
    DimeNetPlusPlus,
    SchNet,
    ViSNet,
)

from benchmarks import pyg_models, stand_ins
from pyg_multipose.nn import (
    MultiPoseReadout,
    RadiusInteractionGraph,
    adapters,
)

EXTENSIONS = 'without_extensions(model)'
BY_ATTRIBUTES = "MultiPoseReadout(model, inputs='z, pos, batch')"
NO_METHODS = 'has no encode_receptor'
OTHER_ROWS = 'takes or returns shape'


@dataclass(frozen=True)
class Row:
    r"""One architecture.

    Args:
        name: Its name.
        build: Makes the bare model from a width and a cutoff in Angstrom.
        lines: What is written to use it; the last line makes the readout.
        because: A part of the reason why its receptor is not shared; empty if
            it is.
        stand_in: Whether the model is a small one that is called in the same
            way, and not the architecture itself.
        trains: Whether it has a gradient.
    """

    name: str
    build: Callable[[int, float], Any]
    lines: tuple[str, ...] = ('MultiPoseReadout(model)',)
    because: str = ''
    stand_in: bool = False
    trains: bool = True

    @property
    def shares(self) -> bool:
        r"""Whether its receptor is evaluated once."""
        return not self.because

    @property
    def as_it_is(self) -> bool:
        r"""Whether nothing stands between readout and model."""
        return self.lines[-1].startswith('MultiPoseReadout(model')

    def ready(self, model: Any) -> AbstractContextManager[Any]:
        r"""Around all that calls the model.

        Args:
            model: The bare model.
        """
        if self.lines[0] == EXTENSIONS:
            return adapters.without_extensions(model)
        return nullcontext()

    def readout(self, model: Any, **settings: Any) -> MultiPoseReadout:
        r"""A readout, made by the last of the lines.

        Args:
            model: The bare model.
            **settings: Further arguments of the readout.
        """

        def make(*args: Any, **kwargs: Any) -> MultiPoseReadout:
            return MultiPoseReadout(*args, **kwargs, **settings)

        names = {**vars(adapters), **vars(stand_ins), **vars(pyg_models)}
        names |= {'elements': stand_ins.ELEMENTS, 'model': model}
        return eval(self.lines[-1], names | {'MultiPoseReadout': make})


def _pna(width: int, _: float) -> nn.Module:
    gnn = PNA(
        *(width, width, 2),
        aggregators=['sum', 'mean', 'max', 'std'],
        scalers=['identity', 'amplification'],
        deg=torch.arange(1, 30),
    )
    return pyg_models.Pooled(gnn, width)


def _schnet(width: int, cutoff: float) -> SchNet:
    return SchNet(
        *(width, width, 2, 12, cutoff),
        interaction_graph=RadiusInteractionGraph(cutoff),
    )


def _frozen(width: int, cutoff: float) -> nn.Module:
    model = _schnet(width, cutoff).requires_grad_(False)
    model.lin2.requires_grad_(True)
    return model


def _low_rank(width: int, cutoff: float) -> nn.Module:
    return pyg_models.low_rank(_schnet(width, cutoff))


#: The table, defined once: for its tests, and for the command.
ROWS = (
    Row('SchNet, RadiusInteractionGraph', _schnet, (BY_ATTRIBUTES,)),
    Row('the same, all but its head frozen', _frozen, (BY_ATTRIBUTES,)),
    Row('the same, with low-rank updates', _low_rank, (BY_ATTRIBUTES,)),
    Row(
        'SchNet',
        lambda width, cutoff: SchNet(width, width, 2, 12, cutoff),
        (EXTENSIONS, BY_ATTRIBUTES),
    ),
    Row(
        'DimeNet++',
        lambda width, cutoff: DimeNetPlusPlus(
            hidden_channels=width,
            out_channels=1,
            num_blocks=1,
            int_emb_size=8,
            basis_emb_size=4,
            out_emb_channels=width,
            num_spherical=2,
            num_radial=3,
            cutoff=cutoff,
            output_initializer='glorot_orthogonal',
        ),
        (EXTENSIONS, BY_ATTRIBUTES),
        because=NO_METHODS,
    ),
    Row(
        'ViSNet',
        lambda width, cutoff: ViSNet(
            hidden_channels=width,
            num_layers=2,
            num_heads=2,
            num_rbf=8,
            cutoff=cutoff,
        ),
        (EXTENSIONS, BY_ATTRIBUTES),
        because=OTHER_ROWS,
    ),
    Row(
        'GAT',
        lambda width, _: pyg_models.Pooled(GAT(width, width, 2), width),
    ),
    Row(
        'GATv2 (lengths of edges)',
        lambda width, _: pyg_models.Bonded(
            [pyg_models.attention(width) for _ in range(2)], width
        ),
    ),
    Row(
        'GIN',
        lambda width, _: pyg_models.Pooled(GIN(width, width, 2), width),
    ),
    Row(
        'GINE (lengths of edges)',
        lambda width, _: pyg_models.Bonded(
            [pyg_models.gine(width) for _ in range(2)], width
        ),
    ),
    Row('PNA', _pna),
    Row(
        'GPSConv',
        lambda width, _: pyg_models.Transformer(width),
        because='it indexes by the batch vector',
    ),
    Row(
        'TopKPooling',
        lambda width, _: pyg_models.TopK(width),
        because=OTHER_ROWS,
    ),
    Row(
        'AttentiveFP',
        lambda width, _: AttentiveFP(100, width, 1, 1, 2, 2),
        ('MultiPoseReadout(Fingerprint(model))',),
        because=OTHER_ROWS,
    ),
    Row(
        'HeteroData: ligand and pocket',
        lambda width, _: pyg_models.Hetero(width),
        ('MultiPoseReadout(HeteroModel(model))',),
        because='change so much of a receptor',
    ),
    Row(
        'A MessagePassing of your own',
        lambda width, _: pyg_models.Bonded(
            [pyg_models.Own(width) for _ in range(2)], width
        ),
    ),
    Row(
        'MACE',
        lambda width, _: stand_ins.Mace(width),
        ('MultiPoseReadout(MACEModel(model))',),
        because=NO_METHODS,
        stand_in=True,
    ),
    Row(
        'NequIP, Allegro',
        lambda width, _: stand_ins.NequIP(width),
        ('MultiPoseReadout(NequIPModel(model, elements))',),
        because=NO_METHODS,
        stand_in=True,
    ),
    Row(
        'torchmd-net',
        lambda width, cutoff: stand_ins.TorchMD(width, cutoff, False),
        (BY_ATTRIBUTES,),
        because=NO_METHODS,
        stand_in=True,
    ),
    Row(
        'torchmd-net, with forces',
        lambda width, cutoff: stand_ins.TorchMD(width, cutoff),
        (BY_ATTRIBUTES,),
        because=NO_METHODS,
        stand_in=True,
    ),
    Row(
        'metatomic',
        lambda width, _: stand_ins.Metatomic(width),
        ('MultiPoseReadout(ListModel(model, system, energy))',),
        because=NO_METHODS,
        stand_in=True,
    ),
    Row(
        'A function that returns numbers (inference)',
        lambda *_: stand_ins.contacts,
        ('MultiPoseReadout(Scorer(model))',),
        because=NO_METHODS,
        trains=False,
    ),
)
