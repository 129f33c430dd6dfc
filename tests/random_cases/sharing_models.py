"""Kinds of models that share a receptor, or only look as if they could."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg
from torch_geometric.utils import degree, scatter

from pyg_multipose.nn.models import EquivariantGNN, SchNet, SharedLayers
from tests.random_cases.models import (
    WIDTH,
    Built,
    EdgeLayer,
    fresh,
    gatv2,
    gcn,
    gine,
    lengths,
)
from tests.random_cases.sets import CUTOFF, ELEMENTS, RARE


class Gated(nn.Module):
    """A residual layer behind a gate, which is often zero."""

    def __init__(self, layer: nn.Module, gate: float) -> None:
        super().__init__()
        self.layer = layer
        self.gate = nn.Parameter(torch.tensor(gate))

    def forward(self, x: Tensor, edge_index: Tensor, attr: Tensor) -> Tensor:
        return x + self.gate * self.layer(x, edge_index, attr)


class Degrees(nn.Module):
    """Divides messages by the degree of their source, six at least."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(WIDTH, WIDTH)
        self.least = 3

    def forward(self, x: Tensor, edge_index: Tensor, _: Tensor) -> Tensor:
        source, target = edge_index
        size = degree(source, len(x), dtype=x.dtype).clamp(min=self.least)
        sent = (self.lin(x) / size.unsqueeze(1))[source]
        return scatter(sent, target, 0, len(x)).tanh()


class Untold(nn.Module):
    """A norm over all atoms of a call."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor, *_: Tensor) -> Tensor:
        return self.norm(x)


class Attributes(nn.Module):
    """Edge attributes from lengths; some of them see other edges."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.norm = nn.BatchNorm1d(1) if kind == 'batch-norm' else None

    def forward(self, pos: Tensor, edge_index: Tensor) -> Tensor:
        length = lengths(pos, edge_index)
        if self.kind == 'by-longest' and len(length):
            return length / length.max()
        if self.kind == 'dropout':
            return nn.functional.dropout(length, 0.3, self.training)
        if self.norm is not None and len(length) > 1:
            return self.norm(length)
        return length


class TwoTower(nn.Module):
    """The receptor's atoms hear each other; the ligand's hear them.

    With a `mistake`, poses beside an encoded receptor differ from whole
    complexes in a way that not every look at the model finds.
    """

    def __init__(self, mistake: str = '') -> None:
        super().__init__()
        self.mistake = mistake
        self.embed = nn.Embedding(ELEMENTS, WIDTH)
        self.within = nn.Linear(1, WIDTH)
        self.across = nn.Linear(1, WIDTH)
        self.head = nn.Linear(WIDTH, 1)
        self.gate = nn.Parameter(torch.zeros(()))

    def tower(self, z: Tensor, pos: Tensor, edges: Tensor) -> Tensor:
        message = self.within(lengths(pos, edges)).tanh()
        message = message * self.embed(z)[edges[0]]
        return torch.tanh(
            self.embed(z) + scatter(message, edges[1], 0, len(z))
        )

    def encode_receptor(self, receptor) -> dict[str, Tensor]:
        h = self.tower(receptor.z, receptor.pos, receptor.edge_index)
        return {'atoms': h, 'whole': self.head(h).sum(0)}

    def ligands(
        self,
        graphs,
        of_receptor: Tensor,
        first: Tensor,
        index: Tensor,
        number: int,
        whole: bool,
    ) -> Tensor:
        """What ligand atoms, those not `first`, add to each pose."""
        z, pos, edges = graphs.z, graphs.pos, graphs.edge_index
        inward = edges[:, ~first[edges[1]] & first[edges[0]]]
        message = self.across(lengths(pos, inward)).tanh()
        message = message * of_receptor[inward[0]]
        own = self.embed(z)
        own = torch.tanh(own + scatter(message, inward[1], 0, len(z)))
        term = own.sum(1, keepdim=True)
        if whole and self.mistake == 'gate':
            own = own + self.gate * term
        if whole and self.mistake == 'element':
            own = own + (z == RARE).unsqueeze(1) * term
        if whole and self.mistake == 'training' and self.training:
            own = own * 0.9
        if whole and self.mistake == 'gradient':
            own = own - 0.5 * (own - own.detach())
        return scatter(self.head(own)[~first], index[~first], 0, number)

    def forward_poses(self, poses, state: dict[str, Tensor]) -> Tensor:
        h = state['atoms']
        size, rows, number = len(h), len(poses.z), poses.num_poses
        index = torch.arange(number).repeat_interleave(poses.pose_size)
        index = torch.cat([index.new_zeros(size), index])
        h = torch.cat([h, h.new_zeros(rows - size, h.size(1))])
        first = torch.arange(rows) < size
        out = self.ligands(poses, h, first, index, number, False)
        return out + state['whole']

    def forward(self, batch) -> Tensor:
        first, edges, number = ~batch.is_ligand, batch.edge_index, None
        number = batch.num_graphs
        within = edges[:, first[edges[0]] & first[edges[1]]]
        h = self.tower(batch.z, batch.pos, within)
        whole = scatter(self.head(h)[first], batch.batch[first], 0, number)
        return whole + self.ligands(batch, h, first, batch.batch, number, True)


