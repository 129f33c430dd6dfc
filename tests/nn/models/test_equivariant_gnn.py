import copy
import io
import re

import pytest
import torch
from e3nn import o3
from torch_geometric.data import Batch, Data

from pyg_multipose.nn.models import EquivariantGNN

CUTOFF = 3.0
IRREPS = ['8x0e', '8x0e+4x1o', '4x0e+4x0o+2x1e+2x1o', '3x1o+4x0e+2x2e+2x0e']


@pytest.fixture
def float64():
    # e3nn builds Wigner matrices in the default type.
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(dtype)


def make_model(hidden_irreps='8x0e+4x1o+2x2e', seed=12, **kwargs):
    torch.manual_seed(seed)
    kwargs = dict(num_layers=3, cutoff=CUTOFF, radial_channels=8) | kwargs
    return EquivariantGNN(hidden_irreps, **kwargs).double()


def connect(data, r=CUTOFF):
    dist = torch.cdist(data.pos.detach(), data.pos.detach())
    mask = (dist < r) & ~torch.eye(len(dist), dtype=torch.bool)
    data.edge_index = mask.nonzero().t().contiguous()
    return data


def make_data(num_nodes=9, seed=0, **kwargs):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randint(1, 18, (num_nodes,), generator=generator)
    pos = torch.rand(num_nodes, 3, generator=generator, dtype=torch.float64)
    return connect(Data(z=z, pos=4.0 * pos, **kwargs))


def moved(data, pos):
    data = copy.copy(data)
    data.pos = pos
    return data


def assert_close(out, expected, tol=1e-10):
    assert out.size() == expected.size() and out.dtype == expected.dtype
    assert bool(out.isfinite().all())
    error = (out - expected).abs().max().item()
    assert error <= tol * expected.abs().max().item()


def test_equivariant_gnn():
    model = EquivariantGNN()
    assert str(model) == (
        'EquivariantGNN(hidden_irreps=32x0e+16x1o+8x2e, num_layers=3, '
        "cutoff=5.0, lmax=2, out_channels=1, pool='sum', atoms='all')"
    )
    data = make_data()
    data.pos = data.pos.float()
    out = model(data)
    assert out.size() == (1,) and out.dtype == torch.float32
    assert model(Batch.from_data_list([data] * 3)).size() == (3,)

    # Every parameter has a gradient:
    out.sum().backward()
    for name, param in model.named_parameters():
        assert param.grad is not None, name
        assert bool((param.grad != 0.0).any()), name

    # The geometry of wide positions is not rounded early:
    wide = model(moved(data, data.pos.double() + 2.0**24))
    assert wide.dtype == torch.float32
    assert_close(wide, out.detach(), tol=1e-4)


@pytest.mark.parametrize('radial_basis', ['bessel', 'gaussian'])
@pytest.mark.parametrize('hidden_irreps', IRREPS)
def test_invariance(hidden_irreps, radial_basis, float64):
    model = make_model(hidden_irreps, radial_basis=radial_basis)
    data = make_data()
    out = model(data)
    rot = o3.rand_matrix()
    shift = torch.tensor([3.0, -7.0, 11.0])

    assert_close(model(moved(data, data.pos @ rot.t())), out)
    assert_close(model(moved(data, data.pos + shift)), out)
    assert_close(model(moved(data, -data.pos)), out)

    perm = torch.randperm(data.num_nodes)
    permuted = connect(Data(z=data.z[perm], pos=data.pos[perm]))
    assert_close(model(permuted), out)

    # A distortion is noticed:
    pos = data.pos * torch.tensor([1.0, 1.0, 1.1])
    assert abs((model(moved(data, pos)) - out).item()) > 1e-6


@pytest.mark.parametrize('num_layers', [1, 2, 3, 4])
@pytest.mark.parametrize('hidden_irreps', IRREPS)
def test_node_features(hidden_irreps, num_layers, float64):
    model = make_model(hidden_irreps, num_layers=num_layers)
    data = make_data()
    x = model.node_features(data)
    irreps = o3.Irreps(hidden_irreps)
    assert x.size() == (data.num_nodes, irreps.dim)

    for rot in [o3.rand_matrix(), -o3.rand_matrix()]:
        out = model.node_features(moved(data, data.pos @ rot.t()))
        assert_close(out, x @ irreps.D_from_matrix(rot).t())

    # Convolutions that are needed before an irrep can be filled:
    needed = {'0e': 0, '1o': 1, '2e': 1, '1e': 2, '0o': 3}
    for (_, ir), s in zip(irreps, irreps.slices(), strict=True):
        filled = num_layers - 1 >= needed[str(ir)]
        assert bool((x[:, s] != 0.0).any()) == filled, ir


