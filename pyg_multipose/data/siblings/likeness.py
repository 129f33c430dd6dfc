"""In what two sets differ that should be alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.data.pose_set import PoseSet


def differences(one: PoseSet, two: PoseSet) -> dict[str, str]:
    r"""The keys in which two sets differ beyond rounding, and how.

    Positions that one rigid motion takes to those of the other do not count:
    it changes no distance, angle or handedness.

    Args:
        one: A set.
        two: Another one.
    """
    out = {}
    ours, theirs = one.to_dict(), two.to_dict()
    for key in dict.fromkeys((*ours, *theirs)):
        if key == 'levels':
            continue
        how = _difference(ours.get(key), theirs.get(key))
        if key == 'pos' and how and is_moved(ours.get(key), theirs.get(key)):
            continue
        if how:
            out[key] = how
    return out


def is_moved(one: Any, two: Any) -> bool:
    r"""Whether a rotation and a translation take points to others.

    Args:
        one: The points, shape :obj:`[num_points, D]`.
        two: The others.
    """
    for points in (one, two):
        if not isinstance(points, Tensor) or points.dim() != 2:
            return False
        if not points.is_floating_point() or not points.isfinite().all():
            return False
    if one.shape != two.shape:
        return False
    a, b = one.detach().double().cpu(), two.detach().double().cpu()
    size = float(torch.stack([a.abs().max(), b.abs().max()]).max())
    a, b = a - a.mean(dim=0), b - b.mean(dim=0)
    u, _, v = torch.linalg.svd(a.t() @ b)
    # The nearest rotation; a reflection is none.
    last = torch.ones(len(v), dtype=v.dtype)
    last[-1] = torch.linalg.det(u @ v).sign()
    error = (a @ (u * last) @ v - b).abs().max()
    return bool(error <= _rounding(one.dtype) * max(size, 1.0))


def _difference(one: Any, two: Any) -> str:
    """How two values differ, or an empty text."""
    if one is None or two is None:
        return 'is there only once'
    if not isinstance(one, Tensor) or not isinstance(two, Tensor):
        same = type(one) is type(two) and bool(np.all(one == two))
        return '' if same else f'is {one!r} or {two!r}'
    for what, a, b in (
        ('shape', list(one.shape), list(two.shape)),
        ('dtype', one.dtype, two.dtype),
    ):
        if a != b:
            return f'has {what} {a} or {b}'
    if torch.equal(one, two) or not one.numel():
        return ''
    if not one.dtype.is_floating_point and not one.dtype.is_complex:
        return _count(one != two, one, two)
    one, two = one.detach(), two.detach()
    same = (one == two) | (one.isnan() & two.isnan())
    finite = one.isfinite() & two.isfinite()
    sizes = torch.maximum(one.abs(), two.abs())[finite]
    close = (one - two).abs() <= _rounding(one.dtype) * (
        sizes.max() if sizes.numel() else 0.0
    )
    return _count(~(same | (finite & close)), one, two)


def _count(differs: Tensor, one: Tensor, two: Tensor) -> str:
    if not differs.any():
        return ''
    place = tuple(differs.nonzero()[0].tolist())
    at = f'[{", ".join(map(str, place))}]'
    values = [
        f'{value:.6g}' if isinstance(value, float) else str(value)
        for value in (one[place].item(), two[place].item())
    ]
    return f'is {" or ".join(values)} at {at}'


def _rounding(dtype: torch.dtype) -> float:
    """What rounding may change, as a share of the largest number."""
    return float(torch.finfo(dtype).eps ** 0.75)
