import copy
import pickle
import re
import warnings

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.nn.models import SchNet as PyGSchNet

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MultiPoseReadout, RadiusInteractionGraph
from pyg_multipose.nn.models import SchNet
from pyg_multipose.transforms import RadiusGraph

CUTOFF = 3.0
SIZES = dict(
    hidden_channels=8,
    num_filters=6,
    num_interactions=3,
    num_gaussians=5,
    cutoff=CUTOFF,
)


class Given(torch.nn.Module):
    """Edges as they are, with their lengths."""

    def __init__(self, edge_index):
        super().__init__()
        self.edge_index = edge_index

    def forward(self, pos, batch):
        source, target = self.edge_index
        return self.edge_index, (pos[source] - pos[target]).norm(dim=-1)


def make_model(cls=SchNet, seed=12, **kwargs):
    torch.manual_seed(seed)
    model = cls(**(SIZES | kwargs))
    with torch.no_grad():  # biases start from zero
        for param in model.parameters():
            param.add_(0.1 * torch.randn_like(param))
    return model.double()


def make_reference(model, graph):
    """PyG's model with the parameters of ours."""
    reference = make_model(PyGSchNet, interaction_graph=graph)
    reference.load_state_dict(model.state_dict())
    return reference


def make_data(num_nodes=9, seed=0, **kwargs):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randint(1, 18, (num_nodes,), generator=generator)
    pos = torch.rand(num_nodes, 3, generator=generator, dtype=torch.float64)
    return RadiusGraph(CUTOFF)(Data(z=z, pos=4.0 * pos, **kwargs))


def make_batch():
    return Batch.from_data_list([make_data(n, seed=n) for n in [5, 1, 9]])


def results(model, pos, call):
    """Predictions and every gradient of a function of them."""
    pos = pos.clone().requires_grad_()
    out = call(model, pos)
    (force,) = torch.autograd.grad(out.sum(), pos, create_graph=True)
    loss = out.sin().sum() + force.square().sum()
    params = dict(model.named_parameters())
    grads = torch.autograd.grad(loss, [pos, *params.values()])
    return [out, force, *grads]


def assert_close(a, b, tol=1e-12):
    for x, y in zip(a, b, strict=True):
        assert x.size() == y.size() and x.dtype == y.dtype
        error = (x - y).abs().max().item()
        assert error <= tol * max(1.0, y.abs().max().item())


@pytest.mark.parametrize('load', ['from_pyg', 'into_pyg'])
@pytest.mark.parametrize(
    'kwargs',
    [
        {},
        {'readout': 'mean'},
        {'readout': 'sum', 'mean': -7.0, 'std': 2.5},
        {'atomref': torch.arange(100.0).view(100, 1)},
    ],
)
def test_pyg(kwargs, load):
    graph = RadiusInteractionGraph(CUTOFF)
    reference = make_model(
        PyGSchNet, seed=1, interaction_graph=graph, **kwargs
    )
    model = make_model(seed=2, interaction_graph=graph, **kwargs)
    source, target = model, reference
    if load == 'from_pyg':
        source, target = reference, model
    assert list(source.state_dict()) == list(target.state_dict())
    target.load_state_dict(source.state_dict(), strict=True)

    # Also the state of an optimizer fits:
    a, b = model.named_parameters(), reference.named_parameters()
    for (name, param), (other, expected) in zip(a, b, strict=True):
        assert name == other and torch.equal(param, expected)

    batch = make_batch()

    def on_atoms(model, pos):
        return model(batch.z, pos, batch.batch)

    def on_batch(model, pos):
        moved = copy.copy(batch)
        moved.pos = pos
        return model(moved)

    expected = results(reference, batch.pos, on_atoms)
    assert expected[0].size() == (3, 1)
    for grad in expected[2:]:
        assert bool((grad != 0.0).any())
    assert_close(results(model, batch.pos, on_atoms), expected)
    assert_close(results(model, batch.pos, on_batch), expected)

    # One graph needs no numbers:
    data = make_data()
    expected = reference(data.z, data.pos)
    assert_close([model(data.z, data.pos), model(data)], [expected] * 2)


