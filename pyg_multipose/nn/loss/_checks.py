r"""What losses ask of their arguments."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import torch
from torch import Tensor

#: How the losses of labels can be reduced.
REDUCTIONS = ('mean', 'sum', 'none')
_SHAPES = ('[]', '[S]', '[S, F]')


def check_reduction(reduction: Any) -> str:
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"'reduction' is {reduction!r}, expected one of {list(REDUCTIONS)}"
        )
    return reduction


def check_positive(name: str, value: Any, what: str = 'number') -> float:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 < float(value) < math.inf:
        raise ValueError(
            f"'{name}' is {value!r}, expected a positive, finite {what}"
        )
    return float(value)


def check_floats(
    name: str, values: Any, dims: tuple[int, ...] | None = None
) -> Tensor:
    if not isinstance(values, Tensor) or not values.is_floating_point():
        got = type(values).__name__
        if isinstance(values, Tensor):
            got = f'a tensor of {values.dtype}'
        raise ValueError(
            f"'{name}' is {got}, expected a tensor of real floating-point "
            f'numbers. Convert it first, e.g., by .float()'
        )
    if dims is not None and values.dim() not in dims:
        raise ValueError(
            f"'{name}' has shape {list(values.shape)}, expected "
            f'{" or ".join(_SHAPES[dim] for dim in dims)}, where S is the '
            f'number of sets (or of poses)'
        )
    return values


def check_like(name: str, values: Tensor, pred: Tensor) -> None:
    if values.shape != pred.shape:
        hint = ''
        if values.numel() == pred.numel():
            hint = f", e.g., by '{name}.view_as(pred)'"
        raise ValueError(
            f"'{name}' has shape {list(values.shape)}, but 'pred' has "
            f'{list(pred.shape)}. Shapes have to be equal, since broadcasting '
            f'would compare each prediction with the labels of others. Give '
            f'both the same shape{hint}'
        )
    check_device(name, values, pred)


def check_device(name: str, values: Tensor, pred: Tensor) -> None:
    if values.device != pred.device:
        raise ValueError(
            f"'{name}' is on {values.device}, but 'pred' is on {pred.device}. "
            f'Move it there by {name}.to(pred.device)'
        )


def check_weight(weight: Any, rows: Tensor) -> Tensor:
    check_floats('weight', weight, (1,))
    if weight.size(0) != rows.size(0):
        raise ValueError(
            f"'weight' has shape {list(weight.shape)}, expected "
            f'[{rows.size(0)}], a weight for each set (or for each pose, if '
            f'that is what is predicted)'
        )
    check_device('weight', weight, rows)
    return weight


def refuse(bad: Tensor, name: str, values: Tensor, expected: str) -> None:
    r"""Refuses values, and shows the first that is bad.

    Args:
        bad: Which values are.
        name: The name of the argument.
        values: The values, in the shape of :obj:`bad`.
        expected: What was expected.
    """
    # Looking at values would break a compiled graph.
    if torch.compiler.is_compiling() or not bool(bad.any()):
        return
    place = bad.nonzero()[0].tolist()
    raise ValueError(
        f"'{name}' has {values[tuple(place)].item()!r} at {place}, expected "
        f'{expected}'
    )
