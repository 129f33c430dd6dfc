"""Comparisons that say what differs, where, by how much, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

#: What is below this share of the largest result is compared to that share.
_SMALL = 1e-6


def broken(
    what: str, got: Any, expected: Any, advice: str, difference: str = ''
) -> AssertionError:
    r"""What a test raises where a property does not hold.

    Args:
        what: The property, and where it fails.
        got: What was found.
        expected: What should have been found.
        advice: What to do.
        difference: How large the difference is. (default: :obj:`""`)
    """
    lines = [what, f'  got:        {got}', f'  expected:   {expected}']
    if difference:
        lines.append(f'  difference: {difference}')
    return AssertionError('\n'.join([*lines, f'  what to do: {advice}']))


def check_close(
    what: str,
    got: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    tolerance: float,
    advice: str,
) -> None:
    r"""Compares tensors by name; NaN equals NaN.

    Args:
        what: The property.
        got: What was found.
        expected: What should have been found, of the same names.
        tolerance: The largest difference, relative to the largest number of
            a tensor.
        advice: What to do where they differ.

    Raises:
        AssertionError: If they differ.
    """
    most = max((_size(value) for value in expected.values()), default=0.0)
    for name, right in expected.items():
        value, where = got[name], f'{what}: {name}'
        for kind, one, two in (
            ('shape', list(value.shape), list(right.shape)),
            ('dtype', value.dtype, right.dtype),
        ):
            if one != two:
                raise broken(f'{where} has another {kind}', one, two, advice)
        if value.numel() == 0:
            continue
        value, right = _real(value), _real(right)
        same = (value == right) | (value.isnan() & right.isnan())
        # Of what is not finite, the difference is no number.
        off = (value - right).abs().nan_to_num(torch.inf, torch.inf)
        off = off.masked_fill(same, 0.0)
        size = max(_size(right), _SMALL * most)
        worst = float(off.max())
        if worst > tolerance * size:
            place = int(off.argmax())
            index = [int(i) for i in torch.unravel_index(
                torch.tensor(place), value.shape
            )]  # fmt: skip
            raise broken(
                f'{where} differs, most at {index}' if index else where,
                value.flatten()[place].item(),
                right.flatten()[place].item(),
                advice,
                f'{worst:.1e}, where numbers are up to {size:.1e} and '
                f'{tolerance * size:.1e} is allowed',
            )


def check_equal(what: str, got: Any, expected: Any, advice: str) -> None:
    r"""Compares values of any kind, tensors number by number.

    NaN equals NaN; lists, tuples and dictionaries may hold tensors.

    Args:
        what: What is compared.
        got: What was found.
        expected: What should have been found.
        advice: What to do where they differ.

    Raises:
        AssertionError: If they differ.
    """
    if isinstance(got, Tensor) and isinstance(expected, Tensor):
        check_close(what, {'it': got}, {'it': expected}, 0.0, advice)
        return
    if type(got) is type(expected):
        if isinstance(got, dict) and got.keys() == expected.keys():
            for key, value in got.items():
                check_equal(f'{what}[{key!r}]', value, expected[key], advice)
            return
        if isinstance(got, (list, tuple)) and len(got) == len(expected):
            for place, value in enumerate(got):
                check_equal(f'{what}[{place}]', value, expected[place], advice)
            return
        if not isinstance(got, (dict, list, tuple)) and got == expected:
            return
    raise broken(what, repr(got), repr(expected), advice)


def check_refused(
    what: str,
    call: Callable[[], Any],
    kinds: tuple[type[Exception], ...],
    advice: str,
) -> Exception:
    r"""The error that a call must raise.

    Args:
        what: What must be an error.
        call: What raises it.
        kinds: The kinds that will do.
        advice: What to do where it is none.

    Raises:
        AssertionError: If it raises nothing, or something else.
    """
    names = ' or '.join(kind.__name__ for kind in kinds)
    try:
        out = call()
    except kinds as error:
        return error
    except Exception as error:  # of any kind: it says what was raised instead
        raise broken(what, f'{type(error).__name__}: {error}', names, advice) \
            from error  # fmt: skip
    if isinstance(out, Tensor):
        out = out.tolist()
    raise broken(what, f'no error but {out}', names, advice)


def _real(value: Tensor) -> Tensor:
    """Of booleans and integers, differences are needed too."""
    value = value.detach()
    return value if value.is_floating_point() else value.double()


def _size(value: Tensor) -> float:
    value = _real(value)
    finite = value[value.isfinite()]
    return float(finite.abs().max()) if finite.numel() else 0.0