def test_names_of_pyg():
    model, reference = SchNet(), PyGSchNet(interaction_graph=Given(None))
    assert list(model.state_dict()) == list(reference.state_dict())
    layer = model.interactions[0]
    assert layer.mlp is layer.conv.nn
    sizes = [
        sum(param.numel() for param in item.parameters())
        for item in (model, reference)
    ]
    assert sizes[0] == sizes[1]

    # The same random numbers give the same parameters:
    for item in (model, reference):
        torch.manual_seed(3)
        item.reset_parameters()
    for a, b in zip(model.parameters(), reference.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize('kind', ['one direction', 'twice', 'loops', 'none'])
def test_any_edges(kind):
    data = make_data(12)
    low, high = data.edge_index
    if kind == 'one direction':
        data.edge_index = data.edge_index[:, (low < high) | (low % 3 == 0)]
    elif kind == 'twice':
        data.edge_index = torch.cat([data.edge_index, data.edge_index], 1)
    elif kind == 'loops':
        loops = torch.arange(12).expand(2, -1)
        data.edge_index = torch.cat([loops, data.edge_index], 1)
    else:
        data.edge_index = data.edge_index[:, :0]
    model = make_model()
    reference = make_reference(model, Given(data.edge_index))
    assert_close([model(data)], [reference(data.z, data.pos)])
    grads = [
        torch.autograd.grad(out.sum(), item.parameters())
        for item, out in [
            (model, model(data)),
            (reference, reference(data.z, data.pos)),
        ]
    ]
    assert_close(*grads)


def test_one_filter_for_a_pair():
    model, batch = make_model(), make_batch()
    rows = []
    for layer in model.layers:
        layer.mlp.register_forward_hook(
            lambda module, args, out: rows.append(out.size(0))
        )
    model(batch)
    assert rows == [batch.num_edges // 2] * 3
    rows.clear()
    model(batch.z, batch.pos, batch.batch)
    assert rows == [batch.num_edges // 2] * 3


def test_nothing_is_kept_for_every_edge():
    model, batch = make_model(), make_batch()
    batch.pos.requires_grad_()
    sizes = []

    def pack(tensor):
        if tensor.is_floating_point():
            sizes.append(list(tensor.size()))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        model(batch)
    assert [batch.num_edges // 2, 6] in sizes
    assert not [size for size in sizes if batch.num_edges in size]


def test_cutoff():
    model = make_model()
    data = make_data(12)
    far = RadiusGraph(100.0)(copy.copy(data))
    assert far.num_edges > data.num_edges

    def on_edges_of(data):
        def call(model, pos):
            moved = copy.copy(data)
            moved.pos = pos
            return model(moved)

        return call

    near = results(model, data.pos, on_edges_of(data))
    assert_close(results(model, data.pos, on_edges_of(far)), near)

    def predict(dist):
        pos = torch.zeros(2, 3, dtype=torch.float64)
        pos[1, 2] = dist
        edge_index = torch.tensor([[0, 1], [1, 0]])
        z = torch.tensor([6, 8])
        return model(Data(z=z, pos=pos, edge_index=edge_index)).item()

    assert predict(CUTOFF) == predict(2 * CUTOFF)
    assert predict(CUTOFF - 0.1) != predict(CUTOFF)
    assert predict(0.0) != predict(0.1)


def test_other_interaction_graph():
    # Lengths of any kind, also such that differ by direction:
    data = make_data(12)

    def graph(pos, batch):
        edge_index, length = Given(data.edge_index)(pos, batch)
        return edge_index, length * (1.0 + 0.01 * edge_index[0])

    model = make_model(interaction_graph=graph)
    reference = make_reference(model, graph)

    def call(model, pos):
        return model(data.z, pos)

    short = data.pos * 0.5  # no length beyond the cutoff
    expected = results(reference, short, call)
    assert_close(results(model, short, call), expected)
    with pytest.raises(ValueError, match="ignore 'interaction_graph'"):
        model(data)


def test_max_num_neighbors():
    data = make_data(12)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        whole = make_model()(data.z, data.pos)
    model = make_model(max_num_neighbors=2)
    with pytest.warns(UserWarning, match='max_num_neighbors=2 cut'):
        out = model(data.z, data.pos)
    assert not torch.allclose(out, whole)
    with pytest.warns(UserWarning, match='max_num_neighbors=2 cut'):
        graph = RadiusGraph(CUTOFF, max_num_neighbors=2)(copy.copy(data))
    assert_close([make_model()(graph)], [out])
    with pytest.raises(ValueError, match='max_num_neighbors=2'):
        model(data)


@pytest.mark.parametrize('readout', ['add', 'mean'])
def test_ligand(readout):
    model = make_model(readout=readout, atoms='ligand', mean=1.0, std=2.0)
    data = make_data(7)
    data.is_ligand = torch.zeros(7, dtype=torch.bool)
    data.is_ligand[[1, 4, 5]] = True
    data.pos.requires_grad_()
    out = model(data)
    x = model.interact(data.z, data.pos, data.edge_index)
    expected = model.readout(x)[data.is_ligand]
    expected = expected.mean() if readout == 'mean' else expected.sum()
    assert_close([out], [expected.view(1, 1)])
    # Atoms of the receptor still take part:
    (grad,) = torch.autograd.grad(out.sum(), data.pos)
    assert bool((grad[~data.is_ligand] != 0.0).any())
    with pytest.raises(ValueError, match='which atoms are those of the'):
        model(data.z, data.pos)


def test_atomref():
    table = torch.arange(100.0)
    model = make_model(atomref=table)
    table.zero_()
    assert model.initial_atomref.view(-1).tolist() == list(range(100))
    model.reset_parameters()
    data = make_data()
    x = model.interact(data.z, data.pos, data.edge_index).detach()
    with pytest.raises(ValueError, match=r"call 'readout\(x, z\)'"):
        model.readout(x)
    out = model.readout(x, data.z)
    model.atomref = None
    assert_close([out - model.readout(x)], [data.z.double().view(-1, 1)])


def test_gradcheck():
    model = make_model(num_interactions=2)
    data = make_data(4)

    def predict(pos):
        return model(data.z, pos)

    pos = data.pos.clone().requires_grad_()
    assert torch.autograd.gradcheck(predict, pos)
    assert torch.autograd.gradgradcheck(predict, pos)


def test_coincident_atoms():
    model = make_model()
    data = make_data()
    data.pos[3] = data.pos[5]
    data = RadiusGraph(CUTOFF)(data)
    for item in results(model, data.pos, lambda m, pos: m(data.z, pos)):
        assert bool(item.isfinite().all())


def test_empty():
    model = make_model()
    data = make_data(1)
    assert data.num_edges == 0
    assert_close([model(data.z, data.pos)], [model(data)])
    nothing = Data(z=data.z[:0], pos=data.pos[:0], edge_index=data.edge_index)
    batch = Batch.from_data_list([data, nothing])
    assert_close([model(batch)[:1]], [model(data)])
    assert model(batch)[1].tolist() == [0.0]
    assert model(data.z[:0], data.pos[:0]).tolist() == [[0.0]]
    with pytest.raises(ValueError, match=r'needs atoms .* graphs \[1\]'):
        make_model(readout='mean')(batch)


@pytest.mark.parametrize('inputs', [None, 'z, pos, batch'])
def test_readout_over_poses(inputs):
    model = make_model()
    receptor, poses = make_data(6), [make_data(n, seed=n) for n in (3, 4)]
    for data in (receptor, *poses):
        del data.edge_index
    pose_set = RadiusGraph(CUTOFF)(PoseSet.from_complex(receptor, poses))
    readout = MultiPoseReadout(model, 'mean', 'recompute', inputs=inputs)
    out = readout(pose_set)
    expected = model(Batch.from_data_list(pose_set.to_poses())).mean()
    assert_close([out], [expected.view(1)])
    grads = torch.autograd.grad(out.sum(), list(model.parameters()))
    expected = torch.autograd.grad(expected, list(model.parameters()))
    assert_close(grads, expected)


def test_float32_and_wide_positions():
    model, batch = make_model(), make_batch()
    expected = model(batch).detach()
    model.float()
    for pos in [batch.pos.float(), batch.pos, batch.pos + 2.0**24]:
        batch.pos = pos
        out = model(batch)
        assert out.dtype == torch.float32
        assert_close([out.double()], [expected], tol=1e-5)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast(dtype):
    model, batch = make_model().float(), make_batch()
    expected = model(batch).detach()
    with torch.autocast('cpu', dtype=dtype):
        out = model(batch)
    assert_close([out], [expected], tol=0.05)
    out.sum().backward()
    for param in model.parameters():
        assert bool(param.grad.isfinite().all())


def test_copies():
    model, data = make_model(), make_data()
    out = model(data)
    for other in [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]:
        assert torch.equal(other(data), out)
        assert other.layers[0].mlp is other.layers[0].conv.nn
    assert str(model) == (
        'SchNet(hidden_channels=8, num_filters=6, num_interactions=3, '
        "num_gaussians=5, cutoff=3.0, readout='sum', atoms='all')"
    )


def test_no_side_effects():
    model, data = make_model(), make_data()
    state = torch.get_rng_state()
    keys = data.keys()
    assert torch.equal(model(data), model.eval()(data))
    assert torch.equal(torch.get_rng_state(), state)
    assert data.keys() == keys


def test_compile():
    torch._dynamo.reset()
    model, batch = make_model(), make_batch()
    compiled = torch.compile(model, backend='eager', fullgraph=True)
    params = list(model.parameters())
    out, expected = compiled(batch), model(batch)
    assert_close([out], [expected])
    assert_close(
        torch.autograd.grad(out.sum(), params),
        torch.autograd.grad(expected.sum(), params),
    )


@pytest.mark.parametrize(
    'kwargs, match',
    [
        ({'hidden_channels': 1}, 'integer of at least 2 (got 1)'),
        ({'num_filters': 0}, 'integer of at least 1 (got 0)'),
        ({'num_interactions': 0}, 'integer of at least 1 (got 0)'),
        ({'num_gaussians': 1}, 'integer of at least 2 (got 1)'),
        ({'cutoff': -1.0}, 'positive finite number (got -1.0)'),
        ({'max_num_neighbors': 0}, "'max_num_neighbors' has to be"),
        (
            {'max_num_neighbors': 32, 'interaction_graph': Given(None)},
            "beside an 'interaction_graph' (got 32)",
        ),
        ({'readout': 'max'}, "['add', 'sum', 'mean'] (got 'max')"),
        ({'atoms': 'receptor'}, "['all', 'ligand'] (got 'receptor')"),
        ({'dipole': True}, 'torch_geometric.nn.models.SchNet(dipole=True)'),
        ({'mean': 1.0}, 'mean=1.0 and std=None); without a shift give'),
        ({'std': 1.0}, 'mean=None and std=1.0); without a shift give'),
        ({'mean': 0.0, 'std': float('nan')}, 'both be finite numbers'),
        ({'mean': 'low', 'std': 1.0}, 'both be finite numbers'),
        ({'atomref': torch.zeros(10)}, '[100, 1], with a value for each'),
        ({'atomref': [0.0] * 100}, '(got list)'),
    ],
)
def test_invalid_arguments(kwargs, match):
    with pytest.raises(ValueError, match=re.escape(match)):
        SchNet(**kwargs)


def test_invalid_batch():
    model = make_model()

    def check(match, error=ValueError, **kwargs):
        data = make_data(5)
        for key, value in kwargs.items():
            data[key] = value
        with pytest.raises(error, match=re.escape(match)):
            model(data)

    check("apply 'pyg_multipose.transforms.RadiusGraph(3.0)'", edge_index=None)
    check("'pos' must be a tensor (got NoneType)", pos=None)
    check("'z' must lie in [0, 100) (got 100)", z=torch.full((5,), 100))
    check('MultiPoseReadout', TypeError, num_poses=3)

    z, pos = make_data(5).z, make_data(5).pos
    for args, match in [
        ((z, pos[:4]), '[5, 3], one row for each'),
        ((z.float(), pos), "'z' must hold int64"),
        ((z + 100, pos), "'z' must lie in [0, 100)"),
        ((z, pos, z[:3]), 'the graph of each of the 5 atoms (got shape [3])'),
    ]:
        with pytest.raises(ValueError, match=re.escape(match)):
            model(*args)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.half])
def test_tiny_gaussians(dtype):
    """What is left out is far below rounding, whatever the parameters are."""
    model = SchNet(8, 8, 1, 50, 4.5).to(dtype)
    pos = torch.zeros(2000, 3)
    pos[1:, 0] = torch.linspace(0.8, 4.5, 1999)
    edges = torch.stack([torch.arange(1, 2000), torch.zeros(1999).long()])
    if dtype == torch.float64:
        pos = pos.double()
    found, _ = model.edge_geometry(pos, edges)
    expected = model.distance_expansion((pos[1:] - pos[0]).norm(dim=1))
    assert found.dtype == dtype
    torch.testing.assert_close(
        found, expected.to(dtype), rtol=1e-5, atol=1e-24
    )
    if dtype == torch.float32:
        tiny = torch.finfo(dtype).tiny
        assert ((expected > 0) & (expected < tiny)).any()
        assert not ((found > 0) & (found < 1e-26)).any()
