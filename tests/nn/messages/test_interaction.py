import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.nn.messages.interaction import (
    InteractionLayer,
    InteractionModel,
)
from pyg_multipose.nn.models import EquivariantGNN, SchNet
from pyg_multipose.transforms import RadiusGraph

CUTOFF = 3.0
MODELS = {
    'schnet': lambda: SchNet(8, 6, 3, 5, CUTOFF),
    'schnet_mean': lambda: SchNet(
        8, 6, 2, 5, CUTOFF, readout='mean', mean=1.0, std=2.0
    ),
    'schnet_atomref': lambda: SchNet(
        8, 6, 2, 5, CUTOFF, atomref=torch.arange(100.0)
    ),
    'equivariant': lambda: EquivariantGNN(
        '4x0e+2x1o', num_layers=3, cutoff=CUTOFF, lmax=1, radial_channels=8
    ),
    'equivariant_mean': lambda: EquivariantGNN(
        '4x0e+2x1o',
        num_layers=2,
        cutoff=CUTOFF,
        lmax=1,
        pool='mean',
        mean=1.0,
        std=2.0,
        out_channels=2,
    ),
}


@pytest.fixture(params=list(MODELS))
def model(request):
    torch.manual_seed(12)
    return MODELS[request.param]().double()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    datas = []
    for num_nodes in [5, 9]:
        pos = torch.rand(num_nodes, 3, generator=generator).double()
        z = torch.randint(1, 18, (num_nodes,), generator=generator)
        datas.append(RadiusGraph(CUTOFF)(Data(z=z, pos=4.0 * pos)))
    return Batch.from_data_list(datas)


@pytest.fixture
def walk(model, batch):
    """Every layer with its input and its filters, one row for each edge."""
    geometry = model.edge_geometry(batch.pos, batch.edge_index)
    x = model.embed(batch.z)
    out = []
    for layer in model.layers:
        out.append((layer, x, geometry, layer.edge_filters(geometry)))
        x = layer(x, batch.edge_index, geometry)
    return out


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_forward_is_made_of_the_pieces(model, batch):
    edges, rows = model.distinct_edges(batch.edge_index, batch.num_nodes)
    geometry = model.edge_geometry(batch.pos, edges)
    x = model.embed(batch.z)
    for layer in model.layers:
        aggregated = layer.aggregate(
            layer.source(x),
            batch.edge_index,
            layer.edge_filters(geometry),
            batch.num_nodes,
            rows,
        )
        x = layer.update(x, aggregated)
    out = model.pool_atoms(
        model.readout(x, batch.z), batch.batch, batch.num_graphs
    )
    assert torch.equal(out, model(batch).view_as(out))
    assert out.size(0) == 2 and out.dim() == 2


def test_interact(model, batch):
    args = batch.z, batch.pos, batch.edge_index
    x = model.interact(*args)
    geometry = model.edge_geometry(batch.pos, batch.edge_index)
    close(model.propagate(batch.z, batch.edge_index, geometry), x)
    assert torch.equal(model.interact(*args, 0), model.embed(batch.z))
    before = model.interact(*args, len(model.layers) - 1)
    close(model.layers[-1](before, batch.edge_index, geometry), x)


def test_distinct_edges(model, batch):
    edges, rows = model.distinct_edges(batch.edge_index, batch.num_nodes)
    if rows is None:
        assert torch.equal(edges, batch.edge_index)
        return
    assert rows.size(0) == batch.num_edges == 2 * edges.size(1)
    once = model.edge_geometry(batch.pos, edges)
    every = model.edge_geometry(batch.pos, batch.edge_index)
    for a, b in zip(once, every, strict=True):
        assert torch.equal(a[rows], b)


def test_geometry_and_filters_are_rows(model, batch, walk):
    some = torch.tensor([3, 0, 11, 3])
    for layer, _, geometry, filters in walk:
        for item in (*geometry, *filters):
            assert item.size(0) == batch.num_edges
        part = model.edge_geometry(batch.pos, batch.edge_index[:, some])
        for a, b in zip(part, geometry, strict=True):
            close(a, b[some])
        for a, b in zip(layer.edge_filters(part), filters, strict=True):
            close(a, b[some])


