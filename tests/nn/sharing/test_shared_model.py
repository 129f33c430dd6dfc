"""Models of PyG's layers share a receptor without being rewritten."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch
from torch_geometric.nn import (
    GAT,
    GCN,
    GIN,
    PNA,
    AttentionalAggregation,
    EdgeCNN,
    GATv2Conv,
    GINEConv,
    GraphNorm,
    GraphSAGE,
    MessagePassing,
    SAGEConv,
    SchNet,
    Sequential,
    TAGConv,
    global_add_pool,
    global_max_pool,
    global_mean_pool,
)
from torch_geometric.utils import degree

from pyg_multipose.gradient.receptors.unsuited import UnsuitedError
from pyg_multipose.nn import MultiPoseReadout, RadiusInteractionGraph
from pyg_multipose.nn.sharing import SharedModel
from tests.trusting import trusting

WIDTH = 8
MODES = ['full', 'stream', 'recompute', 'auto']


class Pooled(nn.Module):
    """Layers of PyG as they are, then a pooling and a head."""

    def __init__(self, gnn, pool=global_add_pool):
        super().__init__()
        self.embedding = nn.Embedding(10, WIDTH)
        self.gnn, self.pool = gnn, pool
        self.head = nn.Sequential(
            nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, 1)
        )

    def forward(self, batch):
        x = self.embedding(batch.z)
        x = self.layers(x, batch)
        return self.head(self.pool(x, batch.batch, batch.num_graphs))

    def layers(self, x, batch):
        return self.gnn(x, batch.edge_index)


class Bonds(Pooled):
    """With lengths as attributes of edges, and by name."""

    def layers(self, x, batch):
        source, target = batch.edge_index
        length = (batch.pos[source] - batch.pos[target]).norm(dim=1)
        for layer in self.gnn:
            x = layer(x, batch.edge_index, edge_attr=length[:, None]).relu()
        return x


class Normalised(MessagePassing):
    """The layer of PyG's tutorial."""

    def __init__(self):
        super().__init__(aggr='add')
        self.lin = nn.Linear(WIDTH, WIDTH)

    def forward(self, x, edge_index):
        source, target = edge_index
        size = degree(target, x.size(0), dtype=x.dtype).clamp(min=1)
        norm = (size[source] * size[target]).rsqrt()
        return self.propagate(edge_index, x=self.lin(x), norm=norm).tanh()

    def message(self, x_j, norm):
        return norm.view(-1, 1) * x_j


class Atoms(Pooled):
    """Pooled by hand, with what PyG's own pooling does not do."""

    def forward(self, batch):
        x = self.layers(self.embedding(batch.z), batch)
        out = x.new_zeros(batch.num_graphs, WIDTH)
        out = out.index_add(0, batch.batch, x)
        ligand = batch.is_ligand
        of_ligand = x.new_zeros(batch.num_graphs, WIDTH).index_add_(
            0, batch.batch[ligand], x[ligand]
        )
        return self.head(out + of_ligand)


class ByAttributes(nn.Module):
    """Called with attributes; it looks for its edges itself."""

    def __init__(self, cutoff):
        super().__init__()
        self.schnet = SchNet(
            *(WIDTH, WIDTH, 3, 6, cutoff),
            interaction_graph=RadiusInteractionGraph(cutoff),
        )

    def forward(self, batch):
        return self.schnet(batch.z, batch.pos, batch.batch)


def gine():
    return GINEConv(nn.Linear(WIDTH, WIDTH), edge_dim=1)


def attention():
    return GATv2Conv(WIDTH, WIDTH, edge_dim=1, add_self_loops=False)


def sequence():
    return Sequential(
        'x, edge_index',
        [
            (SAGEConv(WIDTH, WIDTH, aggr='max'), 'x, edge_index -> x'),
            nn.ELU(),
            (SAGEConv(WIDTH, WIDTH), 'x, edge_index -> x'),
        ],
    )


def pna():
    return PNA(
        *(WIDTH, WIDTH, 3),
        aggregators=['sum', 'mean', 'max', 'std'],
        scalers=['identity', 'amplification'],
        deg=torch.arange(1, 9),
    )


