"""Models that share a receptor, in all the ways there are."""

import torch
from torch import nn
from torch_geometric.nn import (
    GAT,
    GCN,
    GIN,
    PNA,
    EdgeCNN,
    GATv2Conv,
    GINEConv,
    GraphSAGE,
    SchNet,
    global_add_pool,
    global_max_pool,
    global_mean_pool,
)

from pyg_multipose.nn import RadiusInteractionGraph
from pyg_multipose.nn import models as ours
from tests.moved_sets import CUTOFF

WIDTH = 6


class Pooled(nn.Module):
    """Layers of PyG on elements and features, then a pooling and a head."""

    def __init__(self, gnn, pool=global_add_pool, edges=''):
        super().__init__()
        self.embedding = nn.Embedding(10, WIDTH)
        self.features = nn.Linear(2, WIDTH)
        self.gnn, self.pool, self.edges = gnn, pool, edges
        self.head = nn.Sequential(
            nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, 1)
        )

    def forward(self, batch):
        x = self.embedding(batch.z) + self.features(batch.x)
        if self.edges:
            attr = self.attributes(batch)
            for layer in self.gnn:
                x = layer(x, batch.edge_index, attr).tanh()
        else:
            x = self.gnn(x, batch.edge_index)
        return self.head(self.pool(x, batch.batch, batch.num_graphs))

    def attributes(self, batch):
        if self.edges == 'stored':
            return batch.edge_attr
        source, target = batch.edge_index
        return (batch.pos[source] - batch.pos[target]).norm(dim=1)[:, None]


class Alone(nn.Module):
    """PyG's SchNet, which finds its edges itself."""

    def __init__(self):
        super().__init__()
        near = RadiusInteractionGraph(CUTOFF)
        self.schnet = SchNet(
            *(WIDTH, WIDTH, 3, 5, CUTOFF), interaction_graph=near
        )

    def forward(self, batch):
        return self.schnet(batch.z, batch.pos, batch.batch)


class Lengths(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(1, 3)

    def forward(self, pos, edge_index):
        source, target = edge_index
        length = (pos[source] - pos[target]).norm(dim=-1, keepdim=True)
        return self.lin(length).tanh()


def gine(width=1, **kwargs):
    return GINEConv(nn.Linear(WIDTH, WIDTH), edge_dim=width, **kwargs)


def pna():
    return PNA(
        *(WIDTH, WIDTH, 2),
        aggregators=['sum', 'mean', 'max', 'std'],
        scalers=['identity', 'amplification'],
        deg=torch.arange(1, 9),
    )


def schnet(num_layers=3, **kwargs):
    return ours.SchNet(6, 6, num_layers, 5, CUTOFF, **kwargs)


def e3nn(num_layers=3, **kwargs):
    return ours.EquivariantGNN(
        '3x0e+2x1o', num_layers=num_layers, cutoff=CUTOFF, lmax=1, **kwargs
    )


def layers(layer, number=3, **kwargs):
    return ours.SharedLayers(
        nn.Embedding(10, WIDTH),
        [layer() for _ in range(number)],
        nn.Sequential(nn.Linear(WIDTH, 5), nn.SiLU(), nn.Linear(5, 1)),
        Lengths(),
        **kwargs,
    )


def gatv2():
    return GATv2Conv(WIDTH, 3, heads=2, edge_dim=3)


MODELS = {
    'SchNet': schnet,
    'SchNet, mean': lambda: schnet(readout='mean'),
    'SchNet, ligand': lambda: schnet(atoms='ligand'),
    'SchNet, mean of ligand': lambda: schnet(
        4, readout='mean', atoms='ligand'
    ),
    'e3nn': e3nn,
    'e3nn, mean of ligand': lambda: e3nn(pool='mean', atoms='ligand'),
    'layers': lambda: layers(gatv2),
    'layers, mean of ligand': lambda: layers(
        lambda: gine(3, aggr='max'), 4, pool='mean', atoms='ligand'
    ),
    'PyG SchNet': Alone,
    'GIN': lambda: Pooled(GIN(WIDTH, WIDTH, 3)),
    'GIN, mean': lambda: Pooled(GIN(WIDTH, WIDTH, 2), global_mean_pool),
    'GIN, max': lambda: Pooled(GIN(WIDTH, WIDTH, 2), global_max_pool),
    'GATv2': lambda: Pooled(GAT(WIDTH, WIDTH, 2, v2=True, heads=2)),
    'PNA': lambda: Pooled(pna()),
    'GCN': lambda: Pooled(GCN(WIDTH, WIDTH, 3)),
    'GraphSAGE': lambda: Pooled(GraphSAGE(WIDTH, WIDTH, 3), global_mean_pool),
    'EdgeCNN': lambda: Pooled(EdgeCNN(WIDTH, WIDTH, 2)),
    'GINE': lambda: Pooled(nn.ModuleList([gine(), gine()]), edges='lengths'),
}  # fmt: skip


def model_of(name):
    torch.manual_seed(0)
    return MODELS[name]().double().eval()
