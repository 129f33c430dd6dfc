r"""Functions of one number, found between those that are in a table."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from pyg_multipose.nn.messages.function import ApartFunction, apply
from pyg_multipose.nn.messages.interpolation_kernel import (
    POINTS,
    spread_back,
)
from pyg_multipose.nn.messages.kernel import is_plain_call

#: How many of the points are below the number.
_BELOW = POINTS // 2 - 1


class Places(NamedTuple):
    r"""Where numbers are between the rows of a table.

    Args:
        first: The first of the rows that a number is found from :math:`(R)`.
        weights: What these are weighted by :math:`(R, 6)`.
    """

    first: Tensor
    weights: Tensor


def knots(number: int) -> Tensor:
    r"""Returns the numbers of which a table has the functions.

    They are integers, those from :math:`0` to :math:`K` and a few more on
    both sides.

    Args:
        number: How many intervals there are :math:`K`.
    """
    return torch.arange(-_BELOW, number + POINTS - 1 - _BELOW)


def places(x: Tensor, number: int, dtype: torch.dtype) -> Places:
    r"""Finds numbers between the knots.

    The weights are those of the polynomial of degree five through the six
    knots around a number (:eq:`eq-interpolation`). Beyond the last interval
    they are zero.

    Args:
        x: Numbers, in intervals, from :math:`0` on :math:`(R)`.
        number: How many intervals there are :math:`K`.
        dtype: The type of the weights.
    """
    below = x.floor().clamp(0, number - 1).nan_to_num()
    t = (x - below).unsqueeze(-1)
    powers = [torch.ones_like(t), t]
    for _ in range(POINTS - 2):
        powers.append(powers[-1] * t)
    coefficients = _COEFFICIENTS.to(t.dtype)
    weights = torch.cat(powers, dim=-1) @ coefficients
    weights = weights.masked_fill_((x >= number).unsqueeze(-1), 0.0)
    return Places(below.long(), weights.to(dtype))


def _coefficients() -> Tensor:
    # Column `k` has those of the polynomial that is one at knot `k`, and zero
    # at the five others.
    points = torch.arange(POINTS, dtype=torch.float64) - _BELOW
    powers = points.unsqueeze(-1) ** torch.arange(POINTS)
    return torch.linalg.inv(powers)


_COEFFICIENTS = _coefficients()


def interpolate(table: Tensor, first: Tensor, weights: Tensor) -> Tensor:
    r"""Returns functions at numbers between the knots of a table.

    .. math::
        \mathbf{f}_r = \sum_{k=0}^{5} w_{rk} \, \mathbf{T}_{a(r) + k}

    It is linear in the table, with respect to which it may be differentiated
    any number of times. Backward takes one pass with numba.

    Args:
        table: The functions at the :func:`knots` :math:`(K + 5, F)`.
        first: Of :func:`places`, :math:`a`.
        weights: Of :func:`places`, :math:`w`.

    Returns:
        The functions :math:`(R, F)`.
    """
    out: Tensor = apply(_Interpolate, table, first, weights)
    return out


class _Interpolate(ApartFunction):
    @staticmethod
    def forward(table: Tensor, first: Tensor, weights: Tensor) -> Tensor:
        if is_plain_call(table):
            rows = first.unsqueeze(-1) + torch.arange(POINTS)
            return embedding_bag(
                rows, table, per_sample_weights=weights, mode='sum'
            )
        return sum(  # type: ignore[return-value]
            table.index_select(0, first + k) * weights[:, k : k + 1]
            for k in range(POINTS)
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        table, *place = inputs
        ctx.save_for_backward(*place)
        ctx.size = table.size(0)

    @staticmethod
    def backward(ctx: Any, *grad: Any) -> Any:
        first, weights = ctx.saved_tensors
        return apply(_Spread, grad[0], first, weights, ctx.size), None, None


class _Spread(ApartFunction):
    # The gradient of a table, from that of what is between.
    @staticmethod
    def forward(
        grad: Tensor, first: Tensor, weights: Tensor, size: int
    ) -> Tensor:
        out = spread_back(grad, first, weights, size)
        if out is not None:
            return out
        out = grad.new_zeros(size, grad.size(1))
        for k in range(POINTS):
            out = out.index_add(0, first + k, grad * weights[:, k : k + 1])
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:3])

    @staticmethod
    def backward(ctx: Any, *grad: Any) -> Any:
        return (
            apply(_Interpolate, grad[0], *ctx.saved_tensors),
            None,
            None,
            None,
        )
