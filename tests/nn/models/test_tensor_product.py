import copy
import pickle

import pytest
import torch
from e3nn import o3
from torch.autograd import grad
from torch_geometric.utils import scatter

from pyg_multipose.nn.messages import coupled_sum, kernel
from pyg_multipose.nn.models import tensor_product
from pyg_multipose.nn.models.tensor_product import TensorProduct

IRREPS = [
    ('4x0e', '0e+1o'),
    ('8x0e+4x1o', '0e+1o'),
    ('6x0e+3x1o+2x2e', '0e+1o+2e'),
    ('1x0e+1x1o', '0e+1o+2e+3o'),
    ('2x0o+3x1e+1x2o+2x0e+2x3o', '0e+1o+2e+3o'),
    ('3x1e', '1o+2e'),
    ('2x1o+3x1o', '0e+2e'),
]


@pytest.fixture(autouse=True)
def always_coupled(monkeypatch):
    """However narrow, since tests are small; by torch unless asked."""
    monkeypatch.setattr(kernel, 'find_numba', lambda: None)
    monkeypatch.setattr(tensor_product, '_WIDE', 0)
    monkeypatch.setattr(tensor_product, '_FUSED', 0)


def make_product(irreps_in='6x0e+3x1o+2x2e', irreps_edge='0e+1o+2e', lmax=3):
    irreps_in, irreps_edge = o3.Irreps(irreps_in), o3.Irreps(irreps_edge)
    slots, instructions = [], []
    for i, (mul, ir_in) in enumerate(irreps_in):
        for j, (_, ir_edge) in enumerate(irreps_edge):
            for ir in ir_in * ir_edge:
                if ir.l <= lmax:
                    instructions.append((i, j, len(slots), 'uvu', True))
                    slots.append((mul, ir))
    irreps_out, position, _ = o3.Irreps(slots).sort()
    instructions = [
        (i, j, position[k], *more) for i, j, k, *more in instructions
    ]
    return TensorProduct(irreps_in, irreps_edge, irreps_out, instructions)


def make_inputs(product, num_edges=40, num_rows=None, dtype=torch.float64):
    """Targets with zero to many edges; the last one of 7 has none."""
    generator = torch.Generator().manual_seed(12)
    source = torch.randint(5, (num_edges,), generator=generator)
    target = torch.randint(36, (num_edges,), generator=generator)
    target = target.double().sqrt().long()
    num_rows = num_edges if num_rows is None else num_rows
    inputs = [
        torch.randn(size, generator=generator, dtype=dtype).requires_grad_()
        for size in [
            (5, product.irreps_in1.dim),
            (num_rows, product.irreps_in2.dim),
            (num_rows, product.weight_numel),
        ]
    ]
    return inputs, torch.stack([source, target])


def reference(product, inputs, edge_index, dim_size=7, rows=None):
    """e3nn's own product, edge by edge."""
    x, y, w = inputs
    if rows is not None:
        y, w = y[rows], w[rows]
    message = product.product(x[edge_index[0]], y, w)
    return scatter(message, edge_index[1], dim=0, dim_size=dim_size)


def assert_same(a, b, tolerance=1e-12):
    for p, q in zip(a, b, strict=True):
        assert (p is None) == (q is None)
        if p is not None:
            p, q = p.detach(), q.detach()
            assert p.dtype == q.dtype and p.size() == q.size()
            error = (p - q).abs().max() if p.numel() else torch.zeros(())
            scale = q.abs().max().clamp(min=1.0) if q.numel() else 1.0
            assert float(error / scale) <= tolerance


def all_orders(out, inputs):
    """The output, its gradients, and gradients of these."""
    leaves = [item for item in inputs if item.requires_grad]
    first = grad(out.sin().sum(), leaves, create_graph=True)
    loss = sum((item * item).sum() for item in first)
    second = grad(loss, leaves, create_graph=True)
    third = grad(second[0].sum(), leaves, allow_unused=True)
    return [out, *first, *second, *third]


