r"""How far an IC50 is above the constant of inhibition."""

from __future__ import annotations

import math
import re
from numbers import Real
from typing import Any

#: A concentration: a number, or a text with its unit such as "25 uM".
Concentration = float | str

_LN_10 = math.log(10)
#: How many mol/L one of a unit is. Both micro signs are u.
_MOLAR = {
    'M': 1.0, 'mM': 1e-3, 'uM': 1e-6, '\u00b5M': 1e-6, '\u03bcM': 1e-6,
    'nM': 1e-9, 'pM': 1e-12,
}  # fmt: skip
_TEXT = re.compile(r'\s*([-+.\deE]+)\s*([^\s\d]+)\s*', re.ASCII)


def cheng_prusoff_shift(
    substrate: Concentration | None = None, km: Concentration | None = None
) -> float:
    r"""Returns by how much a pIC50 is below the pKi.

    .. math::
        \mathrm{p}K_i - \mathrm{pIC}_{50}
        = \log_{10} \left( 1 + \frac{[S]}{K_m} \right)

    For an inhibitor that competes with the substrate, see
    :eq:`eq-cheng-prusoff`.

    Args:
        substrate: The concentration :math:`[S]` of the substrate in the
            assay. (default: :obj:`None`)
        km: Its Michaelis constant :math:`K_m`. Both are numbers in one and
            the same unit, since only their ratio counts, or both are texts
            with a unit, such as :obj:`"25 uM"`. (default: :obj:`None`)

    Returns:
        The shift, above 0; 0 if both are :obj:`None`.

    Raises:
        ValueError: If one is given without the other, if one is no positive,
            finite concentration, or if only one has a unit.

    Example:
        >>> from pyg_multipose.nn.affinity import cheng_prusoff_shift
        >>> round(cheng_prusoff_shift(substrate=90.0, km=10.0), 6)
        1.0
        >>> round(cheng_prusoff_shift('0.09 mM', '10 uM'), 6)
        1.0
        >>> cheng_prusoff_shift()
        0.0
    """
    if substrate is None and km is None:
        return 0.0
    if substrate is None or km is None:
        given, other = 'substrate', 'km'
        if substrate is None:
            given, other = other, given
        raise ValueError(
            f"'{given}' is given without '{other}', but the Cheng-Prusoff "
            f'equation needs both. Leave out both to take IC50 for Ki'
        )
    if isinstance(substrate, str) != isinstance(km, str):
        raise ValueError(
            f"'substrate' is {substrate!r} and 'km' is {km!r}: only one has a "
            f'unit. Give both as numbers in the same unit, or both as texts '
            f"with a unit, such as '25 uM'"
        )
    ratio = _value('substrate', substrate) / _value('km', km)
    if ratio == math.inf:
        raise ValueError(
            f"'substrate' is {substrate!r} and 'km' is {km!r}: their ratio is "
            f'infinite'
        )
    return math.log1p(ratio) / _LN_10


def _value(name: str, given: Any) -> float:
    """A concentration, in mol/L if it has a unit."""
    value: Any = given
    factor = 1.0
    if isinstance(given, str):
        value, factor = _parsed(name, given)
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 < float(value) * factor < math.inf:
        hint = ''
        if number and float(value) == 0:
            hint = '. To take IC50 for Ki, leave out both'
        raise ValueError(
            f"'{name}' is {given!r}, expected a positive, finite "
            f'concentration{hint}'
        )
    return float(value) * factor


def _parsed(name: str, text: str) -> tuple[float, float]:
    match = _TEXT.fullmatch(text)
    try:
        if match is None:
            raise KeyError
        return float(match[1]), _MOLAR[match[2]]
    except (ValueError, KeyError):
        raise ValueError(
            f"'{name}' is {text!r}, expected a number and a unit, such as "
            f"'25 uM'; the units are {list(_MOLAR)}"
        ) from None
