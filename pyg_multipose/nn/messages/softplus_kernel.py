r"""The activation of SchNet and its derivative, each in one pass."""

import math

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.nn.messages.kernel import Kernel, can_run


def shifted_softplus(x: Tensor, out: Tensor) -> bool:
    r"""The softplus, shifted to zero at zero.

    .. math::
        y = \ln(1 + e^x) - \ln 2 = \max(x, 0) + 2 \, \mathrm{artanh}
        \frac{e^{-|x|}}{2 + e^{-|x|}} - \ln 2

    The exponential is a polynomial between two powers of two, as in the
    Cephes library, and the inverse tangent is its series. In float32 the
    result is within two units in the last place of the larger of :math:`y`
    and one, as that of torch, in a quarter of the time.

    Args:
        x: Numbers in float32, contiguous, of any shape.
        out: What to write to: as many, in the same way, and elsewhere in
            memory.

    Returns:
        Whether this was done, where :func:`can_run_softplus` says that it
        can; else torch has to do it.
    """
    return _KERNEL(torch.float32, out.view(-1), x.view(-1), _NOTHING)


def softplus_gradient(grad: Tensor, y: Tensor, out: Tensor) -> bool:
    r"""The gradient of :func:`shifted_softplus`, from its result.

    .. math::
        \frac{\partial L}{\partial x} = \frac{\partial L}{\partial y}
        \left( 1 - \tfrac{1}{2} e^{-y} \right)

    It is right to :math:`10^{-7}` of the gradient of the result, also where
    it is smaller than that.

    Args:
        grad: The gradient of the result, in float32.
        y: The result.
        out: What to write that of the argument to, as above.

    Returns:
        Whether this was done; else torch has to do it.
    """
    flat = (tensor.view(-1) for tensor in (out, y, grad))
    return _KERNEL(torch.float32, *flat)


def can_run_softplus(*tensors: Tensor) -> bool:
    r"""Whether the two kernels here can do what torch would do.

    Args:
        *tensors: Those that others are made of.
    """
    single = all(tensor.dtype == torch.float32 for tensor in tensors)
    return single and can_run(torch.float32, *tensors)


#: Not a tensor, whose type would be the default one of the moment.
_NOTHING = np.empty(0, np.float32)
# Plain numbers of one type: numba would compute in double precision.
_f = np.float32
_ZERO, _HALF, _ONE, _TWO = _f(0.0), _f(0.5), _f(1.0), _f(2.0)
_SHIFT = _f(math.log(2.0))
#: Its logarithm base two; ln 2 in two parts, of which one has few digits.
_LOG2E, _HIGH, _LOW = (
    _f(math.log2(math.e)),
    _f(0.693359375),
    _f(-2.12194440e-4),
)
#: Exponentials of less are as good as none.
_LEAST = _f(-87.0)
# Those of Cephes for the exponential (expf.c), from the highest power on:
_E5, _E4, _E3 = _f(1.9875691500e-4), _f(1.3981999507e-3), _f(8.3334519073e-3)
_E2, _E1, _E0 = _f(4.1665795894e-2), _f(1.6666665459e-1), _f(5.0000001201e-1)
# Of twice the inverse tangent:
_A0, _A1, _A2, _A3 = _f(2.0), _f(2.0 / 3), _f(2.0 / 5), _f(2.0 / 7)
_A4, _A5, _A6, _A7 = _f(2.0 / 9), _f(2.0 / 11), _f(2.0 / 13), _f(2.0 / 15)
_BIAS, _SHIFT_BITS = np.int32(127), np.int32(23)
#: Numbers that are looked at in one go.
_BLOCK = 512


def _loop(out, x, grad):  # type: ignore[no-untyped-def]
    # With `grad`, `x` is the result, and its slope is wanted. The exponential
    # is that of -|x|, or of -y.
    forward = grad.size == 0
    scale = np.empty(_BLOCK, np.int32)
    power, part = scale.view(np.float32), np.empty(_BLOCK, np.float32)
    for first in range(0, x.size, _BLOCK):
        # Parts, whose indices cannot be negative, become vector operations.
        some, result = x[first : first + _BLOCK], out[first : first + _BLOCK]
        for t in range(some.size):
            a = -abs(some[t]) if forward else -some[t]
            a = a if a > _LEAST else _LEAST
            k = np.floor(a * _LOG2E + _HALF)
            r = (a - k * _HIGH) - k * _LOW
            p = ((_E5 * r + _E4) * r + _E3) * r + _E2
            p = (p * r + _E1) * r + _E0
            part[t] = p * (r * r) + r + _ONE
            scale[t] = (np.int32(k) + _BIAS) << _SHIFT_BITS
        if forward:
            for t in range(some.size):
                v = some[t]
                e = part[t] * power[t]
                s = e / (_TWO + e)
                q = s * s
                p = ((_A7 * q + _A6) * q + _A5) * q + _A4
                p = (((p * q + _A3) * q + _A2) * q + _A1) * q + _A0
                y = ((v if v > _ZERO else _ZERO) + p * s) - _SHIFT
                result[t] = y if v == v else v
        else:
            given = grad[first : first + _BLOCK]
            for t in range(some.size):
                v = some[t]
                slope = _ONE - _HALF * (part[t] * power[t])
                result[t] = given[t] * (slope if v == v else v)
    return True


_KERNEL = Kernel(_loop, 3 * ['{0}[::1]'], {'contract'})
