r"""Conversions of affinities, as functions of tensors of any shape.

Free energies of binding :math:`\Delta G` are negative for what binds: low is
strong, and 0 is a constant of 1 mol/L. :math:`\mathrm{p}K_i` and
:math:`\mathrm{pIC}_{50}` are negative decadic logarithms of constants in
mol/L: high is strong. Values are converted one by one in their own dtype; NaN
(a missing label) stays NaN.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from pyg_multipose.nn.affinity.cheng_prusoff import (
    Concentration,
    cheng_prusoff_shift,
)
from pyg_multipose.nn.affinity.units import TEMPERATURE, check_unit, per_kt

_LN_10 = math.log(10)


def convert_dg(
    dg: Tensor,
    unit: str = 'kT',
    to: str = 'kcal/mol',
    temperature: float = TEMPERATURE,
) -> Tensor:
    r"""Converts a free energy to another unit, by :eq:`eq-dg-unit`.

    Args:
        dg: The free energies :math:`\Delta G`, any shape.
        unit: Their unit, :obj:`"kT"`, :obj:`"kcal/mol"` or :obj:`"kJ/mol"`.
            (default: :obj:`"kT"`)
        to: The unit wanted. (default: :obj:`"kcal/mol"`)
        temperature: In kelvin. (default: :obj:`298.15`)

    Returns:
        The free energies in the other unit.

    Raises:
        ValueError: If a unit is unknown, if the temperature is none in
            kelvin, or if :obj:`dg` is no tensor of real floats.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.affinity import convert_dg
        >>> convert_dg(torch.tensor([-10.0, 0.0]))
        tensor([-5.9248,  0.0000])
    """
    check_unit('to', to)
    factor = per_kt(to, temperature) / per_kt(unit, temperature)
    return check_values('dg', dg) * factor


def dg_to_pki(
    dg: Tensor, unit: str = 'kT', temperature: float = TEMPERATURE
) -> Tensor:
    r"""Converts free energies to pKi, by :eq:`eq-dg-pki`.

    Args:
        dg: The free energies :math:`\Delta G`, any shape; low is strong.
        unit: Their unit, :obj:`"kT"`, :obj:`"kcal/mol"` or :obj:`"kJ/mol"`.
            (default: :obj:`"kT"`)
        temperature: In kelvin; without effect on :obj:`"kT"`.
            (default: :obj:`298.15`)

    Returns:
        The :math:`\mathrm{p}K_i`; high is strong.

    Raises:
        ValueError: As :func:`convert_dg`.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.affinity import dg_to_pki
        >>> dg_to_pki(torch.tensor([-8.0]), unit='kcal/mol')
        tensor([5.8640])
    """
    return check_values('dg', dg) / (-_LN_10 * per_kt(unit, temperature))


def pki_to_dg(
    pki: Tensor, unit: str = 'kT', temperature: float = TEMPERATURE
) -> Tensor:
    r"""Converts pKi to free energies: :eq:`eq-dg-pki` the other way.

    Args:
        pki: The :math:`\mathrm{p}K_i`, any shape; high is strong.
        unit: The unit wanted, :obj:`"kT"`, :obj:`"kcal/mol"` or
            :obj:`"kJ/mol"`. (default: :obj:`"kT"`)
        temperature: In kelvin; without effect on :obj:`"kT"`.
            (default: :obj:`298.15`)

    Returns:
        The free energies :math:`\Delta G`; low is strong.

    Raises:
        ValueError: As :func:`convert_dg`.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.affinity import pki_to_dg
        >>> pki_to_dg(torch.tensor([6.0]))
        tensor([-13.8155])
    """
    return check_values('pki', pki) * (-_LN_10 * per_kt(unit, temperature))


def pki_to_pic50(
    pki: Tensor,
    substrate: Concentration | None = None,
    km: Concentration | None = None,
) -> Tensor:
    r"""Converts pKi to pIC50, by :eq:`eq-pic50`.

    Args:
        pki: The :math:`\mathrm{p}K_i`, any shape.
        substrate: As of :class:`PIC50`. (default: :obj:`None`)
        km: As of :class:`PIC50`. (default: :obj:`None`, **IC50 is taken for
            Ki**)

    Returns:
        The :math:`\mathrm{pIC}_{50}`, at most :obj:`pki`.

    Raises:
        ValueError: As :class:`PIC50`.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.affinity import pki_to_pic50
        >>> pki_to_pic50(torch.tensor([6.0]), substrate='90 uM', km='10 uM')
        tensor([5.])
    """
    return check_values('pki', pki) - cheng_prusoff_shift(substrate, km)


def pic50_to_pki(
    pic50: Tensor,
    substrate: Concentration | None = None,
    km: Concentration | None = None,
) -> Tensor:
    r"""Converts pIC50 to pKi: :eq:`eq-pic50` the other way.

    Args:
        pic50: The :math:`\mathrm{pIC}_{50}`, any shape.
        substrate: As of :class:`PIC50`. (default: :obj:`None`)
        km: As of :class:`PIC50`. (default: :obj:`None`, **IC50 is taken for
            Ki**)

    Returns:
        The :math:`\mathrm{p}K_i`, at least :obj:`pic50`.

    Raises:
        ValueError: As :class:`PIC50`.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.affinity import pic50_to_pki
        >>> pic50_to_pki(torch.tensor([5.0]), substrate='90 uM', km='10 uM')
        tensor([6.])
    """
    return check_values('pic50', pic50) + cheng_prusoff_shift(substrate, km)


def check_values(name: str, values: Any) -> Tensor:
    r"""Refuses what is no tensor of real floats."""
    if isinstance(values, tuple | list):
        raise ValueError(
            f"'{name}' is a {type(values).__name__} of {len(values)}, "
            f'expected one tensor. If it is what a readout returns for '
            f'return_poses or return_weights, convert the predictions one by '
            f'one'
        )
    if not isinstance(values, Tensor) or not values.is_floating_point():
        got = type(values).__name__
        if isinstance(values, Tensor):
            got = f'a tensor of {values.dtype}'
        raise ValueError(
            f"'{name}' is {got}, expected a tensor of real floating-point "
            f'numbers'
        )
    return values