@pytest.mark.parametrize('block', [1, 5, 4096])
@pytest.mark.parametrize('irreps', IRREPS)
def test_equals_e3nn(irreps, block, monkeypatch):
    monkeypatch.setattr(coupled_sum, '_BLOCK', block)
    product = make_product(*irreps).double()
    inputs, edge_index = make_inputs(product)
    x, y, w = inputs
    out = product(x, edge_index, y, w, 7)
    assert out.size() == (7, product.irreps_out.dim)
    assert bool((out[6] == 0.0).all())
    assert out.grad_fn.name() == '_SumBackward'
    expected = reference(product, inputs, edge_index)
    assert_same(all_orders(out, inputs), all_orders(expected, inputs))


@pytest.mark.parametrize('irreps', IRREPS)
def test_numba_equals_e3nn(irreps, monkeypatch):
    pytest.importorskip('numba')
    monkeypatch.undo()
    monkeypatch.setattr(tensor_product, '_FUSED', 0)
    product = make_product(*irreps).double()
    inputs, edge_index = make_inputs(product)
    x, y, w = inputs
    out = product(x, edge_index, y, w, 7)
    got = all_orders(out, inputs)
    assert 'blocks' not in vars(out.grad_fn.constants[1])  # of torch
    expected = reference(product, inputs, edge_index)
    assert_same(got, all_orders(expected, inputs))


def test_shared_rows():
    product = make_product().double()
    inputs, edge_index = make_inputs(product, num_rows=9)
    rows = torch.arange(40) * 5 % 8  # (The last row serves no edge.)
    x, y, w = inputs
    out = product(x, edge_index, y, w, 7, rows)
    expected = reference(product, inputs, edge_index, 7, rows)
    assert_same(all_orders(out, inputs), all_orders(expected, inputs))
    with pytest.raises(ValueError, match=r"'rows' if they share"):
        product(x, edge_index, y, w, 7)


@pytest.mark.parametrize('irreps_in', ['1x0e+1x1o', '2x0o+1x1e'])
def test_gradcheck(irreps_in):
    product = make_product(irreps_in, '0e+1o', lmax=1).double()
    inputs, edge_index = make_inputs(product, num_edges=4)

    def function(x, y, w):
        return product(x, edge_index, y, w, 7)

    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


@pytest.mark.parametrize('needs', range(1, 8))
def test_needs(needs):
    product = make_product().double()
    inputs, edge_index = make_inputs(product)
    for i, item in enumerate(inputs):
        item.requires_grad_(bool(needs >> i & 1))
    leaves = [item for item in inputs if item.requires_grad]
    x, y, w = inputs

    def run(out):
        first = grad(out.sin().sum(), leaves, create_graph=True)
        loss = sum((item * item).sum() for item in first)
        return [out, *first, *grad(loss, leaves)]

    got = run(product(x, edge_index, y, w, 7))
    assert_same(got, run(reference(product, inputs, edge_index)))
    with torch.no_grad():
        assert not product(x, edge_index, y, w, 7).requires_grad


def test_gradient_of_one_gradient():
    """Forces in the loss: of the three gradients one is used."""
    product = make_product().double()
    inputs, edge_index = make_inputs(product)
    x, y, w = inputs
    seed = torch.randn(7, product.irreps_out.dim).double().requires_grad_()
    results = []
    for out in [
        product(x, edge_index, y, w, 7),
        reference(product, inputs, edge_index),
    ]:
        (force,) = grad(out, y, seed, create_graph=True)
        results.append(grad(force.square().sum(), [x, w, seed]))
    assert_same(*results)