class WideSchNet(SchNet):
    """Squashes features in a method that forward uses."""

    def interact(self, *args, **kwargs) -> Tensor:
        return super().interact(*args, **kwargs).tanh()


class NoisySchNet(SchNet):
    """Its own readout, atom by atom, which stays exact."""

    def readout(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        return 0.5 * super().readout(x, z).tanh()


def _schnet(rng: random.Random) -> Built:
    cls = rng.choice([SchNet, SchNet, SchNet, WideSchNet, NoisySchNet])
    model = cls(
        4,
        4,
        rng.choice([1, 2, 2]),
        4,
        cutoff=CUTOFF,
        readout=rng.choice(['add', 'mean']),
        atoms=rng.choice(['all', 'ligand']),
    )
    return Built(model, shares=cls is SchNet, note=cls.__name__)


def _capped(rng: random.Random) -> Built:
    model = SchNet(4, 4, 1, 4, cutoff=CUTOFF, max_num_neighbors=2)
    inputs = rng.choice([None, 'z, pos, batch'])
    return Built(model, inputs=inputs)


def _equivariant_gnn(atoms: str, pool: str) -> EquivariantGNN:
    return EquivariantGNN(
        '2x0e+1x1o',
        num_layers=1,
        cutoff=CUTOFF,
        lmax=1,
        num_radial=2,
        radial_channels=2,
        pool=pool,
        atoms=atoms,
        num_elements=ELEMENTS,
    )


def _equivariant(rng: random.Random) -> Built:
    atoms, pool = rng.choice(['all', 'ligand']), rng.choice(['sum', 'mean'])
    return Built(fresh(_equivariant_gnn, atoms, pool), shares=True)


def _layers(rng: random.Random) -> Built:
    kind = rng.choice(['plain', 'plain', 'gated', 'hidden', 'attr', 'norm'])
    good = [gatv2, gine, lambda: EdgeLayer('sum')]
    bad = [gcn, Degrees, lambda: Untold(pyg.GraphNorm(WIDTH))]
    layers = [rng.choice(good)() for _ in range(rng.choice([1, 2]))]
    gate = rng.choice([0.0, 0.0, 0.3])
    attr = 'plain'
    if kind == 'gated':
        layers.append(Gated(rng.choice(good)(), gate))
    if kind == 'hidden':
        layers.append(Gated(rng.choice(bad)(), gate))
    if kind == 'attr':
        attr = rng.choice(['by-longest', 'batch-norm', 'dropout'])
    if kind == 'norm':
        norm = [nn.BatchNorm1d, pyg.GraphNorm, nn.LayerNorm]
        layers.append(Untold(rng.choice(norm)(WIDTH)))
    model = SharedLayers(
        nn.Embedding(ELEMENTS, WIDTH),
        layers,
        nn.Linear(WIDTH, 1),
        edge_attr=Attributes(attr),
        pool=rng.choice(['sum', 'mean']),
        atoms=rng.choice(['all', 'ligand']),
    )
    return Built(
        model,
        shares=kind in ('plain', 'gated'),
        coupled=kind in ('hidden', 'attr', 'norm'),
        note=f'{kind} {attr} {layers[-1]}'.replace('\n', ''),
    )


def _mistaken(rng: random.Random) -> Built:
    mistakes = ['gate', 'element', 'training', 'gradient']
    mistake = rng.choice(mistakes)
    return Built(TwoTower(mistake), note=mistake)


#: What is drawn by name, as in `models`.
SHARING_KINDS: dict[str, Callable[[random.Random], Built]] = {
    'schnet': _schnet,
    'equivariant': _equivariant,
    'layers': _layers,
    'two-tower': lambda rng: Built(TwoTower(), shares=True, rigid=True),
    'mistaken': _mistaken,
    'capped': _capped,
}
