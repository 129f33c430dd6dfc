"""Atoms of a receptor have moved: by what they change, as whole complexes.

The reference is plain autograd on complexes that are put together by hand.
"""

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch
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

from pyg_multipose.nn import MultiPoseReadout, RadiusInteractionGraph
from pyg_multipose.nn import models as ours
from tests.moved_sets import (
    CUTOFF,
    batch_of,
    graphs_of,
    leaves_of,
    make,
    make_batch,
    make_sets,
)
from tests.trusting import trusting

MODES = ['full', 'stream', 'recompute', 'auto']
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


def loss_of(y):
    return (y * torch.arange(1.0, 1 + y.numel()).to(y)).sin().sum()


def gradients(loss, model, leaves):
    """Of leaves, and of parameters; none is zero."""
    wanted = [*leaves, *model.parameters()]
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    return [
        torch.zeros_like(tensor) if grad is None else grad
        for tensor, grad in zip(wanted, found, strict=True)
    ]


def plainly(model, sets, combination='mean', leaves=()):
    """Predictions of sets and gradients, without the package."""
    graphs, number = graphs_of(sets)
    poses = model(graphs)
    poses = (poses[0] if isinstance(poses, tuple) else poses).view(-1)
    y = torch.stack(
        [
            one.mean() if combination == 'mean' else -(-one).logsumexp(0)
            for one in (poses[number == n] for n in range(len(sets)))
        ]
    )
    return y.detach(), gradients(loss_of(y), model, leaves)


def same(got, expected):
    """Equal to 1e-10, by the largest entry of each tensor."""
    for one, two in zip(got, expected, strict=True):
        error = (one - two).abs().max() if two.numel() else 0.0
        assert error <= 1e-10 * (two.abs().max() + 1e-2)


def check(model, sets, mode='full', combination='mean', **kwargs):
    """A receptor that is shared, against plain complexes."""
    leaves = [] if mode == 'stream' else leaves_of(sets)
    y, expected = plainly(model, sets, combination, leaves)
    readout = MultiPoseReadout(
        model, combination, mode, share_receptor=True, **kwargs
    )
    batch = batch_of(sets)
    if mode == 'stream':
        batch = batch.detach()
    out = trusting(readout)(batch)
    plan = readout.last_plan
    assert plan.receptor.endswith('each once for all of its poses')
    same([out.detach()], [y])
    same(gradients(loss_of(out), model, leaves), expected)
    return plan


# Models ######################################################################


@pytest.mark.parametrize('name', MODELS)
def test_parity(kit, name):
    model, sets = model_of(name), make_sets()
    check(model, sets)
    check(model, sets, 'recompute', 'free_energy', max_nodes_per_chunk=9)
    # Against what the readout itself makes of whole complexes.
    batch = make_batch()
    kit.compare(model, batch, MODES[1:])


@pytest.mark.parametrize('name', ['SchNet, ligand', 'layers', 'GCN'])
def test_chunks(kit, name):
    batch = make_batch()
    for most in (1, 9, 20):
        kit.compare(
            *(model_of(name), batch, MODES, 'max'), max_nodes_per_chunk=most
        )


def test_attributes_of_edges(kit):
    """Those that sets bring along stay with their edges."""
    torch.manual_seed(0)
    convs = nn.ModuleList([gine(), gine()])
    model = Pooled(convs, edges='stored').double()
    sets = [one.set for one in make_sets()]
    for one in sets:
        attr = torch.randn(one.edge_index.size(1), 1, dtype=torch.float64)
        one.put('edge_attr', attr, 'edge')
    batch = Batch.from_data_list(sets)
    kit.compare(model, batch, MODES)
    attr = batch.edge_attr.requires_grad_()
    graphs = Batch.from_data_list(batch.to_poses())
    number = torch.arange(4).repeat_interleave(batch.set_size)
    poses = model(graphs).squeeze(1)
    y = torch.zeros(4).double().index_add(0, number, poses) / batch.set_size
    expected = gradients(loss_of(y), model, [attr])
    for mode in ('full', 'recompute'):
        readout = MultiPoseReadout(model, 'mean', mode, share_receptor=True)
        out = trusting(readout)(batch)
        assert 'encoded' in readout.last_plan.receptor
        same([out], [y])
        same(gradients(loss_of(out), model, [attr]), expected)


@pytest.mark.parametrize(
    'kwargs',
    [
        {'shift': 50.0},  # no ligand touches the receptor
        {'spread': 0.6},  # every atom is reached at once
        {'spread': 6.0, 'size': 60},  # in pieces
        {'size': 1, 'counts': ((1, 0), (0, 1), (0, 0))},
        {'size': 9, 'counts': ((9, 0), (0, 9), (4, 5))},  # all of them
        {'counts': ((0, 6), (0, 1))},
        {'counts': ((9, 0), (1, 0))},
    ],
)
@pytest.mark.parametrize(
    'name', ['SchNet', 'SchNet, ligand', 'layers', 'GIN, max', 'GCN']
)
def test_receptors(name, kwargs):
    check(model_of(name), make_sets(**kwargs)[:2], 'recompute')


