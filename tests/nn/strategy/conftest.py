"""Strategies, and what they are by hand on whole complexes and parts."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch
from torch_geometric.nn import GIN, SchNet, global_add_pool

from pyg_multipose.nn import (
    ComplexOnlyStrategy,
    ConcatStrategy,
    DeltaStrategy,
    RadiusInteractionGraph,
)
from pyg_multipose.nn import models as ours

WIDTH = 4


class ByHand(nn.Module):
    """A small network without layers of PyG: it cannot share a receptor."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 6)
        self.message = nn.Linear(7, 6)
        self.head = nn.Linear(6, WIDTH)

    def forward(self, batch):
        x = self.embedding(batch.z)
        source, target = batch.edge_index
        length = (batch.pos[source] - batch.pos[target]).norm(dim=1)
        sent = torch.cat([x[source], length[:, None]], dim=1)
        sent = self.message(sent).tanh()
        x = x + torch.zeros_like(x).index_add(0, target, sent)
        return global_add_pool(
            self.head(x.tanh()), batch.batch, batch.num_graphs
        )


class ByLayers(nn.Module):
    """PyG's GIN: it shares a receptor by its layers."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 6)
        self.gnn = GIN(6, WIDTH, 2)

    def forward(self, batch):
        x = self.gnn(self.embedding(batch.z), batch.edge_index)
        return global_add_pool(x.tanh(), batch.batch, batch.num_graphs)


def schnet(cutoff):
    """Ours, which shares a receptor by itself."""
    model = ours.SchNet(6, 6, 2, 5, cutoff)
    model.lin2 = nn.Linear(3, WIDTH)
    return model


def pyg_schnet(cutoff):
    """PyG's, which finds its edges itself."""
    model = SchNet(
        *(6, 6, 2, 5, cutoff),
        interaction_graph=RadiusInteractionGraph(cutoff),
    )
    model.lin2 = nn.Linear(3, WIDTH)
    return model


def head(width=WIDTH):
    return nn.Sequential(nn.Linear(width, 5), nn.SiLU(), nn.Linear(5, 1))


#: Strategies of models that are made by a function.
STRATEGIES = {
    'complex': lambda make, **kw: ComplexOnlyStrategy(make(), head(), **kw),
    'delta': lambda make, **kw: DeltaStrategy(make(), head=head(), **kw),
    'delta, no head': lambda make, **kw: DeltaStrategy(make(), **kw),
    'delta, separate': lambda make, **kw: DeltaStrategy(
        *(make() for _ in range(3)), head(), head(), head(), **kw
    ),
    'concat': lambda make, **kw: ConcatStrategy(make(), head(3 * WIDTH), **kw),
    'concat, separate': lambda make, **kw: ConcatStrategy(
        make(), head(3 * WIDTH), make(), make(), **kw
    ),
    'concat, symmetric': lambda make, **kw: ConcatStrategy(
        make(), head(3 * WIDTH), make(), symmetric=True, **kw
    ),
}


def by_hand(kind, strategy, graphs):
    """A prediction of one pose from its parts, written out."""
    models = {
        'C': strategy.model,
        'L': strategy.ligand_model or strategy.model,
        'R': strategy.receptor_model or strategy.model,
    }

    def f(part):
        batch = Batch.from_data_list([graphs[part]])
        if strategy.inputs is None:
            return models[part](batch)
        return models[part](batch.z, batch.pos, batch.batch)

    if kind == 'complex':
        return strategy.head(f('C'))
    if kind == 'concat, symmetric':
        both = f('L') + f('R')
        return strategy.head(torch.cat([f('C'), both, both], 1))
    if kind.startswith('concat'):
        return strategy.head(torch.cat([f('C'), f('L'), f('R')], 1))
    if kind == 'delta, no head':
        return f('C') - f('L') - f('R')
    first = strategy.head
    second = strategy.ligand_head or first
    third = strategy.receptor_head or first
    return first(f('C')) - second(f('L')) - third(f('R'))


def plain(kind, strategy, batch):
    """Predictions of poses, each from graphs of its own."""
    out = []
    for of_set in batch.to_data_list():
        receptor = of_set.receptor
        pairs = zip(of_set.to_poses(), of_set.ligands(), strict=True)
        for whole, ligand in pairs:
            graphs = {'C': whole, 'L': ligand, 'R': receptor}
            out.append(by_hand(kind, strategy, graphs))
    return torch.cat(out)


def expected(kind, strategy, combination, batch):
    """Combined predictions and all gradients by plain autograd."""
    batch = batch.clone()
    batch.pos.requires_grad_()
    poses = plain(kind, strategy, batch)
    index = torch.repeat_interleave(batch.set_size)
    out = combination(poses, index=index, dim_size=batch.num_graphs)
    out = out.squeeze(1) if out.size(1) == 1 else out
    strategy.zero_grad()
    out.sin().sum().backward()
    grads = {name: p.grad for name, p in strategy.named_parameters()}
    strategy.zero_grad()
    return out.detach(), {**grads, 'pos': batch.pos.grad}


def check(got, expected):
    """Gradients by name; some are zero but for rounding."""
    largest = max(g.abs().max() for g in expected.values() if g is not None)
    assert largest > 0
    for name, value in expected.items():
        value = torch.zeros(()) if value is None else value
        other = got.get(name)
        other = torch.zeros_like(value) if other is None else other
        scale = value.abs().max() + 1e-4 * largest
        assert (other - value).abs().max() <= 1e-10 * scale, name


@pytest.fixture
def parts(kit):
    """The functions above, for test modules."""
    return SimpleNamespace(
        MODELS={
            'by hand': ByHand,
            'by layers': ByLayers,
            'SchNet': lambda: schnet(kit.CUTOFF),
        },
        STRATEGIES=STRATEGIES,
        WIDTH=WIDTH,
        check=check,
        expected=expected,
        head=head,
        kit=kit,
        plain=plain,
        pyg_schnet=lambda: pyg_schnet(kit.CUTOFF),
    )