@pytest.fixture
def default_double():
    """The type in which e3nn computes matrices of representations."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(dtype)


@pytest.mark.parametrize('sign', [1.0, -1.0])
def test_equivariance(sign, default_double):
    product = make_product('2x0o+3x1e+1x2o+2x0e', '0e+1o+2e').double()
    (x, y, w), edge_index = make_inputs(product)
    torch.manual_seed(12)
    rotation = sign * o3.rand_matrix()
    expected = product(x, edge_index, y, w, 7)
    expected = expected @ product.irreps_out.D_from_matrix(rotation).t()
    x = x @ product.irreps_in1.D_from_matrix(rotation).t()
    y = y @ product.irreps_in2.D_from_matrix(rotation).t()
    assert_same([product(x, edge_index, y, w, 7)], [expected], 1e-11)


@pytest.mark.parametrize('dim_size', [0, 3])
def test_no_edges(dim_size):
    product = make_product().double()
    inputs, edge_index = make_inputs(product, num_edges=0)
    x, y, w = inputs
    out = product(x, edge_index, y, w, dim_size)
    assert torch.equal(out, out.new_zeros(dim_size, product.irreps_out.dim))
    for got, item in zip(grad(out.sum(), inputs), inputs, strict=True):
        assert torch.equal(got, torch.zeros_like(item))


def test_strides():
    product = make_product().double()
    inputs, edge_index = make_inputs(product)
    x, y, w = inputs
    strange = [
        x.detach().t().contiguous().t(),
        torch.stack([y.detach(), y.detach()], -1)[..., 1],
        w.detach()[:1].expand(40, -1),
    ]
    assert not any(item.is_contiguous() for item in strange)
    plain = [
        item.clone(memory_format=torch.contiguous_format) for item in strange
    ]
    results = []
    for values in (strange, plain):
        x, y, w = (item.requires_grad_() for item in values)
        index = edge_index if values is plain else edge_index.t().clone().t()
        out = product(x, index, y, w, 7)
        # (The gradient of a sum is an expanded scalar.)
        results.append([out, *grad(out.sum(), [x, y, w])])
    assert_same(*results)


def test_nan_stays_at_its_target():
    product = make_product().double()
    inputs, edge_index = make_inputs(product)
    x, y, w = inputs
    clean = product(x, edge_index, y, w, 7).detach()
    for value in (float('nan'), float('inf')):
        for edge in range(40):
            weights = w.detach().clone()
            weights[edge] = value
            out = product(x, edge_index, y, weights, 7)
            good = torch.arange(7) != edge_index[1, edge]
            assert torch.equal(out[good], clean[good])
            assert not bool(out[~good].isfinite().all())


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    product = make_product()
    inputs, edge_index = make_inputs(product, dtype=dtype)
    x, y, w = inputs
    out = product(x, edge_index, y, w, 7)
    wide = [item.detach().float().requires_grad_() for item in inputs]
    expected = product(wide[0], edge_index, wide[1], wide[2], 7)
    assert torch.equal(out, expected.to(dtype))
    got = grad(out.float().sum(), inputs)
    expected = grad(expected.sum(), wide)
    for a, b in zip(got, expected, strict=True):
        assert torch.equal(a, b.to(dtype))


def test_autocast_changes_nothing():
    product = make_product()
    inputs, edge_index = make_inputs(product, dtype=torch.float32)
    x, y, w = inputs
    results = []
    for enabled in (True, False):
        with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
            out = product(x, edge_index, y, w, 7)
            results.append([out, *grad(out.sum(), inputs)])
    assert_same(*results, tolerance=0.0)


def test_bytes_held_for_backward():
    product = make_product('32x0e+16x1o', '0e+1o', lmax=1)
    inputs, edge_index = make_inputs(product, dtype=torch.float32)
    x, y, w = inputs
    held = []

    def pack(tensor):
        held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda item: item):
        out = product(x, edge_index, y, w, 7)
    pointers = {item.data_ptr() for item in held}
    assert pointers == {item.data_ptr() for item in inputs}
    # The rest is indices, one row for each edge and what fills blocks:
    blocks = out.grad_fn.constants[1].blocks
    assert sum(block.row.numel() for block in blocks) <= 2 * 40
    assert not any(
        item.is_floating_point() for block in blocks for item in block
    )


def test_inputs_changed_in_place():
    product = make_product().double()
    (x, y, w), edge_index = make_inputs(product)
    index = edge_index.clone()
    out = product(x, index, y, w, 7).sum()
    expected = grad(out, w, retain_graph=True)
    index.zero_()  # The blocks have copies.
    assert_same(grad(out, w, retain_graph=True), expected)
    with torch.no_grad():
        w.mul_(2.0)
    with pytest.raises(RuntimeError, match='modified by an inplace'):
        out.backward()


def test_functional_gradient():
    product = make_product().double()
    inputs, edge_index = make_inputs(product)
    x, y, w = (item.detach() for item in inputs)

    def energy(y):
        return product(x, edge_index, y, w, 7).sin().sum()

    got = torch.func.grad(energy)(y)
    expected = reference(product, inputs, edge_index).sin().sum()
    assert_same([got], grad(expected, inputs[1]))


def test_compile():
    product = make_product().double()
    inputs, edge_index = make_inputs(product)
    x, y, w = inputs
    expected = product(x, edge_index, y, w, 7)
    torch.compiler.reset()
    compiled = torch.compile(product, backend='aot_eager')
    out = compiled(x, edge_index, y, w, 7)
    got = grad(out.sin().sum(), inputs)
    assert_same([out, *got], [expected, *grad(expected.sin().sum(), inputs)])


def test_narrow_products_are_of_e3nn(monkeypatch):
    monkeypatch.undo()
    names = []
    for irreps in ('2x0e+1x1o', '32x0e+16x1o'):
        product = make_product(irreps, '0e+1o')
        inputs, edge_index = make_inputs(
            product, num_rows=9, dtype=torch.float32
        )
        rows = torch.arange(40) % 9
        x, y, w = inputs
        out = product(x, edge_index, y, w, 7, rows)
        names.append(out.grad_fn.name())
        expected = reference(product, inputs, edge_index, 7, rows)
        assert_same([out], [expected], tolerance=1e-5)
    assert names[0] != '_SumBackward' and names[1] == '_SumBackward'


def test_constants_are_exact_and_not_state():
    product = make_product()
    assert str(product).startswith('TensorProduct(6x0e+3x1o+2x2e x 1x0e')
    others = [copy.deepcopy(product), pickle.loads(pickle.dumps(product))]
    for other in [product, *others]:
        assert not other.state_dict()
        other.double()
        inputs, edge_index = make_inputs(product)
        x, y, w = inputs
        out = other(x, edge_index, y, w, 7)
        expected = reference(other, inputs, edge_index)
        assert_same([out], [expected])
        buffers = dict(other.named_buffers())
        names = [name for name in buffers if name.endswith('_w3j_1_1_2')]
        expected = o3.wigner_3j(1, 1, 2, dtype=torch.float64)
        assert len(names) == 1 and torch.equal(buffers[names[0]], expected)


def test_bad_input():
    for instructions, message in [
        ([(0, 0, 0, 'uvw', True)], r"got \(0, 0, 0, 'uvw', True\)"),
        ([(0, 0, 0, 'uvu', False)], 'uvu'),
        ([(0, 1, 0, 'uvu', True)], '2x0e'),
        ([(1, 0, 1, 'uvu', True), (0, 0, 0, 'uvu', True)], 'sorted'),
        ([(0, 0, 0, 'uvu', True), (1, 0, 0, 'uvu', True)], 'output each'),
    ]:
        with pytest.raises(ValueError, match=message):
            TensorProduct('2x0e+2x0e', '0e+2x0e', '2x0e+2x0e', instructions)
    product = make_product().double()
    (x, y, w), edge_index = make_inputs(product)
    with pytest.raises(ValueError, match=r"'dim_size' \(got 5 and 5\)"):
        product(x, edge_index, y, w, 5)