def test_chirality(float64):
    # A pseudoscalar tells mirror images apart, predictions do not.
    model = make_model('4x0e+4x0o+2x1e+2x1o', num_layers=4)
    data = make_data()
    x = model.node_features(data)
    out = model.node_features(moved(data, -data.pos))
    assert_close(out[:, :4], x[:, :4])
    assert_close(out[:, 4:8], -x[:, 4:8])


@pytest.mark.parametrize('pool', ['sum', 'mean'])
def test_batch(pool):
    model = make_model(pool=pool)
    datas = [make_data(n, seed=n) for n in [5, 1, 9, 4]]
    expected = torch.cat([model(data) for data in datas])
    assert_close(model(Batch.from_data_list(datas)), expected, tol=1e-13)


@pytest.mark.parametrize(
    'radial_basis, power', [('bessel', 4), ('gaussian', 3)]
)
def test_cutoff(radial_basis, power):
    model = make_model(radial_basis=radial_basis)
    data = make_data(num_nodes=12)
    out = model(data)

    # Edges from the cutoff on contribute exactly nothing:
    far = connect(copy.copy(data), r=100.0)
    assert far.num_edges > data.num_edges
    far.pos = far.pos.clone().requires_grad_()
    near = moved(data, far.pos)
    assert_close(model(far), out, tol=1e-14)
    (grad_far,) = torch.autograd.grad(model(far), far.pos)
    (grad_near,) = torch.autograd.grad(model(near), near.pos)
    assert_close(grad_far, grad_near, tol=1e-14)

    pair = Data(
        z=torch.tensor([6, 8]), edge_index=torch.tensor([[0, 1], [1, 0]])
    )

    def predict(dist):
        pos = torch.zeros(2, 3, dtype=torch.float64)
        pos[1, 2] = dist
        return model(moved(pair, pos))

    apart = predict(10.0)
    assert torch.equal(predict(CUTOFF), apart)
    # The envelope falls off with the third power of what is left, and Bessel
    # functions with the first:
    steps = [(predict(CUTOFF - h) - apart).item() for h in [1e-2, 1e-3]]
    assert steps[0] / steps[1] == pytest.approx(10.0**power, rel=0.1)


@pytest.mark.parametrize('hidden_irreps', ['2x0e', '2x0e+1x1o'])
def test_gradcheck(hidden_irreps):
    model = make_model(
        hidden_irreps,
        num_layers=2,
        lmax=1,
        num_radial=2,
        radial_channels=2,
        out_channels=2,
    )
    data = make_data(num_nodes=4)

    def predict(pos):
        return model(moved(data, pos))

    pos = data.pos.clone().requires_grad_()
    assert torch.autograd.gradcheck(predict, pos)
    assert torch.autograd.gradgradcheck(predict, pos)


def test_double_backward():
    # Forces in the loss.
    model = make_model()
    data = make_data()
    data.pos.requires_grad_()
    (grad,) = torch.autograd.grad(
        model(data).sum(), data.pos, create_graph=True
    )
    assert float(grad.detach().sum(dim=0).abs().max()) < 1e-12
    grad.square().sum().backward()
    for name, param in model.convs.named_parameters():
        assert bool(param.grad.isfinite().all()), name
        assert bool((param.grad != 0.0).any()), name


def test_out_channels():
    model = make_model(out_channels=3)
    batch = Batch.from_data_list([make_data(5), make_data(6)])
    assert model(batch).size() == (2, 3)
    assert model(make_data()).size() == (1, 3)


def test_pool():
    data = make_data(6)
    total, mean = make_model(pool='sum'), make_model(pool='mean')
    assert_close(6.0 * mean(data), total(data), tol=1e-14)


@pytest.mark.parametrize('pool', ['sum', 'mean'])
def test_ligand(pool):
    model = make_model(pool=pool, atoms='ligand')
    data = make_data(7)
    data.is_ligand = torch.zeros(7, dtype=torch.bool)
    data.is_ligand[[1, 4, 5]] = True

    everything = make_model(pool=pool)
    data.pos.requires_grad_()
    out = model(data)
    x = everything.interact(data.z, data.pos, data.edge_index)
    contribution = everything.readout(x)[data.is_ligand]
    expected = contribution.sum() if pool == 'sum' else contribution.mean()
    assert_close(out, expected.view(1), tol=1e-14)
    # Atoms of the receptor still take part:
    (grad,) = torch.autograd.grad(out, data.pos)
    assert bool((grad[~data.is_ligand] != 0.0).any())

    apo = copy.copy(data)
    apo.is_ligand = torch.zeros(7, dtype=torch.bool)
    batch = Batch.from_data_list([data, apo])
    if pool == 'sum':
        assert model(batch)[1] == 0.0
    else:
        with pytest.raises(ValueError, match=r'ligand atoms .* graphs \[1\]'):
            model(batch)


