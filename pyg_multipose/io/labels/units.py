r"""Units of affinities, and what they mean on one scale.

That scale is :math:`\mathrm{p}K = -\log_{10}(K / \mathrm{M})`: high is
strong. Some programs write :math:`\log_{10}(K / \mathrm{\mu M})` instead, or
with another unit: low is strong, and 0 is that unit. A constant :math:`K` is
one of dissociation or inhibition; an IC50 or EC50 is read as one, its kind is
kept apart. Free energies of binding follow from

.. math::
    \Delta G = RT \ln K = -RT \ln(10)\, \mathrm{p}K

with :math:`K` in mol/L: low is strong, and 0 is 1 mol/L. In units of
:math:`kT` it does not depend on the temperature.
"""

from __future__ import annotations

import math
import re
import unicodedata

from pyg_multipose.io.source.table import MICRO

#: What a free energy in kcal/mol or kJ/mol is converted at, in Kelvin.
TEMPERATURE = 298.15
#: Free energies per kT, from the gas constant 8.31446261815324 J / (mol K).
_PER_KELVIN = {
    'kcal/mol': 8.31446261815324 / 4184,
    'kJ/mol': 8.31446261815324 / 1000,
}
_LN_10 = math.log(10)
#: log10 of how many of a unit are one mol/L.
_EXPONENTS = {'M': 0, 'mM': 3, 'uM': 6, 'nM': 9, 'pM': 12, 'fM': 15}
#: Decimal logarithms of constants: low is strong, unlike pK.
LOGARITHMS = {f'log10({unit})': unit for unit in _EXPONENTS}
#: All units, in the way this package writes them.
UNITS = (*_EXPONENTS, 'pK', *LOGARITHMS, 'kT', *_PER_KELVIN)

_WORDS = {
    'molar': 'M', 'millimolar': 'mM', 'micromolar': 'uM', 'nanomolar': 'nM',
    'picomolar': 'pM', 'femtomolar': 'fM',
    'kcal/mol': 'kcal/mol', 'kcalmol-1': 'kcal/mol', 'kcalmol^-1': 'kcal/mol',
    'kj/mol': 'kJ/mol', 'kjmol-1': 'kJ/mol', 'kjmol^-1': 'kJ/mol',
    'kt': 'kT', 'kbt': 'kT', 'k_bt': 'kT',
}  # fmt: skip
_PER_LITRE = re.compile(r'([munpfµ]?)mol(?:/|·)?[lL](?:\^?-1)?')
#: What may be measured, as names of columns and units write it.
CONSTANT = (
    r'(?:[IEAXCGLD][CID][\s_]?50|MIC|K[\s_]?[id]|Kb|K|A2|chembl|affinity|'
    r'activity|potency|aff|act|pot)'
)
_P_SCALE = re.compile(
    rf'p[_-]?{CONSTANT}(?:/p?{CONSTANT})*(?:[\s_]value)?', re.IGNORECASE
)
_LOG_SCALE = re.compile(
    r'(?P<minus>[-\u2212]?)\s*(?:log_?10|log|lg)'
    rf'(?:[\s_(\[]*{CONSTANT}(?:/{CONSTANT})*(?![a-z]))?[\s_/()\[\]]*'
    r'(?P<unit>.*?)[\s)\]]*',
    re.IGNORECASE,
)


def parse_unit(text: str) -> str | None:
    r"""The unit that a text means, or :obj:`None` if it means none.

    Upper and lower case matter where they tell units apart: :obj:`"mM"` is
    not :obj:`"MM"`. Both micro signs are :obj:`u`.

    Args:
        text: E.g., :obj:`"nM"`, :obj:`"µmol/L"`, :obj:`"pIC50"`,
            :obj:`"log10(IC50/uM)"` or :obj:`"kcal/mol"`.
    """
    text = unicodedata.normalize('NFKC', text).strip().translate(MICRO)
    if text in UNITS:
        return text
    if _P_SCALE.fullmatch(text):
        return 'pK'
    packed = re.sub(r'[\s·*]', '', text)
    match = _PER_LITRE.fullmatch(packed)
    if match is not None:
        return f'{match[1]}M'
    match = _LOG_SCALE.fullmatch(text)
    if match is not None:
        return _of_logarithm(match['unit'], bool(match['minus']))
    return _WORDS.get(packed.lower())


def _of_logarithm(text: str, is_negative: bool) -> str | None:
    """The negative logarithm is a pK, unless it is that of another unit."""
    unit = parse_unit(text) if text else None
    if is_negative:
        return 'pK' if unit == 'M' or not text else None
    return f'log10({unit})' if unit in _EXPONENTS else None


def is_concentration(unit: str) -> bool:
    r"""Whether a unit is one of a constant, not of its logarithm.

    Args:
        unit: One of :data:`UNITS`.
    """
    return unit in _EXPONENTS


def is_logarithm(unit: str) -> bool:
    r"""Whether a unit is a decimal logarithm of a constant: low is strong.

    Args:
        unit: One of :data:`UNITS`.
    """
    return unit in LOGARITHMS


def is_energy(unit: str) -> bool:
    r"""Whether a unit is one of a free energy: low is strong.

    Args:
        unit: One of :data:`UNITS`.
    """
    return unit == 'kT' or unit in _PER_KELVIN


def falls(unit: str) -> bool:
    r"""Whether a value falls where pK rises.

    Args:
        unit: One of :data:`UNITS`.
    """
    return unit != 'pK'


def to_pk(value: float, unit: str, temperature: float = TEMPERATURE) -> float:
    r"""Converts a value to pK.

    Args:
        value: The value.
        unit: Its unit, one of :data:`UNITS`.
        temperature: In Kelvin, for free energies in kcal/mol and kJ/mol.
            (default: :obj:`298.15`)

    Raises:
        ValueError: If a constant is not positive, or the unit is unknown.
    """
    _check(unit)
    if unit == 'pK':
        return value
    if is_energy(unit):
        return -value / (_LN_10 * _size(unit, temperature))
    if is_logarithm(unit):
        return _EXPONENTS[LOGARITHMS[unit]] - value
    if not value > 0:
        raise ValueError(
            f'A constant of {value} {unit} has no logarithm, expected a '
            f'positive number'
        )
    return _EXPONENTS[unit] - math.log10(value)


def from_pk(pk: float, unit: str, temperature: float = TEMPERATURE) -> float:
    r"""Converts a pK to another unit.

    Args:
        pk: The pK.
        unit: The unit wanted, one of :data:`UNITS`.
        temperature: As for :func:`to_pk`. (default: :obj:`298.15`)

    Raises:
        ValueError: If the unit is unknown.
    """
    _check(unit)
    if unit == 'pK':
        return pk
    if is_energy(unit):
        return -pk * _LN_10 * _size(unit, temperature)
    if is_logarithm(unit):
        return _EXPONENTS[LOGARITHMS[unit]] - pk
    return 10.0 ** (_EXPONENTS[unit] - pk)


def _size(unit: str, temperature: float) -> float:
    """How much of a unit of energy is one kT."""
    if not (temperature > 0 and math.isfinite(temperature)):
        raise ValueError(
            f'The temperature is {temperature}, expected Kelvin above 0'
        )
    return 1.0 if unit == 'kT' else _PER_KELVIN[unit] * temperature


def _check(unit: str) -> None:
    if unit not in UNITS:
        raise ValueError(
            f"Unknown unit '{unit}'; expected one of {list(UNITS)}"
        )
