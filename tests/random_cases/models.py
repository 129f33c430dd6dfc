"""Kinds of models that evaluate whole complexes."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch_geometric import nn as pyg
from torch_geometric.utils import scatter

from pyg_multipose.nn import RadiusInteractionGraph
from tests.random_cases.sets import CUTOFF, ELEMENTS, RARE

WIDTH = 4


@lru_cache(maxsize=64)
def _prototype(make: Callable[..., nn.Module], *args: Any) -> nn.Module:
    return make(*args)


def fresh(make: Callable[..., nn.Module], *args: Any) -> nn.Module:
    """What a function makes, faster if that takes long, as PyG's layers do.

    Parameters are drawn anew, and the same whether it was made before or not.
    """
    with torch.random.fork_rng([]):
        like = _prototype(make, *args)
    out = copy.deepcopy(like)
    out.reset_parameters()
    return out


@dataclass
class Built:
    """A model, and what the tester has to know of it."""

    model: nn.Module
    #: How the readout calls it.
    inputs: str | None = None
    #: Whether a refusal to share its receptors is a mistake.
    shares: bool = False
    #: Whether a pose may depend on its chunk or on calls before.
    coupled: bool = False
    #: Predictions per pose.
    width: int = 1
    #: Poses without weight may have derivatives that are not finite.
    singular: bool = False
    #: Gradients inside, without switching them on.
    bare: bool = False
    #: Its way to share is wrong where atoms of a receptor have moved.
    rigid: bool = False
    #: Which of several that a kind has.
    note: str = ''
    #: Tensors that require grad and are no parameters.
    leaves: dict[str, Tensor] = field(default_factory=dict)


def lengths(pos: Tensor, edge_index: Tensor) -> Tensor:
    """The length of every edge."""
    return (pos[edge_index[0]] - pos[edge_index[1]]).norm(dim=-1, keepdim=True)


class EdgeLayer(nn.Module):
    """As EdgeConv: messages of both ends, and the largest one wins."""

    def __init__(self, reduce: str = 'max') -> None:
        super().__init__()
        self.reduce = reduce
        self.mlp = nn.Sequential(
            nn.Linear(2 * WIDTH + 1, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH)
        )

    def forward(self, x: Tensor, edge_index: Tensor, length: Tensor) -> Tensor:
        source, target = edge_index
        pair = [x[target], x[source] - x[target], length]
        messages = self.mlp(torch.cat(pair, 1))
        return scatter(messages, target, 0, len(x), self.reduce)


class NoEdgeAttr(nn.Module):
    """A layer that does not look at edge attributes."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, edge_index: Tensor, _: Tensor) -> Tensor:
        return self.layer(x, edge_index)


def _gine() -> nn.Module:
    mlp = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh())
    return pyg.GINEConv(mlp, edge_dim=1)


def gine() -> nn.Module:
    """GINE on lengths."""
    return fresh(_gine)


def _gatv2() -> nn.Module:
    return pyg.GATv2Conv(WIDTH, 2, heads=2, edge_dim=1)


def gatv2() -> nn.Module:
    """Attention that sees lengths."""
    return fresh(_gatv2)


def gcn() -> nn.Module:
    """A layer that knows the degrees of both ends of an edge."""
    return NoEdgeAttr(fresh(pyg.GCNConv, WIDTH, WIDTH))


