r"""Loops over edges that numba compiles, where it is installed."""

import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter
from torch.utils._python_dispatch import _get_current_dispatch_mode


class Kernel:
    r"""A loop that numba compiles when a type of numbers is first met.

    It runs in one thread, and keeps what it has compiled in numba's cache,
    for later processes.

    Args:
        loop: What is compiled. It returns whether its arguments were good.
        types: Those of its arguments as numba writes them, with
            :obj:`"{0}"` for the type of numbers.
        fastmath: What the compiler may assume. (default: nothing)
        prepare: What is called before the loop is compiled.
            (default: :obj:`None`)
    """

    def __init__(
        self,
        loop: Callable[..., bool],
        types: list[str],
        fastmath: set[str] | None = None,
        prepare: Callable[[], None] | None = None,
    ):
        self.loop = loop
        self.prepare = prepare
        self.signature = f'boolean({", ".join(types)})'
        self.options = {
            'nogil': True,
            'fastmath': fastmath or False,
            # Quotients by zero are those of torch, and no errors.
            'error_model': 'numpy',
        }
        self._compiled: dict[torch.dtype, Callable[..., bool] | None] = {}

    def __call__(self, dtype: torch.dtype, *args: Any) -> bool:
        r"""Returns whether the loop has run, on good arguments.

        Args:
            dtype: The type of numbers.
            *args: Arguments of the loop; of tensors it gets arrays. What it
                writes into has to be contiguous.
        """
        if dtype not in self._compiled:
            self._compiled[dtype] = self._compile(dtype)
        compiled = self._compiled[dtype]
        return compiled is not None and compiled(
            *(_array(arg) if isinstance(arg, Tensor) else arg for arg in args)
        )

    def _compile(self, dtype: torch.dtype) -> Callable[..., bool] | None:
        numba = find_numba()
        signature = self.signature.format(str(dtype).removeprefix('torch.'))
        try:
            if self.prepare is not None:
                self.prepare()
            try:
                return _jit(
                    numba, signature, self.loop, cache=True, **self.options
                )
            except Exception as error:
                # Once more, in case that it is for want of a cache:
                compiled = _jit(numba, signature, self.loop, **self.options)
                _warn_of_cache(repr(error))
                return compiled
        except Exception as error:
            _warn_of_numba('cannot compile', repr(error))
            return None


def _array(x: Tensor) -> Any:
    # As `x.numpy(force=True)`, which takes several times longer.
    if x.requires_grad:
        x = x.detach()
    if x.is_neg():
        x = x.resolve_neg()
    return (x if x.is_contiguous() else x.contiguous()).numpy()


def can_run(dtype: torch.dtype, *tensors: Tensor | None) -> bool:
    r"""Whether a kernel can do what torch would do.

    It cannot without numba; for types other than float32 and float64, and on
    devices other than a CPU, which it warns of; and while something traces
    the operations of torch, or is to see each of them.

    Args:
        dtype: The type of numbers.
        *tensors: All tensors that it would read.
    """
    given = [tensor for tensor in tensors if tensor is not None]
    return (
        is_plain_call(*given)
        and find_numba() is not None
        and _get_current_dispatch_mode() is None
        and all(_is_supported(dtype, x.device.type) for x in given)
    )


def is_plain_call(*tensors: Tensor | None) -> bool:
    r"""Whether plain tensors are computed with, and nothing else is asked.

    Else something traces the operations of torch or transforms them, or
    tensors stand for many, or are of classes with operations of their own.

    Args:
        *tensors: All tensors that are computed with.
    """
    if (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or forward_ad._current_level >= 0
    ):
        return False
    given = [tensor for tensor in tensors if tensor is not None]
    return all(type(x) in (Tensor, Parameter) for x in given) and not any(
        map(stands_for_many, given)
    )


def stands_for_many(tensor: Tensor) -> bool:
    r"""Whether it is one of torch.func, or of many gradients at once.

    Args:
        tensor: Any tensor.
    """
    functorch = torch._C._functorch
    return functorch.is_functorch_wrapped_tensor(
        tensor
    ) or functorch.is_legacy_batchedtensor(tensor)


@cache
def find_numba() -> Any:
    r"""Returns numba, or :obj:`None` if it is not there or does not work.

    The latter is warned of. With :obj:`NUMBA_DISABLE_JIT=1`, where it would
    interpret the loops, it is not used.
    """
    if find_spec('numba') is None:
        return None
    try:
        import numba
    except Exception as error:
        _warn_of_numba('cannot be imported', repr(error))
        return None
    return None if numba.config.DISABLE_JIT else numba


def _jit(
    numba: Any, signature: str, loop: Callable[..., bool], **options: Any
) -> Callable[..., bool]:
    compiled: Callable[..., bool] = numba.njit(signature, **options)(loop)
    return compiled


# Each of these warns once.
@cache
def _warn_of_numba(what: str, error: str) -> None:
    warnings.warn(
        f'numba is installed, but {what} (got {error}): torch sums messages '
        'instead, with the same results, but slower; repair numba, or '
        'uninstall it',
        stacklevel=2,
    )


def _warn_of_cache(error: str) -> None:
    if _once.cache_info().currsize:  # the error names one of many loops
        return
    _once()
    warnings.warn(
        'numba cannot keep what it compiles for pyg_multipose, so every '
        'process will compile it again, in seconds; let the environment '
        f'variable NUMBA_CACHE_DIR name a folder to write to (got {error})',
        stacklevel=2,
    )


@cache
def _once() -> None:
    """Remembers that it was called."""


@cache
def _is_supported(dtype: torch.dtype, device: str) -> bool:
    if device == 'cpu' and dtype in (torch.float32, torch.float64):
        return True
    warnings.warn(
        'numba sums messages in float32 and float64 on a CPU only (got '
        f'{dtype} on {device}): torch sums the others, with the same results',
        stacklevel=2,
    )
    return False