def test_aggregate_is_linear_in_the_source(batch, walk):
    for layer, x, _, filters in walk:
        source = layer.source(x)
        other = torch.randn_like(source)

        def aggregate(source, layer=layer, filters=filters):
            return layer.aggregate(
                source, batch.edge_index, filters, batch.num_nodes
            )

        close(
            aggregate(2.0 * source - 3.0 * other),
            2.0 * aggregate(source) - 3.0 * aggregate(other),
        )
        assert not aggregate(0.0 * source).any()


def test_messages_are_added_to_other_sums(batch, walk):
    atoms = torch.randint(
        14, (14,), generator=torch.Generator().manual_seed(3)
    )
    for layer, x, _, filters in walk:
        source = layer.source(x)
        edges = batch.edge_index
        sums = layer.aggregate(source, edges, filters, 14)
        alone = layer.aggregate(source[atoms], edges, filters, 14)
        onto = torch.randn_like(sums)
        for add in (
            layer.add_messages,
            lambda *args, layer=layer: InteractionLayer.add_messages(
                layer, *args
            ),
        ):
            # Sources of poses come first, then those of the receptor:
            for first in (0, 5, 14):
                parts = source[:first], source[first:]
                found = add(onto.clone(), *parts, edges, filters)
                close(found, onto + sums)
            found = add(
                onto.clone(), source, source, edges, filters, None, atoms
            )
            close(found, onto + sums - alone)


def test_aggregate_is_a_sum_over_edges(batch, walk):
    order = torch.randperm(
        batch.num_edges, generator=torch.Generator().manual_seed(1)
    )
    for layer, x, _, filters in walk:
        source = layer.source(x)
        total = layer.aggregate(source, batch.edge_index, filters, 14)
        assert total.abs().max() > 1e-3
        by_rows, by_copies = 0.0, 0.0
        for part in order.split(7):
            edges = batch.edge_index[:, part]
            # Rows of filters, chosen by number or by a copy:
            by_rows = by_rows + layer.aggregate(
                source, edges, filters, 14, rows=part
            )
            copies = tuple(item.index_select(0, part) for item in filters)
            by_copies = by_copies + layer.aggregate(source, edges, copies, 14)
        close(by_rows, total)
        close(by_copies, total)


def test_sources_and_targets_may_be_other_tables(batch, walk):
    edge_index = batch.edge_index
    shift = torch.tensor([[2], [5]])
    for layer, x, _, filters in walk:
        source = layer.source(x)
        total = layer.aggregate(source, edge_index, filters, 14)
        moved = torch.cat([torch.randn_like(source[:2]), source])
        out = layer.aggregate(moved, edge_index + shift, filters, 20)
        close(out[5:19], total)
        assert not out[:5].any() and not out[19:].any()


def test_atom_by_atom(model, batch, walk):
    some = torch.tensor([7, 2, 13])
    z = batch.z
    close(model.embed(z[some]), model.embed(z)[some])
    for layer, x, _, filters in walk:
        source = layer.source(x)
        close(layer.source(x[some]), source[some])
        total = layer.aggregate(source, batch.edge_index, filters, 14)
        x = layer.update(x, total)
    layer, before, _, _ = walk[-1]
    close(layer.update(before[some], total[some]), x[some])
    close(model.readout(x[some], z[some]), model.readout(x, z)[some])


def test_base_classes():
    layer, model = InteractionLayer(), InteractionModel()
    x = torch.zeros(1, 1)
    for call in [
        lambda: layer.edge_filters(()),
        lambda: layer.source(x),
        lambda: layer.aggregate(x, x, (), 1),
        lambda: layer.update(x, x),
        lambda: model.layers,
        lambda: model.embed(x),
        lambda: model.edge_geometry(x, x),
        lambda: model.readout(x),
        lambda: model.pool_atoms(x, x, 1),
    ]:
        with pytest.raises(NotImplementedError):
            call()
    edge_index = torch.tensor([[0, 1], [1, 0]])
    assert model.distinct_edges(edge_index, 2) == (edge_index, None)
