"""Two linear layers at once, beside the modules one after the other."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import Identity, Linear, Module

from pyg_multipose.nn.messages import kernel
from pyg_multipose.nn.models import softplus_mlp as module
from pyg_multipose.nn.models.shifted_softplus import ShiftedSoftplus
from pyg_multipose.nn.models.softplus_mlp import is_as_made, softplus_mlp


def make(num_rows=7, widths=(3, 5, 4), onto=True, dtype=torch.float64):
    torch.manual_seed(num_rows)
    first, second = Linear(*widths[:2]), Linear(*widths[1:])
    modules = [first.to(dtype), ShiftedSoftplus(), second.to(dtype)]
    tensors = [torch.randn(num_rows, widths[0], dtype=dtype)]
    if onto:
        tensors.append(torch.randn(num_rows, widths[2], dtype=dtype))
    return [x.requires_grad_() for x in tensors], modules


@pytest.mark.parametrize('default', [torch.float32, torch.float64])
def test_made_under_another_default_type(default):
    """On which depends how PyG rounds the shift."""
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(default)
        tensors, modules = make()
    finally:
        torch.set_default_dtype(before)
    found = all_orders(at_once, tensors, modules)
    close(found, all_orders(in_turn, tensors, modules))


def at_once(x, modules, onto=None):
    return softplus_mlp(x, *modules, onto)


def in_turn(x, modules, onto=None):
    first, act, second = modules
    out = second(act(first(x)))
    return out if onto is None else onto + out


def all_orders(function, tensors, modules):
    """The result, its gradients, and theirs."""
    x, *onto = tensors
    out = function(x, modules, *onto)
    inputs = [*tensors, *modules[0].parameters(), *modules[2].parameters()]
    inputs = [one for one in inputs if one.requires_grad]
    first = torch.autograd.grad(out.sin().sum(), inputs, create_graph=True)
    plain = torch.autograd.grad(
        function(x, modules, *onto).sin().sum(), inputs
    )
    total = sum(grad.square().sum() for grad in first)
    second = torch.autograd.grad(total, inputs)
    return [out, *first, *plain, *second]


def close(one, two, tol=1e-11):
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, rtol=tol, atol=tol)


@pytest.mark.parametrize('block', [1, 12, 10**6])
@pytest.mark.parametrize('widths', [(3, 5, 4), (5, 3, 1), (4, 4, 4)])
@pytest.mark.parametrize('onto', [True, False])
def test_as_the_modules(widths, onto, block, monkeypatch):
    monkeypatch.setattr(module, '_BLOCK', block)
    tensors, modules = make(widths=widths, onto=onto)
    found = all_orders(at_once, tensors, modules)
    close(found, all_orders(in_turn, tensors, modules))


@settings(deadline=None, max_examples=40)
@given(
    num_rows=st.integers(1, 30),
    widths=st.tuples(*3 * [st.integers(1, 9)]),
    needs=st.lists(st.booleans(), min_size=6, max_size=6).filter(any),
    block=st.integers(1, 60),
)
def test_whatever_is_needed(num_rows, widths, needs, block):
    tensors, modules = make(num_rows, widths)
    inputs = [*tensors, *modules[0].parameters(), *modules[2].parameters()]
    for tensor, need in zip(inputs, needs, strict=True):
        tensor.requires_grad_(need)
    expected = all_orders(in_turn, tensors, modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, '_BLOCK', block)
        close(all_orders(at_once, tensors, modules), expected)


@pytest.mark.parametrize('numba', [True, False])
def test_in_single_precision(numba, monkeypatch):
    if numba:
        pytest.importorskip('numba')
    else:
        monkeypatch.setattr(kernel, 'find_numba', lambda: None)
    tensors, modules = make(3000, (50, 128, 128), dtype=torch.float32)
    x, onto = tensors
    out = at_once(x, modules, onto)
    out.sum().backward()
    grads = [x.grad, *(p.grad for p in modules[0].parameters())]
    wide = [tensor.detach().double().requires_grad_() for tensor in tensors]
    modules = [one.double() for one in modules]
    modules[0].zero_grad()
    expected = in_turn(wide[0], modules, wide[1])
    expected.sum().backward()
    torch.testing.assert_close(out.double(), expected, rtol=1e-5, atol=1e-5)
    exact = [wide[0].grad, *(p.grad for p in modules[0].parameters())]
    for one, two in zip(grads, exact, strict=True):
        off = (one - two).abs().max() / two.abs().max()
        assert off < 2e-5


def test_gradcheck():
    tensors, modules = make(4)
    weights = [*modules[0].parameters(), *modules[2].parameters()]

    def function(x, onto, *weights):
        return torch.func.functional_call(
            Both(modules), dict(zip(NAMES, weights, strict=True)), (x, onto)
        )

    assert torch.autograd.gradcheck(function, (*tensors, *weights))
    assert torch.autograd.gradgradcheck(function, (*tensors, *weights))


NAMES = ['first.weight', 'first.bias', 'second.weight', 'second.bias']


class Both(Module):
    def __init__(self, modules):
        super().__init__()
        self.first, self.act, self.second = modules

    def forward(self, x, onto=None):
        return softplus_mlp(x, self.first, self.act, self.second, onto)


def test_what_is_kept():
    """The input, and activations where there are no more of them."""
    for widths, expected in (((3, 5, 4), [3]), ((5, 3, 4), [5, 3])):
        tensors, modules = make(97, widths)
        out = at_once(tensors[0], modules, tensors[1])
        kept = [one for one in out.grad_fn.saved_tensors if one is not None]
        assert [len(one[0]) for one in kept if len(one) == 97] == expected


def test_without_gradients():
    tensors, modules = make(300)
    expected = at_once(*tensors[:1], modules, *tensors[1:]).detach()
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            assert torch.equal(
                at_once(tensors[0], modules, tensors[1]), expected
            )


def test_nothing_is_written_to():
    tensors, modules = make()
    before = [tensor.detach().clone() for tensor in tensors]
    with torch.no_grad():
        at_once(tensors[0], modules, tensors[1])
    at_once(tensors[0], modules, tensors[1]).sum().backward()
    assert all(map(torch.equal, tensors, before))


def test_a_bad_row_stays_alone():
    tensors, modules = make()
    with torch.no_grad():
        tensors[0][2, 1] = float('nan')
    found = at_once(tensors[0], modules, tensors[1])
    assert found.isfinite().all(dim=1).tolist() == [n != 2 for n in range(7)]


@pytest.mark.parametrize('number', range(3))
def test_modules_with_hooks_are_called(number):
    tensors, modules = make()
    expected = at_once(tensors[0], modules, tensors[1])
    called = []
    modules[number].register_forward_hook(lambda *args: called.append(1))
    found = at_once(tensors[0], modules, tensors[1])
    assert called == [1]
    close([found], [expected])


def test_other_modules_are_called():
    tensors, modules = make(widths=(4, 4, 4))
    for number in range(3):
        changed = [*modules[:number], Identity(), *modules[number + 1 :]]
        found = at_once(tensors[0], changed, tensors[1])
        close([found], [in_turn(tensors[0], changed, tensors[1])])
    plain = [Linear(4, 4, bias=False).double(), *modules[1:]]
    close([at_once(tensors[0], plain)], [in_turn(tensors[0], plain)])
    torch.nn.utils.parametrizations.weight_norm(modules[0])
    assert not is_as_made(modules[0], Linear)
    close([at_once(tensors[0], modules)], [in_turn(tensors[0], modules)])


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_and_autocast(dtype):
    tensors, modules = make(dtype=torch.float32)
    with torch.autocast('cpu', dtype):
        found = at_once(tensors[0], modules)
        assert found.dtype == dtype
        assert torch.equal(found, in_turn(tensors[0], modules))
    tensors, modules = make(dtype=dtype)
    found, expected = (f(tensors[0], modules) for f in (at_once, in_turn))
    assert torch.equal(found, expected)


def test_no_rows():
    tensors, modules = make(0)
    out = at_once(tensors[0], modules, tensors[1])
    out.sum().backward()
    assert out.size() == (0, 4) and not modules[0].weight.grad.any()


def test_transforms():
    tensors, modules = make(4)
    x, onto = (tensor.detach() for tensor in tensors)
    found, expected = (
        transformed(function, modules, x, onto)
        for function in (at_once, in_turn)
    )
    close(found, expected)


def transformed(function, modules, x, onto):
    def energy(x):
        return function(x, modules, onto).sin().sum()

    def row(x):
        return function(x[None], modules)[0]

    return [
        torch.func.grad(energy)(x),
        torch.func.hessian(energy)(x),
        torch.func.vmap(row)(x),
        torch.func.jvp(energy, (x,), (onto[:, :3],))[1],
    ]


def test_many_gradients_at_once():
    tensors, modules = make(4)
    grads = torch.eye(16).double().view(16, 4, 4)
    found, expected = (
        torch.autograd.grad(
            function(tensors[0], modules, tensors[1]),
            [*tensors, *modules[0].parameters()],
            grads,
            is_grads_batched=True,
        )
        for function in (at_once, in_turn)
    )
    close(found, expected)


def test_many_kinds_of_memory():
    tensors, modules = make(6)
    x = tensors[0].detach()
    views = [x.t().contiguous().t(), x.repeat(2, 1)[::2], x[:1].expand(6, -1)]
    for view, need in itertools.product(views, [True, False]):
        inputs = [view.detach().requires_grad_(need)]
        found = all_orders(at_once, inputs, modules)
        close(found, all_orders(in_turn, inputs, modules))
