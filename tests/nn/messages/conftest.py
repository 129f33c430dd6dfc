import sys
import types
from importlib.machinery import ModuleSpec

import pytest

from pyg_multipose.nn.messages import (
    coupled_loops,
    interpolation_kernel,
    kernel,
    product_kernel,
    reach_kernel,
    shared_kernel,
    softplus_kernel,
)

KERNELS = (
    product_kernel._CHECK,
    product_kernel._KERNEL,
    coupled_loops.LIST,
    coupled_loops.FILL,
    coupled_loops.READ,
    coupled_loops.SUM,
    coupled_loops.GRADIENTS,
    interpolation_kernel._CHECK,
    interpolation_kernel._SPREAD,
    reach_kernel._SEARCH,
    reach_kernel._LIST,
    shared_kernel._CHECK,
    shared_kernel._SUM,
    shared_kernel._GRADIENTS,
    softplus_kernel._KERNEL,
)


def forget():
    for function in vars(kernel).values():
        if hasattr(function, 'cache_clear'):
            function.cache_clear()


@pytest.fixture
def fresh(monkeypatch):
    """As in a process that has not summed a message yet."""
    forget()
    for item in KERNELS:
        monkeypatch.setattr(item, '_compiled', {})
    yield
    forget()


@pytest.fixture
def fake_numba(fresh, monkeypatch):
    """Makes a numba with a compiler of one's own."""

    def make(njit):
        module = types.ModuleType('numba')
        module.__spec__ = ModuleSpec('numba', None)
        module.config = types.SimpleNamespace(DISABLE_JIT=0)
        module.njit = njit
        monkeypatch.setitem(sys.modules, 'numba', module)
        for item in KERNELS:
            monkeypatch.setattr(item, 'prepare', None)

    return make


@pytest.fixture(params=['compiled', 'interpreted'])
def fused(request, fake_numba, monkeypatch):
    """Kernels run; the list tells which of them did, but for checks."""
    if request.param == 'interpreted':
        fake_numba(lambda signature, **options: lambda loop: loop)
    else:
        pytest.importorskip('numba')
    ran = []
    call = kernel.Kernel.__call__

    def counted(self, *args):
        done = call(self, *args)
        if self.loop.__name__ != '_check':
            ran.extend([self] * done)
        return done

    monkeypatch.setattr(kernel.Kernel, '__call__', counted)
    return ran


@pytest.fixture
def unfused(monkeypatch):
    """A context in which torch does everything."""

    def run(function, *args):
        with monkeypatch.context() as patch:
            patch.setattr(kernel, 'find_numba', lambda: None)
            return function(*args)

    return run