class Graphs(nn.Module):
    """Layers of messages, then contributions of atoms."""

    def __init__(
        self,
        layers: list[nn.Module],
        norm: nn.Module | None = None,
        out: int = 1,
        reduce: str = 'sum',
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(ELEMENTS, WIDTH)
        self.layers = nn.ModuleList(layers)
        self.norm = norm
        self.head = nn.Linear(WIDTH, out)
        self.reduce = reduce
        self.power = 1.0

    def forward(self, batch) -> Tensor:
        length = lengths(batch.pos, batch.edge_index)
        x = self.embed(batch.z)
        for layer in self.layers:
            x = torch.tanh(x + self.power * layer(x, batch.edge_index, length))
        if self.norm is not None:
            x = self.norm(x, batch.batch)
        return self.pooled(x, batch)

    def pooled(self, x: Tensor, batch) -> Tensor:
        """Predictions from features of atoms."""
        return scatter(
            self.head(x), batch.batch, 0, batch.num_graphs, self.reduce
        )


class Linear(Graphs):
    """No messages at all."""

    def __init__(self) -> None:
        super().__init__([], reduce='mean')
        self.place = nn.Linear(3, WIDTH)

    def forward(self, batch) -> Tensor:
        x = self.embed(batch.z) * self.place(batch.pos)
        return self.pooled(x, batch).squeeze(1)


class Norm(nn.Module):
    """A norm that is told, or not, which graph an atom belongs to."""

    def __init__(self, norm: nn.Module, told: bool) -> None:
        super().__init__()
        self.norm, self.told = norm, told

    def forward(self, x: Tensor, batch: Tensor) -> Tensor:
        return self.norm(x, batch) if self.told else self.norm(x)


class Experts(Graphs):
    """A trunk, perhaps frozen, and a branch for atoms of one element."""

    def __init__(self, frozen: bool) -> None:
        super().__init__([gine()])
        if frozen:
            self.requires_grad_(False)
        self.expert = nn.Linear(WIDTH, WIDTH)

    def pooled(self, x: Tensor, batch) -> Tensor:
        mine = batch.z == RARE
        if mine.any():
            x = x.index_add(0, mine.nonzero()[:, 0], self.expert(x[mine]))
        return super().pooled(x, batch)


class Residual(Graphs):
    """A residual layer behind a gate that starts at zero."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__([])
        self.layer = layer
        self.gate = nn.Parameter(torch.zeros(()))

    def pooled(self, x: Tensor, batch) -> Tensor:
        length = lengths(batch.pos, batch.edge_index)
        x = x + self.gate * self.layer(x, batch.edge_index, length)
        return super().pooled(x, batch)


class Forces(Graphs):
    """An energy, and a term of the forces that it asks autograd for."""

    def __init__(self, bare: bool) -> None:
        super().__init__([gine()])
        self.bare = bare

    def forward(self, batch) -> tuple[Tensor, Tensor]:
        grad = torch.is_grad_enabled()
        with torch.set_grad_enabled(grad or not self.bare):
            if not batch.pos.requires_grad:
                batch.pos.requires_grad_()
            energy = super().forward(batch).squeeze(1)
            (force,) = torch.autograd.grad(
                energy.sum(), batch.pos, create_graph=True
            )
            size = scatter(force.square().sum(1), batch.batch)
            energy = energy + 0.1 * size
        return (energy if grad else energy.detach()), force


class Counter(Graphs):
    """Counts its calls in a buffer, which it may read."""

    def __init__(self, reads: bool) -> None:
        super().__init__([gine()])
        self.reads = reads
        self.register_buffer('calls', torch.zeros(()))
        self.register_buffer('running', torch.zeros(WIDTH))

    def pooled(self, x: Tensor, batch) -> Tensor:
        if self.training:
            self.calls = self.calls + 1
            self.running = 0.9 * self.running + 0.1 * x.detach().mean(0)
        if self.reads:
            x = x * (1 + 0.1 * self.calls) - self.running
        return super().pooled(x, batch)


class Singular(Graphs):
    """A root that has no derivative where a pose has the rare element."""

    def __init__(self) -> None:
        super().__init__([gine()], reduce='mean')
        self.scale = nn.Parameter(torch.tensor(0.5))

    def pooled(self, x: Tensor, batch) -> Tensor:
        rare = ((batch.z == RARE) & batch.is_ligand).to(x.dtype)
        rare = scatter(rare, batch.batch, 0, batch.num_graphs, 'max')
        root = ((1 - rare) * self.scale.square()).sqrt() + 9 * rare
        return super().pooled(x, batch) + root.unsqueeze(1)


class Tied(Graphs):
    """One layer under two names, a tied weight, one that nobody uses."""

    def __init__(self) -> None:
        super().__init__([gine()])
        self.again = self.layers[0]
        self.inner = nn.Linear(WIDTH, WIDTH)
        self.outer = nn.Linear(WIDTH, WIDTH)
        self.outer.weight = self.inner.weight
        self.unused = nn.Linear(2, 2)
        self.embed.weight.requires_grad_(False)

    def pooled(self, x: Tensor, batch) -> Tensor:
        length = lengths(batch.pos, batch.edge_index)
        x = x + self.again(x, batch.edge_index, length)
        return super().pooled(self.outer(self.inner(x).tanh()), batch)


def _norms(rng: random.Random) -> Built:
    kind = rng.choice(['batch', 'batch', 'graph', 'graph-untold', 'dropout'])
    norm, told = {
        'batch': (nn.BatchNorm1d(WIDTH), False),
        'graph': (pyg.GraphNorm(WIDTH), True),
        'graph-untold': (pyg.GraphNorm(WIDTH), False),
        'dropout': (nn.Dropout(0.4), False),
    }[kind]
    model = Graphs([gine()], Norm(norm, told))
    return Built(model, coupled=kind != 'graph', note=kind)


def _spectral(rng: random.Random) -> Built:
    model = Graphs([EdgeLayer('sum')])
    spectral_norm(model.layers[0].mlp[0])
    return Built(model, coupled=True)


def _pyg_schnet(rng: random.Random) -> Built:
    model = fresh(_schnet, rng.choice([1, 2]))
    return Built(model, inputs='z, pos, batch')


def _schnet(layers: int) -> nn.Module:
    graph = RadiusInteractionGraph(CUTOFF)
    return pyg.SchNet(4, 4, layers, 4, interaction_graph=graph)


def _forces(rng: random.Random) -> Built:
    bare = rng.random() < 0.5
    return Built(Forces(bare), bare=bare, note='bare' * bare)


def _residual(rng: random.Random) -> Built:
    layer = rng.choice([gatv2, gine, gcn])
    return Built(Residual(layer()), note=layer.__name__)


#: What is drawn by name; half of the cases have kinds that share receptors.
KINDS: dict[str, Callable[[random.Random], Built]] = {
    'linear': lambda rng: Built(Linear()),
    'gine': lambda rng: Built(
        Graphs([gine(), gine()], reduce=rng.choice(['sum', 'mean']))
    ),
    'gatv2': lambda rng: Built(Graphs([gatv2()])),
    'edge': lambda rng: Built(Graphs([EdgeLayer(rng.choice(['max', 'sum']))])),
    'pyg-schnet': _pyg_schnet,
    'experts': lambda rng: Built(Experts(rng.random() < 0.7)),
    'residual': _residual,
    'norms': _norms,
    'forces': _forces,
    'vector': lambda rng: Built(Graphs([gine()], out=3), width=3),
    'counter': lambda rng: Built(Counter(rng.random() < 0.5), coupled=True),
    'spectral': _spectral,
    'singular': lambda rng: Built(Singular(), singular=True),
    'tied': lambda rng: Built(Tied()),
}