def test_mean_and_std():
    data = make_data()
    out = make_model()(data)
    model = make_model(mean=-7.0, std=2.0)
    batch = Batch.from_data_list([data, data])
    assert_close(model(batch), (2.0 * out - 7.0).expand(2), tol=1e-14)

    # A checkpoint brings them along:
    other = make_model(seed=13)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(data), model(data))

    out = make_model(out_channels=2)(data)
    std = torch.tensor([2.0, 4.0])
    model = make_model(out_channels=2, mean=[1.0, -1.0], std=std)
    assert_close(model(data), out * std.double() + model.mean, tol=1e-14)
    std.zero_()
    assert model.std.tolist() == [2.0, 4.0]


def test_empty_and_single():
    model = make_model()
    empty = torch.empty(2, 0, dtype=torch.long)
    pos = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    single = Data(z=torch.tensor([6]), pos=pos, edge_index=empty)
    out = model(single)
    assert out.size() == (1,)
    out.sum().backward()
    assert torch.equal(pos.grad, torch.zeros_like(pos))

    # Many atoms without edges:
    data = make_data()
    data.edge_index = empty
    expected = sum(
        model(Data(z=z.view(1), pos=pos, edge_index=empty)) for z in data.z
    )
    assert_close(model(data), expected, tol=1e-13)

    # A last graph without atoms is not lost:
    nothing = Data(
        z=torch.empty(0, dtype=torch.long),
        pos=pos.detach()[:0],
        edge_index=empty,
    )
    batch = Batch.from_data_list([data, nothing])
    assert_close(model(batch), torch.cat([expected, 0 * expected]), tol=1e-13)
    with pytest.raises(ValueError, match=r'needs atoms .* graphs \[1\]'):
        make_model(pool='mean')(batch)


@pytest.mark.parametrize('radial_basis', ['bessel', 'gaussian'])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_coincident_atoms(radial_basis, dtype):
    model = make_model(radial_basis=radial_basis).to(dtype)
    data = make_data()
    data.pos[3] = data.pos[5]
    data.pos = data.pos.to(dtype)
    connect(data)
    loops = torch.arange(data.num_nodes).repeat(2, 1)
    data.edge_index = torch.cat([data.edge_index, loops], dim=1)

    data.pos.requires_grad_()
    out = model(data)
    (grad,) = torch.autograd.grad(out, data.pos, create_graph=True)
    assert bool(out.isfinite()) and bool(grad.isfinite().all())
    assert float(grad.detach().abs().max()) < 1e4
    grad.square().sum().backward()
    assert bool(data.pos.grad.isfinite().all())
    for param in model.parameters():
        assert param.grad is None or bool(param.grad.isfinite().all())


def test_float32():
    model = make_model()
    data = make_data()
    expected = model(data).detach()
    model = model.float()
    out = model(moved(data, data.pos.float()))
    assert out.dtype == torch.float32
    assert_close(out.double(), expected, tol=1e-5)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast(dtype):
    model = make_model().float()
    data = make_data()
    data.pos = data.pos.float()
    batch = Batch.from_data_list([data, data])
    expected = model(batch).detach()
    with torch.autocast('cpu', dtype=dtype):
        out = model(batch)
    assert_close(out, expected, tol=0.05)
    out.sum().backward()
    for param in model.parameters():
        assert bool(param.grad.isfinite().all())


def test_no_side_effects():
    state = torch.get_rng_state()
    model = EquivariantGNN('2x0e+1x1o', num_layers=2)
    model(moved(make_data(4), make_data(4).pos.float()))
    assert torch.get_default_dtype() == torch.float32

    # The forward pass draws no random numbers and gives the same again:
    state = torch.get_rng_state()
    data = make_data()
    data.pos = data.pos.float()
    buffers = {k: v.clone() for k, v in model.named_buffers()}
    out = model(data)
    assert torch.equal(model.eval()(data), out)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(buffers[k], v) for k, v in model.named_buffers())
    assert set(data.keys()) == {'z', 'pos', 'edge_index'}


def test_reset_parameters():
    model = make_model()
    data = make_data()
    out = model(data)
    torch.manual_seed(12)
    model.reset_parameters()
    first = model(data)
    assert not torch.equal(first, out)
    torch.manual_seed(12)
    model.reset_parameters()
    assert torch.equal(model(data), first)


