"""Layers with any messages: a receptor computed once equals whole ones."""

import copy
import pickle
import re

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric.data import Batch
from torch_geometric.nn import (
    BatchNorm,
    EdgeConv,
    GATv2Conv,
    GCNConv,
    GINEConv,
    GraphNorm,
    LayerNorm,
    MeanSubtractionNorm,
    NNConv,
    Sequential,
)

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.sharing.shared_layers import SharedLayers

MODES = ['full', 'stream', 'recompute', 'auto']
WIDTH = 6


class Lengths(nn.Module):
    """Learned functions of the length of an edge."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(1, 3)

    def forward(self, pos, edge_index):
        source, target = edge_index
        length = (pos[source] - pos[target]).norm(dim=-1, keepdim=True)
        return torch.tanh(self.lin(length))


def mlp(size_in, size_out):
    return nn.Sequential(
        nn.Linear(size_in, 8), nn.SiLU(), nn.Linear(8, size_out)
    )


def gatv2(**kwargs):
    return GATv2Conv(WIDTH, 3, heads=2, edge_dim=3, **kwargs)


def gine():
    return GINEConv(mlp(WIDTH, WIDTH), train_eps=True, edge_dim=3)


def nnconv():
    conv = NNConv(WIDTH, WIDTH, mlp(3, WIDTH * WIDTH), aggr='mean')
    return Sequential('x, e, a', [(conv, 'x, e, a -> x'), nn.Tanh()])


def gine_max():
    """Neither the message nor the aggregation is linear."""
    return GINEConv(mlp(WIDTH, WIDTH), edge_dim=3, aggr='max')


def make_model(make_layer, num_layers=2, edge_attr=None, **kwargs):
    torch.manual_seed(0)
    return SharedLayers(
        nn.Embedding(10, WIDTH),
        [make_layer() for _ in range(num_layers)],
        mlp(WIDTH, 1),
        edge_attr or Lengths(),
        **kwargs,
    ).double()


@pytest.mark.parametrize('layer', [gatv2, gine, nnconv])
@pytest.mark.parametrize('num_layers', [1, 2, 3])
def test_parity(kit, layer, num_layers):
    model, batch = make_model(layer, num_layers), kit.make_batch()
    kit.compare(model, batch, MODES)
    kit.compare(model, batch, MODES, 'max', max_nodes_per_chunk=9)


@pytest.mark.parametrize('layer', [gatv2, gine, gine_max])
@pytest.mark.parametrize('num_layers', [1, 2, 3, 4])
@pytest.mark.parametrize('pool', ['sum', 'mean'])
@pytest.mark.parametrize('atoms', ['all', 'ligand'])
def test_readouts(kit, layer, num_layers, pool, atoms):
    model = make_model(layer, num_layers, pool=pool, atoms=atoms)
    kit.compare(model, kit.make_batch(), 'recompute')


@pytest.mark.parametrize('atoms', ['all', 'ligand'])
@pytest.mark.parametrize(
    'size, spread, shift',
    [
        (40, 2.5, 50.0),  # no ligand touches the receptor
        (40, 0.6, 0.0),  # every atom is reached at once
        (1, 0.5, 0.0),
        (60, 6.0, 0.0),  # in pieces
    ],
)
def test_receptors(kit, atoms, size, spread, shift):
    model = make_model(gatv2, 3, atoms=atoms)
    kit.compare(model, kit.make_batch(size, spread, shift), 'recompute')


@pytest.mark.parametrize('atoms', ['all', 'ligand'])
def test_edges_that_go_one_way(kit, atoms):
    sets = kit.make_batch().to_data_list()
    for of_set in sets:
        generator = torch.Generator().manual_seed(1)
        kept = torch.rand(of_set.edge_index.size(1), generator=generator)
        of_set.edge_index = of_set.edge_index[:, kept < 0.6]
    model = make_model(gine, 4, atoms=atoms)
    kit.compare(model, Batch.from_data_list(sets), 'recompute')


@pytest.mark.parametrize('which', ['ligand', 'receptor'])
def test_way_back_that_is_shorter(kit, which):
    *edges, num_layers = kit.ONE_WAY[which]
    model = make_model(gine, num_layers, atoms='ligand')
    kit.compare(model, kit.one_way(*edges), 'recompute')


def test_without_attributes_of_edges(kit):
    torch.manual_seed(0)
    layers = [EdgeConv(mlp(2 * WIDTH, WIDTH), aggr='max') for _ in range(2)]
    model = SharedLayers(nn.Embedding(10, WIDTH), layers, mlp(WIDTH, 1))
    _, y, expected = kit.results(
        model.double(), kit.make_batch(), 'full', positions=False,
        share_receptor=False,
    )  # fmt: skip
    _, out, got = kit.results(
        model, kit.make_batch(), 'recompute', positions=False,
        share_receptor=True,
    )  # fmt: skip
    assert torch.allclose(out, y, rtol=1e-11)
    kit.check(got, expected)


def test_fewer_atoms_are_evaluated(kit):
    """Matrix products of a layer, counted."""
    model = make_model(gine, 2)
    batch = kit.make_batch(200, 8.0)
    counts = []
    for share in (False, True):
        readout = MultiPoseReadout(model, 'mean', share_receptor=share)
        readout.plan(batch)  # looked at before
        with torch.no_grad(), FlopCounterMode(display=False) as products:
            readout(batch)
        counts.append(products.get_total_flops())
    assert counts[1] < 0.6 * counts[0]


def test_vectors(kit):
    torch.manual_seed(0)
    model = SharedLayers(
        nn.Embedding(10, WIDTH), [gine()], mlp(WIDTH, 4), Lengths()
    ).double()
    kit.compare(model, kit.make_batch(), 'recompute')


def norm(module):
    """A layer with a norm after its messages."""

    def make():
        return Sequential('x, e, a', [(gine(), 'x, e, a -> x'), module()])

    return make


@pytest.mark.parametrize(
    'layer, reason',
    [
        (norm(lambda: BatchNorm(WIDTH)), 'differ|mixes'),
        (norm(lambda: GraphNorm(WIDTH)), 'differ|mixes'),
        (norm(lambda: LayerNorm(WIDTH)), 'differ|mixes'),
        (norm(MeanSubtractionNorm), 'differ|mixes'),
        (norm(lambda: nn.Dropout(0.5)), 'random numbers'),
        (lambda: gatv2(dropout=0.5), 'random numbers'),
        (
            lambda: Sequential(
                'x, e, a', [(GCNConv(WIDTH, WIDTH), 'x, e -> x')]
            ),
            'differ|mixes',
        ),
        (
            lambda: Sequential(
                'x, e, a', [(GCNConv(WIDTH, WIDTH, cached=True), 'x, e -> x')]
            ),
            'differ|mixes|raised',
        ),
    ],
)
def test_who_is_refused(kit, layer, reason):
    model, batch = make_model(lambda: layer(), 2), kit.make_batch()
    buffers = copy.deepcopy(list(model.buffers()))
    random = torch.get_rng_state()
    plan = MultiPoseReadout(model, 'mean').plan(batch)
    assert 'whole complexes' in str(plan)
    assert re.search(reason, str(plan))
    with pytest.raises(ValueError, match=reason):
        MultiPoseReadout(model, 'mean', share_receptor=True)(batch)
    assert torch.equal(random, torch.get_rng_state())
    for before, after in zip(buffers, model.buffers(), strict=True):
        assert torch.equal(before, after)


@pytest.mark.parametrize('place', ['embed', 'readout'])
def test_dropout_outside_of_layers(kit, place):
    model = make_model(gine)
    inner = getattr(model, place)
    setattr(model, place, nn.Sequential(inner, nn.Dropout(0.1)))
    readout = MultiPoseReadout(model, 'mean')
    plan = str(readout.plan(kit.make_batch()))
    assert 'whole complexes' in plan and re.search('draws|differ', plan)
    model.eval()
    kit.compare(model, kit.make_batch(), 'recompute')


@pytest.mark.parametrize(
    'layer',
    [norm(lambda: BatchNorm(WIDTH)), lambda: gatv2(dropout=0.5)],
)
def test_evaluation_mode(kit, layer):
    """There a batch norm works atom by atom, and nothing is dropped."""
    model = make_model(layer).eval()
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 2.0)
    kit.compare(model, kit.make_batch(), 'recompute')


def test_without_edges(kit):
    sets = kit.make_batch().to_data_list()
    for of_set in sets:
        del of_set.edge_index
    batch = Batch.from_data_list(sets)
    model = make_model(gine)
    with pytest.raises(ValueError, match='RadiusGraph'):
        MultiPoseReadout(model)(batch)


def test_arguments():
    with pytest.raises(ValueError, match="'pool'"):
        make_model(gine, pool='max')
    with pytest.raises(ValueError, match="'atoms'"):
        make_model(gine, atoms='receptor')


def test_copies(kit):
    model, batch = make_model(gine), kit.make_batch()
    expected = MultiPoseReadout(model, 'mean')(batch)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(MultiPoseReadout(other, 'mean')(batch), expected)


def test_rounding(kit):
    """Nothing is subtracted, so nothing is lost."""
    batch = kit.make_batch(40, 1.2)
    _, y, _ = kit.results(make_model(gatv2), batch, 'full')
    model = make_model(gatv2).float()
    batch.pos = batch.pos.float()
    errors = []
    for share in (False, True):
        _, out, _ = kit.results(model, batch, 'full', share_receptor=share)
        errors.append((out - y).abs().max())
    assert errors[1] <= 2 * errors[0] + 1e-6 * y.abs().max()


def test_cost(kit):
    """All edges that arrive at atoms that differ, over all edges."""
    model = make_model(gine, 2)
    receptor = kit.atoms(40, torch.Generator().manual_seed(7), 0.2)
    far = kit.make_set(receptor, (5, 3), 1, shift=50.0)
    alone = far.receptor.edge_index.size(1)
    own = far.edge_index.size(1) - alone
    assert model.sharing_cost(far) == pytest.approx(own / (own + 2 * alone))
    near = kit.make_set(receptor, (5,), 1)
    near.pos *= 0.3
    assert model.sharing_cost(kit.RadiusGraph(kit.CUTOFF)(near)) == 1.0
