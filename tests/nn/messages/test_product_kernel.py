import pytest
import torch
from torch.autograd import grad

from pyg_multipose.nn.messages.message_sum import message_sum
from pyg_multipose.nn.messages.product_kernel import product_sum


def make(num_edges=40, num_filters=9, dtype=torch.float64):
    generator = torch.Generator().manual_seed(12)
    source, filters = (
        torch.randn(n, 5, generator=generator).to(dtype).requires_grad_()
        for n in (6, num_filters)
    )
    edge_index = torch.stack(
        [torch.randint(n, (num_edges,), generator=generator) for n in (6, 7)]
    )
    rows = torch.randint(num_filters, (num_edges,), generator=generator)
    return source, edge_index, filters, rows


def all_orders(source, edge_index, filters, rows):
    out = message_sum(source, edge_index, filters, 7, rows)
    leaves = [source, filters]
    first = grad(out.sin().sum(), leaves, create_graph=True)
    second = grad(sum(item.square().sum() for item in first), leaves)
    return [out, *first, *second]


def assert_equal(a, b):
    torch.testing.assert_close(a, b, rtol=0.0, atol=0.0, equal_nan=True)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('has_rows', [True, False])
def test_equals_torch(has_rows, dtype, fused, unfused):
    source, edge_index, filters, rows = make(
        num_filters=9 if has_rows else 40, dtype=dtype
    )
    rows = rows if has_rows else None
    expected = unfused(all_orders, source, edge_index, filters, rows)
    assert not fused
    got = all_orders(source, edge_index, filters, rows)
    assert len(fused) >= 5
    assert_equal(got, expected)


@pytest.mark.parametrize('width', [8, 19])
def test_wide_rows(width, fused, unfused):
    """By vectors, of which each product is rounded with its sum."""
    source, edge_index, filters, rows = make()
    args = [
        torch.randn(len(source), width, dtype=torch.float64),
        edge_index,
        torch.randn(len(filters), width, dtype=torch.float64),
        rows,
    ]
    args[0].requires_grad_()
    args[2].requires_grad_()
    got = all_orders(*args)
    assert fused
    for one, two in zip(got, unfused(all_orders, *args), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('which', range(3))
def test_any_index_may_be_missing(which, fused):
    source, edge_index, filters, rows = make()
    a, b = source.detach(), filters.detach()
    indices = [edge_index[0], rows, edge_index[1]]
    indices[which] = None
    i, j, k = indices
    if which == 0:
        a = torch.randn(40, 5).double()
    elif which == 1:
        b = torch.randn(40, 5).double()
    product = (a if i is None else a[i]) * (b if j is None else b[j])
    expected = product
    if k is not None:
        expected = product.new_zeros(7, 5).index_add(0, k, product)
    assert_equal(product_sum(a, b, i, j, k, 7), expected)
    assert len(fused) == 1


def test_gradcheck(fused):
    source, edge_index, filters, rows = make(num_edges=5, num_filters=3)

    def function(source, filters):
        return message_sum(source, edge_index, filters, 7, rows)

    assert torch.autograd.gradcheck(function, (source, filters))
    assert torch.autograd.gradgradcheck(function, (source, filters))
    assert fused


@pytest.mark.filterwarnings('ignore:invalid value:RuntimeWarning')
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_not_finite(value, fused, unfused):
    source, edge_index, filters, rows = make()
    with torch.no_grad():
        source[2, 1] = value
        filters[3, 4] = -value
        filters[4, 1] = 0.0
    args = source, edge_index, filters, rows
    got = all_orders(*args)
    assert fused and not got[0].isfinite().all()
    assert_equal(got, unfused(all_orders, *args))


def test_no_edges(fused):
    source, edge_index, filters, rows = make(num_edges=0)
    for got in all_orders(source, edge_index, filters, rows):
        assert torch.equal(got, torch.zeros_like(got))
    assert fused


def test_strides(fused, unfused):
    source, edge_index, filters, rows = make()
    args = [
        source.detach().t().contiguous().t().requires_grad_(),
        edge_index.t().contiguous().t().int(),
        filters.detach()[:1].expand(9, -1).requires_grad_(),
        torch.stack([rows, rows], 1)[:, 1],
    ]
    got = all_orders(*args)
    assert fused
    assert_equal(got, unfused(all_orders, *args))


def test_contexts(fused, unfused):
    source, edge_index, filters, rows = make()
    args = edge_index, filters.detach(), 7, rows
    with torch.inference_mode():
        out = message_sum(source, *args)
    with torch.no_grad():
        assert torch.equal(out, message_sum(source, *args))
    assert len(fused) == 2
    assert torch.equal(out, unfused(message_sum, source, *args))

    def energy(source):
        return message_sum(source, *args).sin().sum()

    got = torch.func.grad(energy)(source.detach())
    assert len(fused) == 4
    (expected,) = unfused(lambda: grad(energy(source), source))
    assert_equal(got, expected)


@pytest.mark.parametrize('which', range(3))
def test_indices_out_of_range(which, fused):
    source, edge_index, filters, rows = make()
    indices = [*edge_index, rows]
    for wrong in (-1, 9):
        bad = [index.clone() for index in indices]
        bad[which][-1] = wrong
        with pytest.raises(
            (IndexError, RuntimeError), match='out of (range|bounds)'
        ):
            message_sum(source, torch.stack(bad[:2]), filters, 7, bad[2])
    assert not fused


def test_filters_of_one_channel(fused):
    """They are for torch, which spreads them."""
    source, edge_index, filters, rows = make()
    one = filters.detach()[:, :1]
    out = message_sum(source, edge_index, one, 7, rows)
    assert not fused
    wide = message_sum(source, edge_index, one.expand(-1, 5), 7, rows)
    assert_equal(out, wide)


def test_many_gradients_at_once(fused):
    """torch.autograd.grad(is_grads_batched=True) is torch's."""
    source, edge_index, filters, rows = make()
    out = message_sum(source, edge_index, filters, 7, rows)
    grads = torch.randn(3, *out.shape, dtype=out.dtype)
    found = grad(
        out, [source, filters], grads, retain_graph=True, is_grads_batched=True
    )
    ran = len(fused)
    for number, one in enumerate(grads):
        expected = grad(out, [source, filters], one, retain_graph=True)
        for many, single in zip(found, expected, strict=True):
            torch.testing.assert_close(many[number], single)
    assert ran == 1 and len(fused) > 1
