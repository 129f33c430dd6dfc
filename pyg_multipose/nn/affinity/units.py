r"""Units of free energies of binding, and their temperature."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from scipy import constants

#: What free energies are converted at by default, in kelvin.
TEMPERATURE = 298.15
#: Below this, a temperature is taken for one in Celsius or Fahrenheit.
LOWEST_TEMPERATURE = 100.0
#: Free energies per kelvin. The gas constant is 8.31446261815324 J / (mol K)
#: (CODATA 2018; exact since the SI of 2019), a calorie 4.184 J.
_PER_KELVIN = {
    'kcal/mol': constants.R / (constants.kilo * constants.calorie),
    'kJ/mol': constants.R / constants.kilo,
}
#: The units of a free energy.
UNITS = ('kT', *_PER_KELVIN)


def per_kt(unit: str, temperature: float = TEMPERATURE) -> float:
    r"""How much of a unit is one :math:`kT`, per mole :math:`RT`.

    Args:
        unit: One of :data:`UNITS`.
        temperature: In kelvin; without effect on :obj:`"kT"`.
            (default: :obj:`298.15`)

    Raises:
        ValueError: If the unit is unknown, or the temperature is none in
            kelvin.
    """
    check_unit('unit', unit)
    kelvin = check_temperature(temperature)
    return 1.0 if unit == 'kT' else _PER_KELVIN[unit] * kelvin


def check_unit(name: str, unit: Any) -> None:
    r"""Refuses what is no unit of a free energy."""
    if unit not in UNITS:
        raise ValueError(
            f"'{name}' is {unit!r}, expected a unit of a free energy, one of "
            f'{list(UNITS)}'
        )


def check_temperature(temperature: Any) -> float:
    r"""Refuses what is no temperature in kelvin."""
    number = isinstance(temperature, Real) and not isinstance(
        temperature, bool
    )
    kelvin = float(temperature) if number else math.nan
    if not LOWEST_TEMPERATURE <= kelvin < math.inf:
        hint = ''
        if -LOWEST_TEMPERATURE < kelvin < LOWEST_TEMPERATURE:
            hint = (
                f'. If that is Celsius, pass {kelvin + 273.15:.2f}, the same '
                f'in kelvin'
            )
        raise ValueError(
            f"'temperature' is {temperature!r}, expected a number of kelvin, "
            f'at least {LOWEST_TEMPERATURE:g} (25 degrees Celsius are 298.15)'
            f'{hint}'
        )
    return kelvin
