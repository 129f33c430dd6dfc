import sys
import warnings

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pyg_multipose.nn.messages import kernel, product_kernel
from pyg_multipose.nn.messages.message_sum import message_sum


def run(dtype=torch.float64):
    generator = torch.Generator().manual_seed(12)
    source, filters = (
        torch.randn(n, 3, generator=generator).to(dtype).requires_grad_()
        for n in (6, 40)
    )
    edge_index = torch.randint(6, (2, 40), generator=generator)
    out = message_sum(source, edge_index, filters, 6)
    return [out, *torch.autograd.grad(out.sin().sum(), (source, filters))]


def assert_equal(a, b):
    assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def assert_warns_once(expected, match):
    with pytest.warns(UserWarning, match=match) as caught:
        assert_equal(run(), expected)
        assert_equal(run(), expected)
    assert len(caught) == 1


def test_numba_that_cannot_be_imported(fresh, unfused, monkeypatch, tmp_path):
    (tmp_path / 'numba').mkdir()
    text = "raise ImportError('Numba needs NumPy 1.0 or less')"
    (tmp_path / 'numba' / '__init__.py').write_text(text)
    monkeypatch.delitem(sys.modules, 'numba', raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert_warns_once(unfused(run), 'cannot be imported .*NumPy 1.0.*repair')
    assert kernel.find_numba() is None


def test_numba_that_cannot_compile(fake_numba, unfused):
    def njit(signature, **options):
        raise RuntimeError('no LLVM')

    fake_numba(njit)
    assert_warns_once(unfused(run), 'cannot compile .*no LLVM')


def test_cache_that_cannot_be_written(fake_numba, unfused):
    compiled = []

    def njit(signature, cache=False, **options):
        if cache:
            raise OSError('disk full')
        compiled.append(signature)
        return lambda loop: loop

    fake_numba(njit)
    assert_warns_once(unfused(run), 'NUMBA_CACHE_DIR .*disk full')
    assert len([one for one in compiled if 'float64' in one]) == 1


def test_no_place_for_a_cache(fresh, unfused, monkeypatch):
    pytest.importorskip('numba')
    from numba.core.caching import CacheImpl

    monkeypatch.setattr(CacheImpl, '_locator_classes', [])
    assert_warns_once(unfused(run), 'NUMBA_CACHE_DIR .*no locator')


def test_no_numba(fresh, unfused, monkeypatch):
    monkeypatch.setattr(kernel, 'find_spec', lambda name: None)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert kernel.find_numba() is None
        assert_equal(run(), unfused(run))


def test_numba_that_interprets(fake_numba):
    fake_numba(None)
    sys.modules['numba'].config.DISABLE_JIT = 1
    assert kernel.find_numba() is None
    run()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision(dtype, fused, unfused):
    expected = unfused(run, dtype)
    with pytest.warns(UserWarning, match=f'got {dtype} on cpu') as caught:
        assert_equal(run(dtype), expected)
        assert_equal(run(dtype), expected)
    assert len(caught) == 1 and not fused


def test_other_devices(fused):
    source = torch.empty(6, 3, device='meta')
    edge_index = torch.empty(2, 40, dtype=torch.long, device='meta')
    with pytest.warns(UserWarning, match='got torch.float32 on meta'):
        out = message_sum(source, edge_index, source.new_empty(40, 3), 6)
    assert out.is_meta and out.size() == (6, 3) and not fused


def test_nothing_is_hidden_from_a_dispatch_mode(fused, unfused):
    class Names(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            names.append(str(func))
            return func(*args, **(kwargs or {}))

    names = []
    with Names():
        out = run()
    assert 'aten.index_add_.default' in names and not fused
    assert_equal(out, unfused(run))


def test_traces_keep_operations(fused):
    source, filters = torch.randn(6, 3), torch.randn(4, 3)
    edge_index = torch.tensor([[0, 1, 2, 5], [0, 0, 3, 2]])

    def function(source):
        return message_sum(source, edge_index, filters, 6)

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of torch.jit, and of constants
        traced = torch.jit.trace(function, source, check_trace=False)
    assert not fused
    other = torch.randn(6, 3)
    assert torch.equal(traced(other), function(other))
    assert fused


def test_threads():
    numba = pytest.importorskip('numba')
    before = torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS
    run()
    assert before == (torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)
    from numba.np.ufunc import parallel

    assert not parallel._is_initialized


def test_only_what_is_called_is_compiled(fresh):
    assert not product_kernel._KERNEL._compiled
    run(torch.float32)
    dtypes = [] if kernel.find_numba() is None else [torch.float32]
    assert list(product_kernel._KERNEL._compiled) == dtypes