@pytest.mark.parametrize('num_layers', [1, 2, 4, 5])
@pytest.mark.parametrize('atoms', ['all', 'ligand'])
@pytest.mark.parametrize('make_model', [schnet, e3nn])
def test_depths(make_model, num_layers, atoms):
    torch.manual_seed(0)
    model = make_model(num_layers, atoms=atoms).double()
    check(model, make_sets()[:1])


@pytest.mark.parametrize(
    'name', ['SchNet, mean of ligand', 'layers, mean of ligand', 'GCN']
)
def test_edges_that_go_one_way(kit, name):
    sets = [one.set for one in make_sets()]
    for one in sets:
        generator = torch.Generator().manual_seed(1)
        kept = torch.rand(one.edge_index.size(1), generator=generator) < 0.5
        one.edge_index = one.edge_index[:, kept]
    kit.compare(model_of(name), Batch.from_data_list(sets), 'recompute')


def test_gradcheck():
    """Differences of values, by every coordinate that a set is made of."""
    made = make(3, (2, 1), 5, 1.0, counts=((2, 1), (0, 1)))
    leaves = [made.receptor.pos, made.ligands[0].pos, made.moved[0].pos]
    torch.manual_seed(0)
    model = schnet(2).double()
    readout = MultiPoseReadout(
        model, 'free_energy', 'full', share_receptor=True
    )
    edges = made.set.edge_index

    def call(*pos):
        made.receptor.pos, made.ligands[0].pos = pos[:2]
        object.__setattr__(made.moved[0], 'pos', pos[2])
        batch = batch_of([made])
        assert torch.equal(batch.edge_index, edges)
        return trusting(readout)(batch)

    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(call, leaves)
    assert 'encoded' in readout.last_plan.receptor


# Batches #####################################################################


def test_how_often_receptors_are_encoded():
    """One receptor for its sets, whatever has moved in them; two for two."""
    model = model_of('SchNet')
    readout = MultiPoseReadout(model, 'mean', share_receptor=True)
    for chosen, number in (([0, 2], 1), ([0, 1, 2, 3], 2), ([3], 1)):
        sets = make_sets()
        readout(batch_of([sets[n] for n in chosen]))
        assert readout.last_plan.counts.encoded == number


def test_store(kit):
    """It shares nothing, and is the same."""
    model, batch = model_of('GIN'), make_batch()
    _, y, expected = kit.results(
        model, batch, 'full', share_receptor=False, positions=False
    )
    _, out, grads = kit.results(model, batch, 'store', positions=False)
    assert torch.allclose(out, y, rtol=1e-11, atol=1e-12)
    kit.check(grads, expected)
    y, _ = plainly(model, make_sets())
    same([out], [y])


@pytest.mark.parametrize('name', ['SchNet', 'layers', 'GCN'])
def test_auto_after_a_look(name):
    """Many poses: it looks at the model, and shares."""
    counts = ((0, 0), (3, 0), (0, 2), (2, 2))
    sets = [make(5, (3,) * 17, 60, 4.0, counts)]
    model = model_of(name)
    readout = MultiPoseReadout(model, 'mean')
    for _ in range(2):
        out = readout(batch_of(sets))
        same([out.detach()], [plainly(model, sets)[0]])
        assert readout.last_plan.counts.encoded == 1


@pytest.mark.parametrize('num_layers', [1, 2])
def test_cost(num_layers):
    """By hand: far from the ligand, one atom is absent."""
    made = make(6, (3,), counts=((0, 1),), shift=50.0)
    model = schnet(num_layers)
    edges, (atom,) = made.set.receptor.edge_index, made.moved[0].absent
    out = edges[1, edges[0] == atom]  # where it sends to
    own = made.set.num_edges - edges.size(1)
    # In the second layer these send something else to all but this atom.
    further = torch.isin(edges[0], out) & (edges[1] != atom)
    differ = [len(out), len(out) + int(further.sum())][:num_layers]
    work = own * num_layers + (1 - model.filter_share) * sum(differ)
    expected = work / (made.set.num_edges * num_layers)
    assert model.sharing_cost(made.set) == pytest.approx(expected)
    assert 0 < layers(gatv2, num_layers).sharing_cost(made.set) < 1


def test_a_moved_atom_that_is_called_ligand():
    """Who reads the mask sees another ligand: complexes run whole."""
    made = make(7, (3,) * 16, counts=((2, 0),))
    model = model_of('SchNet, ligand')
    batch = Batch.from_data_list([made.set])
    batch.is_ligand[batch.moved_index[1, 0]] = True
    readout = MultiPoseReadout(model, 'mean')
    out = readout(batch)
    assert "'is_ligand' of set" in readout.last_plan.receptor
    poses = model(Batch.from_data_list(batch.to_poses()))
    same([out.detach()], [poses.mean(0).detach()])
