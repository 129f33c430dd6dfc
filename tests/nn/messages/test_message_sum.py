import pytest
import torch
from torch_geometric.utils import scatter

from pyg_multipose.nn.messages import kernel
from pyg_multipose.nn.messages import message_sum as module
from pyg_multipose.nn.messages.message_sum import message_sum


@pytest.fixture(autouse=True)
def torch_only(monkeypatch):
    """What numba does instead is tested in `test_product_kernel.py`."""
    monkeypatch.setattr(kernel, 'find_numba', lambda: None)


def make(num_edges=40, num_filters=9, num_sources=6, num_targets=7):
    generator = torch.Generator().manual_seed(12)
    source = torch.randn(num_sources, 3, generator=generator).double()
    filters = torch.randn(num_filters, 3, generator=generator).double()
    edge_index = torch.stack(
        [
            torch.randint(size, (num_edges,), generator=generator)
            for size in (num_sources, num_targets)
        ]
    )
    rows = torch.randint(num_filters, (num_edges,), generator=generator)
    return source.requires_grad_(), edge_index, filters.requires_grad_(), rows


def plain(source, edge_index, filters, dim_size, rows):
    rows = slice(None) if rows is None else rows
    message = source[edge_index[0]] * filters[rows]
    return scatter(message, edge_index[1], dim=0, dim_size=dim_size)


@pytest.mark.parametrize('block', [1, 7, 40, 1024])
@pytest.mark.parametrize('has_rows', [True, False])
def test_message_sum(has_rows, block, monkeypatch):
    monkeypatch.setattr(module, '_BLOCK', block)
    source, edge_index, filters, rows = make(num_filters=9 if has_rows else 40)
    rows = rows if has_rows else None
    results = []
    for function in (message_sum, plain):
        out = function(source, edge_index, filters, 7, rows)
        first = torch.autograd.grad(
            out.sin().sum(), (source, filters), create_graph=True
        )
        loss = sum(grad.square().sum() for grad in first)
        second = torch.autograd.grad(loss, (source, filters))
        results.append([out, *first, *second])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize('has_rows', [True, False])
def test_gradcheck(has_rows):
    source, edge_index, filters, rows = make(
        num_edges=5, num_filters=3 if has_rows else 5
    )

    def function(source, filters):
        return message_sum(
            source, edge_index, filters, 7, rows if has_rows else None
        )

    assert torch.autograd.gradcheck(function, (source, filters))
    assert torch.autograd.gradgradcheck(function, (source, filters))


def test_one_gradient():
    source, edge_index, filters, rows = make()
    for a, b in [(source, filters.detach()), (source.detach(), filters)]:
        out = message_sum(a, edge_index, b, 7, rows)
        leaf = a if a.requires_grad else b
        expected = plain(a, edge_index, b, 7, rows)
        (grad,) = torch.autograd.grad(out.sum(), leaf)
        (expected,) = torch.autograd.grad(expected.sum(), leaf)
        torch.testing.assert_close(grad, expected)
    out = message_sum(source.detach(), edge_index, filters.detach(), 7, rows)
    assert not out.requires_grad


def test_nothing_is_kept_for_every_edge():
    source, edge_index, filters, rows = make()
    saved = []

    def pack(tensor):
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        message_sum(source, edge_index, filters, 7, rows)
    floats = [x for x in saved if x.is_floating_point()]
    assert {x.data_ptr() for x in floats} == {
        source.data_ptr(),
        filters.data_ptr(),
    }


def test_changes_are_noticed():
    source, edge_index, filters, rows = make()
    kept = filters * 1.0
    out = message_sum(source, edge_index, kept, 7, rows)
    kept.detach().add_(1.0)
    with pytest.raises(RuntimeError, match='modified by an inplace'):
        out.sum().backward()


def test_no_edges():
    source, edge_index, filters, rows = make(num_edges=0)
    out = message_sum(source, edge_index, filters, 7, rows)
    assert torch.equal(out, torch.zeros_like(out))
    out.sum().backward()
    assert torch.equal(source.grad, torch.zeros_like(source))
    assert torch.equal(filters.grad, torch.zeros_like(filters))


def test_types():
    source, edge_index, filters, rows = make()
    low = source.detach().bfloat16().requires_grad_()
    high = filters.detach().float().requires_grad_()
    out = message_sum(low, edge_index, high, 7, rows)
    assert out.dtype == torch.float32
    out.sum().backward()
    assert low.grad.dtype == torch.bfloat16
    assert high.grad.dtype == torch.float32


def test_compile():
    torch._dynamo.reset()
    source, edge_index, filters, rows = make()

    compiled = torch.compile(message_sum, backend='aot_eager', fullgraph=True)
    grads = []
    for function in (compiled, message_sum):
        out = function(source, edge_index, filters, 7, rows)
        grads.append(torch.autograd.grad(out.sin().sum(), [source, filters]))
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize('numba', [True, False])
@pytest.mark.parametrize('wide', [True, False])
def test_added_to_other_sums(numba, wide, monkeypatch):
    """In place where types fit, with the gradient of a sum of both."""
    if not numba:
        name = 'pyg_multipose.nn.messages.kernel.find_numba'
        monkeypatch.setattr(name, lambda: None)
    generator = torch.Generator().manual_seed(3)
    source, filters, base = (
        torch.randn(n, 4, generator=generator).double().requires_grad_()
        for n in (5, 9, 6)
    )
    edge_index = torch.randint(5, (2, 9), generator=generator)
    expected = base + message_sum(source, edge_index, filters, 6)
    leaves = [source, filters, base]
    onto = base * 1.0 if wide else (base * 1.0).float()
    held = onto.detach()
    out = message_sum(source, edge_index, filters, 6, onto=onto)
    assert torch.allclose(out, expected, atol=1e-12 if wide else 1e-6)
    assert (out.data_ptr() == held.data_ptr()) == wide

    def second(y):
        first = torch.autograd.grad(y.sin().sum(), leaves, create_graph=True)
        total = sum(one.square().sum() for one in first)
        return [*first, *torch.autograd.grad(total, leaves)]

    for one, two in zip(second(out), second(expected), strict=True):
        assert torch.allclose(one, two, atol=1e-10 if wide else 1e-5)


def test_bad_indices_leave_other_sums_as_they_are():
    source, onto = torch.ones(2, 3), torch.zeros(2, 3)
    edge_index = torch.tensor([[0, 1, 5], [0, 1, 0]])
    with pytest.raises(IndexError):
        message_sum(source, edge_index, torch.ones(3, 3), 2, onto=onto)