def test_copies():
    model = make_model()
    data = make_data()
    out = model(data)
    assert torch.equal(copy.deepcopy(model)(data), out)

    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    assert torch.equal(loaded(data), out)
    assert str(loaded) == str(model)

    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = make_model(seed=13)
    assert not torch.equal(other(data), out)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(data), out)
    assert set(model.state_dict()) == set(loaded.state_dict())


def test_compile():
    model = make_model()
    batch = Batch.from_data_list([make_data(5), make_data(7)])
    batch.pos.requires_grad_()
    expected = model(batch)
    compiled = torch.compile(model, backend='eager', fullgraph=True)
    out = compiled(batch)
    assert_close(out, expected, tol=1e-13)
    out.sum().backward()
    assert bool((batch.pos.grad != 0.0).any())


@pytest.mark.parametrize(
    'name, value, match',
    [
        ('hidden_irreps', 'abc', "irreps such as .* (got 'abc')"),
        ('hidden_irreps', 3.5, 'irreps such as .* (got 3.5)'),
        ('hidden_irreps', '4x0o+2x1o', "(got '4x0o+2x1o'); add for example"),
        ('num_layers', 0, 'integer of at least 1 (got 0)'),
        ('num_layers', 2.0, 'integer of at least 1 (got 2.0)'),
        ('cutoff', 0.0, 'positive finite number (got 0.0)'),
        ('cutoff', float('inf'), 'positive finite number (got inf)'),
        ('lmax', -1, 'integer of at least 0 (got -1)'),
        ('num_radial', 0, 'integer of at least 1 (got 0)'),
        ('radial_basis', 'fourier', "['bessel', 'gaussian'] (got 'fourier')"),
        ('radial_channels', 0, 'integer of at least 1 (got 0)'),
        ('out_channels', True, 'integer of at least 1 (got True)'),
        ('pool', 'max', "one of ['sum', 'mean'] (got 'max')"),
        ('atoms', 'receptor', "['all', 'ligand'] (got 'receptor')"),
        ('num_neighbors', '16', "positive finite number (got '16')"),
        ('num_elements', 0, 'integer of at least 1 (got 0)'),
        ('mean', [1.0, 2.0], "each of the 1 'out_channels'"),
        ('mean', 'low', "(got 'low')"),
        ('std', float('nan'), 'finite number'),
        ('std', 0.0, 'must be positive (got 0.0)'),
    ],
)
def test_invalid_arguments(name, value, match):
    match = re.escape(match).replace(r'\.\*', '.*').replace('.\\*', '.*')
    with pytest.raises(ValueError, match=f"'{name}' .*{match}"):
        EquivariantGNN(**{name: value})


def test_invalid_batch():
    model = make_model(num_elements=20)

    def check(match, error=ValueError, model=model, **kwargs):
        data = make_data(5)
        for key, value in kwargs.items():
            data[key] = value
        with pytest.raises(error, match=re.escape(match)):
            model(data)
        with pytest.raises(error, match=re.escape(match)):
            model.node_features(data)

    check("apply 'pyg_multipose.transforms.RadiusGraph(3.0)'", edge_index=None)
    check("'z' must be a tensor (got NoneType)", z=None)
    check("'pos' must be a tensor (got NoneType)", pos=None)
    check('float64 of shape [5]', z=torch.ones(5, dtype=torch.float64))
    check('int64 of shape [5, 1]', z=torch.ones(5, 1, dtype=torch.long))
    check('[5, 3]', pos=torch.zeros(4, 3))
    check('int64 of shape [5, 3]', pos=torch.zeros(5, 3, dtype=torch.long))
    check('[2, num_edges]', edge_index=torch.zeros(5, 2, dtype=torch.long))
    check('(got torch.float32', edge_index=torch.zeros(2, 5))
    check("'z' must lie in [0, 20) (got 20)", z=torch.tensor([1, 20, 1, 6, 7]))
    check("'z' must lie in [0, 20) (got -1)", z=torch.tensor([1, 5, -1, 6, 7]))
    check("use 'torch_geometric.data.Batch'", batch=torch.zeros(5).long())
    check('MultiPoseReadout', TypeError, num_poses=3)

    model = make_model(atoms='ligand')
    check("'is_ligand' must be a tensor (got NoneType)", model=model)
    check('torch.float32 of shape [5]', model=model, is_ligand=torch.ones(5))
    check('[4]', model=model, is_ligand=torch.ones(4, dtype=torch.bool))
