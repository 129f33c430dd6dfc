import pytest
import torch
from torch.autograd import grad

from pyg_multipose.nn.messages import coupled_loops
from pyg_multipose.nn.messages.coupled_sum import Group, Path, coupled_sum


def make_groups():
    """Any couplings, components and orders; some inputs are not used."""
    generator = torch.Generator().manual_seed(12)
    first = torch.randn(3, 2, 5, generator=generator).double()
    first[:, 0, 3] = 0.0
    second = torch.randn(3, 3, 2, generator=generator).double()
    return (
        Group(
            slice(1, 9),
            (4, 2),
            slice(0, 8),
            first.flatten(1),
            (
                Path(slice(0, 2), slice(0, 4), slice(16, 24)),
                Path(slice(2, 5), slice(4, 8), slice(0, 12)),
            ),
        ),
        Group(
            slice(10, 16),
            (2, 3),
            slice(8, 10),
            second.flatten(1),
            (Path(slice(0, 2), slice(0, 2), slice(12, 16)),),
        ),
    )


def make(num_edges=30, num_rows=9, dtype=torch.float64):
    generator = torch.Generator().manual_seed(12)
    leaves = [
        torch.randn(size, generator=generator).to(dtype).requires_grad_()
        for size in [(6, 16), (num_rows, 3), (num_rows, 10)]
    ]
    edge_index = torch.stack(
        [torch.randint(n, (num_edges,), generator=generator) for n in (6, 7)]
    )
    rows = torch.randint(num_rows, (num_edges,), generator=generator)
    return leaves, edge_index, rows


def run(leaves, edge_index, rows, dim_size=8):
    x, y, w = leaves
    return coupled_sum(x, edge_index, y, w, dim_size, make_groups(), 25, rows)


def all_orders(leaves, edge_index, rows):
    out = run(leaves, edge_index, rows)
    first = grad(out.sin().sum(), leaves, create_graph=True)
    second = grad(sum(item.square().sum() for item in first), leaves)
    return [out, *first, *second]


def assert_close(a, b, tolerance=1e-12):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize('has_rows', [True, False])
def test_equals_torch(has_rows, fused, unfused):
    leaves, edge_index, rows = make(num_rows=9 if has_rows else 30)
    rows = rows if has_rows else None
    expected = unfused(all_orders, leaves, edge_index, rows)
    assert not fused
    assert_close(all_orders(leaves, edge_index, rows), expected)
    ran = {coupled_loops.SUM, coupled_loops.GRADIENTS}
    assert ran <= set(fused)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_types(dtype, fused, unfused):
    """Half precision is summed in float32."""
    leaves, edge_index, rows = make(dtype=dtype)
    results = []
    for call in (lambda function: function(), unfused):
        out = call(lambda: run(leaves, edge_index, rows))
        first = call(lambda: grad(out.float().sum(), leaves))  # noqa: B023
        results.append([out, *first])
    assert fused
    assert_close(*results, 1e-5 if dtype == torch.float32 else 1e-2)


def test_gradcheck(fused):
    leaves, edge_index, rows = make(num_edges=4, num_rows=3)

    def function(*leaves):
        return run(leaves, edge_index, rows)

    assert torch.autograd.gradcheck(function, leaves)
    assert torch.autograd.gradgradcheck(function, leaves)
    assert fused


@pytest.mark.parametrize('needs', range(1, 8))
def test_needs(needs, fused, unfused):
    leaves, edge_index, rows = make()
    for i, item in enumerate(leaves):
        item.requires_grad_(bool(needs >> i & 1))
    asked = [item for item in leaves if item.requires_grad]

    def function():
        return grad(run(leaves, edge_index, rows).sin().sum(), asked)

    got = function()
    assert coupled_loops.GRADIENTS in fused
    assert_close(got, unfused(function))


@pytest.mark.filterwarnings('ignore:invalid value:RuntimeWarning')
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
@pytest.mark.parametrize('which', range(3))
def test_not_finite(which, value, fused, unfused):
    leaves, edge_index, rows = make()
    for row, column in [(0, 1), (2, 2)]:
        changed = [item.detach().clone() for item in leaves]
        changed[which][row, column] = value
        changed = [item.requires_grad_() for item in changed]

        def function(changed=changed):
            out = run(changed, edge_index, rows)
            return [out, *grad(out.sum(), changed)]

        got, expected = function(), unfused(function)
        assert fused
        for a, b in zip(got, expected, strict=True):
            finite = b.isfinite()
            assert torch.equal(a.isfinite(), finite)
            assert_close(a[finite], b[finite])
        assert not all(bool(a.isfinite().all()) for a in got)


@pytest.mark.parametrize('dim_size', [0, 8])
def test_no_edges(dim_size, fused):
    leaves, edge_index, rows = make(num_edges=0)
    out = run(leaves, edge_index, rows, dim_size)
    assert torch.equal(out, out.new_zeros(dim_size, 25))
    for got, item in zip(grad(out.sum(), leaves), leaves, strict=True):
        assert torch.equal(got, torch.zeros_like(item))
    assert fused


def test_strides(fused, unfused):
    leaves, edge_index, rows = make()
    x, y, w = (item.detach() for item in leaves)
    leaves = [
        x.t().contiguous().t().requires_grad_(),
        y.t().contiguous().t().requires_grad_(),
        w[:1].expand(9, -1).requires_grad_(),
    ]
    args = edge_index.t().contiguous().t().int(), rows.int()
    got = all_orders(leaves, *args)
    assert fused
    assert_close(got, unfused(all_orders, leaves, edge_index, rows))


def test_contexts(fused, unfused):
    (x, y, w), edge_index, rows = make()
    with torch.inference_mode():
        out = run((x, y, w), edge_index, rows)
    with torch.no_grad():
        assert torch.equal(out, run((x, y, w), edge_index, rows))
    assert_close(out, unfused(run, (x, y, w), edge_index, rows).detach())

    def energy(y):
        return run((x.detach(), y, w.detach()), edge_index, rows).sin().sum()

    # (Edges are wrapped there: they are for torch.)
    got = torch.func.grad(energy)(y.detach())
    assert_close(got, grad(energy(y), y)[0])
    assert coupled_loops.GRADIENTS in fused


@pytest.mark.parametrize('which', range(3))
def test_indices_out_of_range(which, fused):
    leaves, edge_index, rows = make()
    for wrong in (-1, 9):
        bad = [*edge_index.clone(), rows.clone()]
        bad[which][-1] = wrong
        with pytest.raises(
            (IndexError, RuntimeError, ValueError),
            match='out of (range|bounds)|dim_size|negative',
        ):
            run(leaves, torch.stack(bad[:2]), bad[2])
    assert not fused


def test_weights_that_are_too_few(fused):
    (x, y, w), edge_index, rows = make()
    with pytest.raises(RuntimeError):
        run((x, y, w[:, :7]), edge_index, rows)
    with pytest.raises(RuntimeError):
        run((x, y[:, :2], w), edge_index, rows)
    assert not fused
