r"""Sums of products over edges in one pass, compiled by numba if it is there.

On a CPU torch writes what is gathered, then the products, then their sums;
here one loop does it all, edge by edge, in the same order and with the same
roundings.
"""

import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch._C import _functorch
from torch.utils._python_dispatch import _get_current_dispatch_mode


def fused_product_sum(
    a: Tensor,
    b: Tensor,
    i: Tensor | None,
    j: Tensor | None,
    k: Tensor | None,
    size: int,
) -> Tensor | None:
    r"""Sums products at targets, without any of them in memory.

    .. math::
        \mathbf{o}_t = \sum_{e: k(e) = t} \mathbf{a}_{i(e)} \odot
        \mathbf{b}_{j(e)}

    Nothing is compiled before the first call for a type of numbers; numba
    keeps what it compiles for later processes. One thread is used.

    Args:
        a: Left factors :math:`(m, F)`.
        b: Right factors :math:`(r, F)`.
        i: The row of :obj:`a` of every edge :math:`(E)`; :obj:`None`: edge
            :math:`e` has row :math:`e`.
        j: The row of :obj:`b`, in the same way.
        k: The target, in the same way.
        size: The number of targets :math:`n`, where :obj:`k` is given.

    Returns:
        Sums :math:`(n, F)`, or :obj:`None` where torch has to do it: without
        numba; for other types than float32 and float64, on other devices than
        a CPU (which is warned of, once); while something traces or watches
        the operations of torch; and for bad arguments, of which torch has the
        better errors.
    """
    given = [index for index in (i, j, k) if index is not None]
    num_edges = given[0].numel() if given else a.size(0)
    rows = [
        x.size(0) if index is None else num_edges
        for x, index in ((a, i), (b, j))
    ]
    if (
        find_numba() is None
        or _is_watched(a, b, *given)
        or not _is_supported(a.dtype, b.dtype, a.device.type, b.device.type)
        or a.dim() != 2
        or b.dim() != 2
        or a.size(1) != b.size(1)
        or rows != 2 * [num_edges]
        or any(index.numel() != num_edges for index in given)
        or any(index.device.type != 'cpu' for index in given)
    ):
        return None
    kernel = compiled(a.dtype)
    if kernel is None:
        return None
    if k is None:
        out = a.new_empty(num_edges, a.size(1))
    else:
        out = a.new_zeros(size, a.size(1))
    indices = [
        _EMPTY if index is None else _array(index.long())
        for index in (i, j, k)
    ]
    done = kernel(out.numpy(), _array(a), _array(b), *indices, num_edges)
    return out if done else None


@cache
def find_numba() -> Any:
    r"""Returns numba, or :obj:`None` if it is not there, or does not work.

    The latter is warned of. Without just-in-time compilation
    (:obj:`NUMBA_DISABLE_JIT=1`) it is of no use, either.
    """
    if find_spec('numba') is None:
        return None
    try:
        import numba
    except Exception as error:
        _warn_of_numba('cannot be imported', error)
        return None
    return None if numba.config.DISABLE_JIT else numba


@cache
def compiled(dtype: torch.dtype) -> Callable[..., bool] | None:
    r"""Returns the loop for a type of numbers, or :obj:`None` with a warning.

    Args:
        dtype: :obj:`torch.float32` or :obj:`torch.float64`.
    """
    numba = find_numba()
    signature = _SIGNATURE.format(str(dtype).removeprefix('torch.'))
    try:
        try:
            return numba.njit(signature, nogil=True, cache=True)(_add_products)
        except Exception as error:
            # Compiled again, in case that it is for want of a cache.
            kernel = numba.njit(signature, nogil=True)(_add_products)
            warnings.warn(
                'numba cannot keep what it compiles for pyg_multipose, so '
                'each process compiles again (a second); name a folder that '
                f'can be written by NUMBA_CACHE_DIR (got {error!r})',
                stacklevel=2,
            )
            return kernel
    except Exception as error:
        _warn_of_numba('cannot compile', error)
        return None


def _warn_of_numba(what: str, error: Exception) -> None:
    warnings.warn(
        f'numba is installed, but {what}: torch sums messages instead, with '
        f'the same result, but slower; repair or uninstall it (got {error!r})',
        stacklevel=3,
    )


@cache
def _is_supported(a: Any, b: Any, *devices: str) -> bool:
    if a == b and a in _DTYPES and devices == ('cpu', 'cpu'):
        return True
    warnings.warn(
        'numba sums messages in float32 and float64 on a CPU only (got '
        f'{a} on {devices[0]}): torch does the others, with the same result',
        stacklevel=2,
    )
    return False


def _is_watched(*tensors: Tensor) -> bool:
    # Whether the numbers are not there (vmap, tracing), or each operation is
    # to be seen (dispatch modes).
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or _get_current_dispatch_mode() is not None
        or any(type(x) not in _PLAIN for x in tensors)
        or any(map(_functorch.is_functorch_wrapped_tensor, tensors))
    )


def _array(x: Tensor) -> Any:
    return x.contiguous().numpy(force=True)


_DTYPES = (torch.float32, torch.float64)
_PLAIN = (Tensor, torch.nn.Parameter)
_EMPTY = torch.empty(0, dtype=torch.long).numpy()
_SIGNATURE = 'b1({0}[:, ::1],{0}[:, ::1],{0}[:, ::1],i8[::1],i8[::1],i8[::1],i8)'


def _add_products(out, a, b, i, j, k, num_edges):  # type: ignore
    # No fast mathematics: nothing would be faster, and NaN, infinity and
    # roundings are those of torch. It is false, and the sums are to be thrown
    # away, if an index is out of range.
    for e in range(num_edges):
        at_a = i[e] if i.size else e
        at_b = j[e] if j.size else e
        if not (0 <= at_a < a.shape[0] and 0 <= at_b < b.shape[0]):
            return False
        if k.size:
            at = k[e]
            if not 0 <= at < out.shape[0]:
                return False
            for u in range(a.shape[1]):
                out[at, u] += a[at_a, u] * b[at_b, u]
        else:
            for u in range(a.shape[1]):
                out[e, u] = a[at_a, u] * b[at_b, u]
    return True