MODELS = {
    'GIN': lambda kit: Pooled(GIN(WIDTH, WIDTH, 3)),
    'GIN, mean': lambda kit: Pooled(GIN(WIDTH, WIDTH, 2), global_mean_pool),
    'GIN, max': lambda kit: Pooled(GIN(WIDTH, WIDTH, 2), global_max_pool),
    'GIN, jump': lambda kit: Pooled(GIN(WIDTH, WIDTH, 3, WIDTH, jk='cat')),
    'GIN, norm': lambda kit: Pooled(GIN(WIDTH, WIDTH, 3, norm='batch_norm')),
    'GAT': lambda kit: Pooled(GAT(WIDTH, WIDTH, 3)),
    'GATv2': lambda kit: Pooled(GAT(WIDTH, WIDTH, 3, v2=True, heads=2)),
    'GraphSAGE': lambda kit: Pooled(GraphSAGE(WIDTH, WIDTH, 3)),
    'EdgeCNN': lambda kit: Pooled(EdgeCNN(WIDTH, WIDTH, 2)),
    'GCN': lambda kit: Pooled(GCN(WIDTH, WIDTH, 3)),
    'PNA': lambda kit: Pooled(pna()),
    'GINE': lambda kit: Bonds(nn.ModuleList([gine(), gine()])),
    'GATv2, edges': lambda kit: Bonds(
        nn.ModuleList([attention(), attention()])
    ),
    'Sequential': lambda kit: Pooled(sequence()),
    'tutorial': lambda kit: Pooled(
        Sequential('x, edge_index', [
            (Normalised(), 'x, edge_index -> x'),
            (Normalised(), 'x, edge_index -> x'),
        ])
    ),
    'by hand': lambda kit: Atoms(GIN(WIDTH, WIDTH, 2)),
    'SchNet': lambda kit: ByAttributes(kit.CUTOFF),
}  # fmt: skip


@pytest.mark.parametrize('name', MODELS)
def test_parity(kit, name):
    torch.manual_seed(0)
    model = MODELS[name](kit).double().eval()
    batch = kit.make_batch()
    kit.compare(model, batch, MODES)
    kit.compare(model, batch, MODES, 'max', max_nodes_per_chunk=9)


@pytest.mark.parametrize('name', ['GIN', 'GCN', 'SchNet'])
@pytest.mark.parametrize(
    'size, spread, shift',
    [
        (40, 2.5, 50.0),  # no ligand touches the receptor
        (40, 0.6, 0.0),  # every atom is reached at once
        (1, 0.5, 0.0),
        (60, 6.0, 0.0),  # in pieces
    ],
)
def test_receptors(kit, name, size, spread, shift):
    torch.manual_seed(0)
    model = MODELS[name](kit).double()
    kit.compare(model, kit.make_batch(size, spread, shift), 'recompute')


def test_one_way(kit):
    torch.manual_seed(0)
    model = MODELS['GIN'](kit).double()
    for receptor, contacts, _ in kit.ONE_WAY.values():
        batch = kit.one_way(receptor, contacts)
        kit.compare(model, batch, 'recompute')


class Attention(nn.Module):
    """The weight of an atom depends on all others."""

    def __init__(self):
        super().__init__()
        self.pool = AttentionalAggregation(nn.Linear(WIDTH, 1))

    def forward(self, x, batch, size):
        return self.pool(x, index=batch, dim_size=size)


class Virtual(Pooled):
    """A node that hears all atoms, and whose answer is zero at first."""

    def __init__(self, gnn):
        super().__init__(gnn)
        self.gate = nn.Parameter(torch.zeros(()))

    def layers(self, x, batch):
        x = self.gnn(x, batch.edge_index)
        pooled = global_mean_pool(x, batch.batch, batch.num_graphs)
        return x + self.gate * pooled[batch.batch]


UNSUITED = {
    'a norm over the graph': (
        lambda: Pooled(GIN(WIDTH, WIDTH, 2, norm=GraphNorm(WIDTH))),
        'in float64, sharing raised',
    ),
    'attention over all atoms': (
        lambda: Pooled(GIN(WIDTH, WIDTH, 2), Attention()),
        'indexes by the batch vector',
    ),
    'a virtual node behind a closed gate': (
        lambda: Virtual(GIN(WIDTH, WIDTH, 2)),
        'indexes by the batch vector',
    ),
    'several rounds': (
        lambda: Pooled(TAGConv(WIDTH, WIDTH, K=2)),
        'differ',
    ),
}


@pytest.mark.parametrize('name', UNSUITED)
def test_what_runs_whole(kit, name):
    torch.manual_seed(0)
    make, reason = UNSUITED[name]
    model, batch = make().double(), kit.make_batch()
    _, y, grads = kit.results(model, batch, 'full', share_receptor=False)
    readout, out, got = kit.results(model, batch, 'full')
    assert 'whole complexes' in str(readout.last_plan)
    assert torch.allclose(out, y, 1e-11, 1e-12)
    kit.check(got, grads)
    with pytest.raises(ValueError, match=reason):
        MultiPoseReadout(model, share_receptor=True)(batch)


