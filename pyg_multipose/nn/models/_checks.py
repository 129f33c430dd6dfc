import math
from typing import Any

import torch
from e3nn import o3
from torch import Tensor


def check_int(name: str, value: Any, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(
            f"'{name}' must be an integer of at least {low} (got {value!r})"
        )


def check_positive(name: str, value: Any) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 < value < math.inf
    ):
        raise ValueError(
            f"'{name}' must be a positive finite number (got {value!r})"
        )


def parse_irreps(irreps: Any) -> o3.Irreps:
    try:
        out = o3.Irreps(irreps).remove_zero_multiplicities()
    except (ValueError, TypeError, AttributeError) as e:
        raise ValueError(
            f"'hidden_irreps' must be irreps such as '32x0e+16x1o' (got "
            f'{irreps!r})'
        ) from e
    if out.count('0e') == 0:
        raise ValueError(
            f"'hidden_irreps' must have at least one even scalar, in which "
            f'elements are embedded and from which predictions are read (got '
            f"'{irreps}'); add for example '16x0e'"
        )
    return out


def parse_target(name: str, value: Any, out_channels: int) -> Tensor:
    # A statistic of the target: one number, or one for each channel.
    try:
        # A copy, so that models never share a buffer with their caller:
        out = torch.as_tensor(value, dtype=torch.get_default_dtype()).clone()
    except (TypeError, ValueError, RuntimeError):
        out = torch.empty(0, 0)
    if out.size() not in [(), (out_channels,)] or not out.isfinite().all():
        raise ValueError(
            f"'{name}' must be a finite number or one for each of the "
            f"{out_channels} 'out_channels' (got {value!r})"
        )
    return out


def parse_scale(mean: Any, std: Any) -> tuple[float | None, float | None]:
    # Statistics of the contributions of atoms, or none.
    if mean is None and std is None:
        return None, None
    try:
        mean, std = float(mean), float(std)
        valid = math.isfinite(mean) and math.isfinite(std)
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            f"'mean' and 'std' must both be finite numbers, or both be left "
            f'out (got mean={mean!r} and std={std!r}); without a shift give '
            f"'mean=0.0', without a scale 'std=1.0'"
        )
    return mean, std


def parse_atomref(atomref: Any, num_elements: int) -> Tensor | None:
    # The contribution of a single atom of each element.
    if atomref is None:
        return None
    sizes = [(num_elements,), (num_elements, 1)]
    if not isinstance(atomref, Tensor) or atomref.size() not in sizes:
        got = type(atomref).__name__
        if isinstance(atomref, Tensor):
            got = f'shape {list(atomref.size())}'
        raise ValueError(
            f"'atomref' must be a tensor of shape [{num_elements}] or "
            f'[{num_elements}, 1], with a value for each atomic number (got '
            f'{got})'
        )
    # A copy, so that models never share a buffer with their caller:
    return atomref.detach().clone().view(num_elements, 1)
