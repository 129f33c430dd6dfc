"""Sums of messages beside a shared receptor, beside plain operations."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_multipose.nn.messages import kernel
from pyg_multipose.nn.messages.senders import senders
from pyg_multipose.nn.messages.shared_kernel import (
    shared_gradients,
    shared_products,
)
from pyg_multipose.nn.messages.shared_sum import shared_sum


def make(
    differ, num_edges=40, has_rows=True, num=(6, 5, 9, 7), seed=12, width=3
):
    """Tables, and edges between them."""
    generator = torch.Generator().manual_seed(seed)
    m, num_alone, num_filters, n = num
    num_filters = num_filters if has_rows else num_edges

    def integers(size, count):
        return torch.randint(size, (count,), generator=generator)

    tables = [
        torch.randn(size, width, generator=generator).double().requires_grad_()
        for size in (n, m, num_alone, num_filters)
    ]
    edge_index = torch.stack(
        [
            integers(m if differ else m + num_alone, num_edges),
            integers(n, num_edges),
        ]
    )
    rows = integers(num_filters, num_edges) if has_rows else None
    atoms = integers(num_alone, m) if differ else None
    return tables, (edge_index, rows, atoms)


def ours(tables, edges):
    onto, source, alone, filters = tables
    edge_index, rows, atoms = edges
    # It may be written to, and is a leaf here.
    return shared_sum(
        onto.clone(), source, alone, edge_index, filters, rows, atoms
    )


def plain(tables, edges):
    onto, source, alone, filters = tables
    (i, k), rows, atoms = edges
    sent = (
        torch.cat([source, alone])
        if atoms is None
        else (source - alone[atoms])
    )
    filters = filters if rows is None else filters[rows]
    return onto.index_add(0, k, sent[i] * filters)


def all_orders(function, tables, edges):
    inputs = [table for table in tables if table.requires_grad]
    out = function(tables, edges)
    first = torch.autograd.grad(out.sin().sum(), inputs, create_graph=True)
    again = function(tables, edges).sin().sum()
    only = torch.autograd.grad(again, inputs)
    total = sum(grad.square().sum() for grad in first)
    return [out, *first, *only, *torch.autograd.grad(total, inputs)]


def close(found, expected, tol=1e-12):
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two, rtol=tol, atol=tol)


@pytest.mark.parametrize('differ', [True, False])
@pytest.mark.parametrize('has_rows', [True, False])
@pytest.mark.parametrize('width', [1, 8, 19])
def test_as_plain(width, differ, has_rows, fused):
    given = make(differ, has_rows=has_rows, width=width)
    close(all_orders(ours, *given), all_orders(plain, *given))
    assert len(fused) > 3


@pytest.mark.parametrize('differ', [True, False])
def test_by_torch(differ, monkeypatch):
    monkeypatch.setattr(kernel, 'find_numba', lambda: None)
    given = make(differ)
    close(all_orders(ours, *given), all_orders(plain, *given))


@settings(deadline=None, max_examples=60)
@given(
    differ=st.booleans(),
    has_rows=st.booleans(),
    num=st.tuples(*4 * [st.integers(1, 8)]),
    num_edges=st.integers(0, 30),
    needs=st.lists(st.booleans(), min_size=4, max_size=4).filter(any),
    seed=st.integers(0, 99),
)
def test_whatever_is_needed(differ, has_rows, num, num_edges, needs, seed):
    tables, edges = make(differ, num_edges, has_rows, num, seed)
    for table, need in zip(tables, needs, strict=True):
        table.requires_grad_(need)
    found = all_orders(ours, tables, edges)
    close(found, all_orders(plain, tables, edges))


@pytest.mark.parametrize('differ', [True, False])
def test_gradcheck(differ, fused):
    tables, edges = make(differ, num_edges=6, num=(3, 2, 3, 3))

    def function(*tables):
        return ours(tables, edges)

    assert torch.autograd.gradcheck(function, tables)
    assert torch.autograd.gradgradcheck(function, tables)
    assert fused


@pytest.mark.parametrize('differ', [True, False])
def test_what_is_kept(differ):
    """Neither of the tables is copied."""
    tables, (edge_index, rows, atoms) = make(differ)
    onto, source, alone, filters = tables
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda one: kept.append(one) or one, lambda one: one
    ):
        shared_sum(
            onto.clone(), source, alone, edge_index, filters, rows, atoms
        )
    floating = [one.data_ptr() for one in kept if one.is_floating_point()]
    assert floating == [table.data_ptr() for table in tables[1:]]


def test_without_gradients(fused):
    tables, edges = make(True)
    expected = ours(tables, edges)
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            assert torch.equal(ours(tables, edges), expected)


def test_of_other_kinds():
    """Of types that differ, and sums that are not in one piece."""
    tables, edges = make(True)
    onto, source, alone, filters = tables
    turned = onto.detach().t().contiguous().t()
    close(
        [shared_sum(turned, source, alone, edges[0], filters, *edges[1:])],
        [plain(tables, edges)],
    )
    found = ours([onto, source.float(), alone.float(), filters], edges)
    close([found], [plain(tables, edges)], tol=1e-6)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_not_finite(value, fused):
    tables, edges = make(False)
    with torch.no_grad():
        tables[1][2, 1] = value
    found = ours(tables, edges)
    assert not found.isfinite().all()
    torch.testing.assert_close(found, plain(tables, edges), equal_nan=True)


@pytest.mark.parametrize('where', range(4))
def test_indices_out_of_range(where, fused):
    """Nothing is written then, and torch has the error."""
    tables, (edge_index, rows, atoms) = make(True)
    lists = [*edge_index, rows, atoms]
    for wrong in (-1, 99):
        bad = [index.clone() for index in lists]
        bad[where][-1] = wrong
        onto = tables[0].detach().clone()
        with torch.no_grad():
            assert not shared_products(onto, *tables[1:], tuple(bad))
            assert torch.equal(onto, tables[0])
            needs = True, True, True
            grad = torch.ones_like(onto)
            found = shared_gradients(grad, *tables[1:], tuple(bad), needs)
            assert found is None
        with pytest.raises((IndexError, RuntimeError)):
            ours(tables, (torch.stack(bad[:2]), *bad[2:]))


def test_sizes_that_do_not_fit(fused):
    tables, (edge_index, rows, atoms) = make(True)
    narrow = [*tables[:3], tables[3][:, :2]]
    assert not shared_products(*narrow, (*edge_index, rows, atoms))
    assert not shared_products(*tables, (*edge_index, rows[1:], atoms))
    assert not shared_products(*tables, (*edge_index, rows, atoms[1:]))
    assert not fused


def test_transforms():
    (onto, *others), edges = make(True)
    others = [table.detach() for table in others]

    def energy(source, function):
        tables = onto.detach(), source, *others[1:]
        return function(tables, edges).sin().sum()

    def slope(source, function):
        return torch.func.grad(energy)(source, function).square().sum()

    for total in (energy, slope):
        found, expected = (
            torch.func.grad(total)(others[0], function)
            for function in (ours, plain)
        )
        close([found], [expected])


def test_senders():
    source, alone = torch.eye(2), torch.ones(3, 2)
    assert torch.equal(
        senders(source, alone, None), torch.cat([source, alone])
    )
    found = senders(source, alone, torch.tensor([2, 0]))
    assert torch.equal(found, torch.tensor([[0.0, -1.0], [-1.0, 0.0]]))