class Moody(Pooled):
    """It goes another way where an atom is far away."""

    def layers(self, x, batch):
        x = self.gnn(x, batch.edge_index)
        if batch.pos.max() > 100:
            x = self.gnn(x, batch.edge_index)
        return x


def test_another_way_in_a_later_call(kit):
    """That call runs again, on whole complexes."""
    torch.manual_seed(0)
    model = Moody(GIN(WIDTH, WIDTH, 2)).double()
    near, far = (kit.make_batch(200, 6.0, shift) for shift in (0.0, 200.0))
    readout = MultiPoseReadout(model, 'mean', 'recompute')
    kit.results_of(readout, near)
    assert 'encoded' in str(readout.last_plan)
    _, out, grads = kit.results_of(readout, far)
    assert 'another way for these poses' in str(readout.last_plan)
    _, y, expected = kit.results(model, far, 'full', share_receptor=False)
    assert torch.allclose(out, y, 1e-11, 1e-12)
    kit.check(grads, expected)
    asked = MultiPoseReadout(model, 'mean', share_receptor=True)
    asked(near)
    with pytest.raises(ValueError, match='another way for these poses'):
        asked(far)


class Alone(Pooled):
    """It asks whether a pose is alone in its chunk, and then does the same."""

    def layers(self, x, batch):
        x = self.gnn(x, batch.edge_index)
        alone = torch.tensor(batch.num_graphs == 2)  # a shared pose and a rest
        return x + 0 if alone else x


def test_another_way_in_other_chunks(kit):
    """The second pass then keeps the chunks of the first one."""
    torch.manual_seed(0)
    model = Alone(GIN(WIDTH, WIDTH, 2)).double()
    receptor = kit.atoms(40, torch.Generator().manual_seed(7), 2.5)
    batch = Batch.from_data_list([kit.make_set(receptor, (5, 4, 5, 4), 1)])
    readout = MultiPoseReadout(model, 'max', max_nodes_per_chunk=80)
    readout.gradient = 'recompute'
    _, out, grads = kit.results_of(trusting(readout), batch)
    assert readout.last_plan.num_chunks == 2
    assert 'encoded' in str(readout.last_plan)
    _, y, expected = kit.results(
        model, batch, 'full', 'max', share_receptor=False
    )
    assert torch.allclose(out, y, 1e-11, 1e-12)
    kit.check(grads, expected)


def test_another_way_where_memory_is_measured(kit):
    torch.manual_seed(0)
    model = Alone(GIN(WIDTH, WIDTH, 2)).double()
    receptor = kit.atoms(40, torch.Generator().manual_seed(7), 2.5)
    batch = Batch.from_data_list([kit.make_set(receptor, (5, 4, 5, 4), 1)])
    kwargs = {'memory_budget': 10**7, 'max_nodes_per_chunk': 1}
    readout = trusting(MultiPoseReadout(model, 'max', **kwargs))
    _, out, grads = kit.results_of(readout, batch)
    assert 'another way for these poses' in str(readout.last_plan)
    _, y, expected = kit.results(
        model, batch, 'full', 'max', share_receptor=False
    )
    assert torch.allclose(out, y, 1e-11, 1e-12)
    kit.check(grads, expected)
    asked = MultiPoseReadout(model, 'max', share_receptor=True, **kwargs)
    with pytest.raises(ValueError, match='share_receptor=True is not poss'):
        trusting(asked)(batch)


class Any(Pooled):
    """It asks whether there is an atom of a kind."""

    def layers(self, x, batch):
        x = self.gnn(x, batch.edge_index)
        return 2 * x if (batch.z == 9).any() else x


def test_an_atom_that_is_left_out_is_asked_for(kit):
    torch.manual_seed(0)
    model = Any(GIN(WIDTH, WIDTH, 2)).double()
    receptor = kit.atoms(200, torch.Generator().manual_seed(7), 6.0)
    receptor.z[receptor.z == 9] = 8
    receptor.z[receptor.pos.norm(dim=1).argmax()] = 9  # far from ligands
    batch = Batch.from_data_list([kit.make_set(receptor, (5, 3), 1)])
    batch.z[200:] = batch.z[200:].clamp(max=8)
    readout, out, grads = kit.results(model, batch, 'full')
    assert 'another way for these poses' in str(readout.last_plan)
    _, y, expected = kit.results(model, batch, 'full', share_receptor=False)
    assert torch.allclose(out, y, 1e-11, 1e-12)
    kit.check(grads, expected)


