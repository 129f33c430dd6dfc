r"""Units of predictions and labels."""

from __future__ import annotations

from torch import nn

from pyg_multipose.nn.affinity import PIC50, DeltaG, PKi

#: The units of predictions and labels, and whether a high value is strong.
UNITS = {
    'kT': False,
    'kcal/mol': False,
    'kJ/mol': False,
    'pIC50': True,
    'pKi': True,
    'pK': True,
}


def unit_of(affinity: nn.Module | None, told: str | None) -> str:
    r"""The unit of predictions.

    Args:
        affinity: What converts them, if anything does.
        told: What the user says.

    Raises:
        ValueError: If the unit is unknown, or is not that of
            :obj:`affinity`, or cannot be told.
    """
    known = None
    if affinity is None:
        known = 'kT'
    elif isinstance(affinity, DeltaG):
        known = affinity.to_unit
    elif isinstance(affinity, PIC50):
        known = 'pIC50'
    elif isinstance(affinity, PKi):
        known = 'pKi'
    if told is None:
        if known is None:
            raise ValueError(
                f'The unit of {type(affinity).__name__} is not known; give '
                f"'unit', one of {list(UNITS)}"
            )
        return known
    check_unit('unit', told)
    if known is not None and not same_unit(known, told) and affinity:
        raise ValueError(f"unit={told!r}, but {affinity} gives '{known}'")
    return told


def check_unit(name: str, unit: str) -> None:
    r"""Refuses a unit that is unknown.

    Args:
        name: The argument.
        unit: Its value.
    """
    if unit not in UNITS:
        raise ValueError(
            f'{name}={unit!r} is no unit of affinities; expected one of '
            f"{list(UNITS)} ('pK' is any of the logarithms)"
        )


def same_unit(first: str, second: str) -> bool:
    r"""Whether numbers in both can be compared.

    Args:
        first: A unit.
        second: Another one; :obj:`"pK"` is the same as :obj:`"pIC50"` and as
            :obj:`"pKi"`.
    """
    pk = 'pK' in (first, second) and UNITS[first] and UNITS[second]
    return first == second or pk