class Stored(Pooled):
    """With attributes of edges that the sets bring along."""

    def layers(self, x, batch):
        for layer in self.gnn:
            x = layer(x, batch.edge_index, batch.edge_attr).relu()
        return x


def test_attributes_of_edges_stay_with_their_edges(kit):
    torch.manual_seed(0)
    model = Stored(nn.ModuleList([gine(), gine()])).double()
    sets = kit.make_batch().to_data_list()
    for one in sets:
        attr = torch.randn(one.edge_index.size(1), 1, dtype=torch.float64)
        one.put('edge_attr', attr, 'edge')
    kit.compare(model, Batch.from_data_list(sets), MODES)


class Holding(MessagePassing):
    """A layer that leaves its messages to another one."""

    def __init__(self):
        super().__init__()
        self.conv = SAGEConv(WIDTH, WIDTH)

    def forward(self, x, edge_index):
        return x + self.conv(x, edge_index).tanh()


def test_a_layer_in_a_layer(kit):
    torch.manual_seed(0)
    layers = [(Holding(), 'x, edge_index -> x') for _ in range(2)]
    model = Pooled(Sequential('x, edge_index', layers)).double()
    kit.compare(model, kit.make_batch(), 'recompute')


class Reversed(Pooled):
    def layers(self, x, batch):
        return self.gnn(x, batch.edge_index.flip(1))


class Choosy(Pooled):
    """It takes other layers for several graphs than for one."""

    def __init__(self, *gnns):
        super().__init__(gnns[0])
        self.gnns = nn.ModuleList(gnns)

    def layers(self, x, batch):
        return self.gnns[batch.num_graphs > 1](x, batch.edge_index)


class Skipping(Pooled):
    def layers(self, x, batch):
        for layer in self.gnn[: 2 - (batch.num_graphs > 1)]:
            x = layer(x, batch.edge_index)
        return x


class Weighing(Pooled):
    """Its layer returns the weights of edges, too."""

    def layers(self, x, batch):
        x, _ = self.gnn(x, batch.edge_index, return_attention_weights=True)
        return x


class Centred(MessagePassing):
    """A layer that looks at the graph of each atom."""

    def forward(self, x, edge_index, batch):
        mean = global_mean_pool(x, batch)
        return self.propagate(edge_index, x=x - mean[batch])


class OfGraphs(Pooled):
    def layers(self, x, batch):
        return self.gnn(x, batch.edge_index, batch.batch)


def sage():
    return SAGEConv(WIDTH, WIDTH)


@pytest.mark.parametrize(
    'model, reason',
    [
        (Reversed(sage()), 'with edges of its own'),
        (Choosy(sage(), sage()), 'is called in another way for poses'),
        (Skipping(nn.ModuleList([sage(), sage()])), 'calls fewer layers'),
        (
            Weighing(GATv2Conv(WIDTH, WIDTH, add_self_loops=False)),
            'more than rows of atoms',
        ),
        (OfGraphs(Centred()), 'looks at the graph of each atom'),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_what_cannot_be_followed(kit, model, reason):
    receptor = kit.atoms(40, torch.Generator().manual_seed(7), 2.0)
    poses = kit.make_set(receptor, (5, 3), 1)
    shared = SharedModel(model.double())
    with pytest.raises(UnsuitedError, match=reason):
        alone = Batch.from_data_list([poses.receptor])
        shared.forward_poses(poses, shared.encode_receptor(alone))


def test_called_with_attributes(kit):
    torch.manual_seed(0)
    schnet = ByAttributes(kit.CUTOFF).double().schnet
    kit.compare(schnet, kit.make_batch(), MODES, inputs='z, pos, batch')


def test_nothing_is_left_behind(kit):
    torch.manual_seed(0)
    model, batch = MODELS['SchNet'](kit).double(), kit.make_batch()
    before = {n: dict(m.__dict__) for n, m in model.named_modules()}
    kit.results(model, batch, 'recompute', share_receptor=True)
    for name, module in model.named_modules():
        assert module.__dict__.keys() == before[name].keys()
        assert 'forward' not in module.__dict__


def test_frozen_trunk(kit):
    torch.manual_seed(0)
    model = MODELS['GATv2'](kit).double()
    model.gnn.requires_grad_(False)
    kit.compare(model, kit.make_batch(), MODES)
