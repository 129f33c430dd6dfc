"""What the name of a column of values tells of their unit and scale."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from pyg_multipose.io.labels.units import (
    CONSTANT,
    LOGARITHMS,
    MICRO,
    UNITS,
    is_concentration,
    is_energy,
    parse_unit,
)
from pyg_multipose.io.report import Rejected

_P = re.compile(
    rf'(?<![A-Za-z0-9])p[_(-]?{CONSTANT}(?![A-Za-z0-9])', re.IGNORECASE
)
#: With something before or behind it, as in 'meanpIC50' and 'pKiMean'.
_P_INSIDE = re.compile(
    r'(?<=[a-z])[pP](?:[IEAX]C50|CHEMBL|ChEMBL)'
    r'|(?<![A-Za-z])p(?:[IEAX]C50|K[id])(?=[A-Z])'
)
_LOG = re.compile(
    r'(?P<minus>neg(?:ative)?[\s_-]*|minus[\s_]*|(?:(?<=[^\w)\]])|^|(?<=_))'
    r'[-\u2212\u2013][\s_(]*)?'
    r'(?:(?<![a-z])|(?<=neg)|(?<=negative)|(?<=minus))'
    r'(?P<base>log(?:_?(?:10|2|e)(?!\d))?|lg|ln)'
    rf'(?=[^a-z]|$|{CONSTANT}|[munpfµ]?M(?![a-z]))',
    re.IGNORECASE,
)
#: The logarithm of a reciprocal is a negative one.
_RECIPROCAL = re.compile(r'[\s(\[]*1\s*/')
#: Letters and numbers, then what could be a minus or only a hyphen.
_HYPHEN = re.compile(r'[\w)\]]-$')
_ENERGY = re.compile(
    r'(?<![A-Za-z])(?:(k(?:cal|J))[\s_/.*·]*mol|(kB?T)(?![A-Za-z]))'
)
_DELTA_G = re.compile(
    r'(?<![A-Za-z])(?:d|delta[\s_-]?|\u0394|\u2206)G(?![a-z])'
    r'|(?<![A-Za-z])Delta[\s_-]?G(?![a-z])'
)
_KIND_AND_UNIT = re.compile(r'(?:[IEAX]C50|K[id])([munpf\u00b5]M)')


@dataclass(frozen=True)
class ColumnName:
    r"""What a name tells.

    Args:
        accepted: The units that it may mean; :obj:`None` if it tells
            nothing, none if it is of another scale or contradicts itself.
        others: Units besides, which the accepted one may be made of.
    """

    accepted: frozenset[str] | None
    others: frozenset[str] = frozenset()

    def __str__(self) -> str:
        if not self.accepted:
            return 'no unit that is known, or two scales at once'
        return str(sorted(self.accepted))


@lru_cache(maxsize=64)
def read_name(name: str) -> ColumnName:
    r"""Reads the name of a column.

    Args:
        name: E.g., :obj:`"IC50 (nM)"`, :obj:`"ki_uM"`, :obj:`"pIC50"`,
            :obj:`"log10(IC50 / uM)"` or :obj:`"-logKd"`.
    """
    name = unicodedata.normalize('NFKC', name).translate(MICRO)
    has_p = bool(_P.search(name) or _P_INSIDE.search(name))
    is_odd = has_log = has_minus = False
    for log in _LOG.finditer(name):
        is_reciprocal = bool(_RECIPROCAL.match(name, log.end()))
        is_odd |= bool(
            re.fullmatch('ln|log_?[2e]', log['base'], re.IGNORECASE)
            or (not log['minus'] and _HYPHEN.search(name[: log.start()]))
            or (log['minus'] and is_reciprocal)
        )
        has_minus |= bool(log['minus']) or is_reciprocal
        has_log |= not log['minus'] and not is_reciprocal
    amounts, energies = _units(_LOG.sub(' ', name))
    if is_odd or (has_log and (has_p or has_minus or energies)):
        return ColumnName(frozenset())
    if has_p or has_minus:
        if energies or (has_minus and not has_p and amounts - {'M'}):
            return ColumnName(frozenset())
        return ColumnName(frozenset({'pK'}), amounts - {'M'})
    if has_log:
        told = {f'log10({unit})' for unit in amounts}
        return ColumnName(frozenset(told or LOGARITHMS))
    return ColumnName(amounts | energies or None)


def check_name(unit: str, name: str) -> None:
    r"""Refuses a unit that contradicts the name of the column of values.

    Args:
        unit: The unit.
        name: The name of the column.

    Raises:
        Rejected: If it does.
    """
    told = read_name(name)
    if told.accepted is not None and unit not in told.accepted:
        raise Rejected(
            'unit contradicts the name of the column',
            f'{unit}, but {name!r} tells {told}; the units are {list(UNITS)}. '
            f'Pass the right one, or rename the column if its name is wrong',
        )


def _units(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """The units of constants, and those of energies."""
    amounts, energies = set(), set()
    words = re.split(r'[^A-Za-z0-9]+', name)
    for text in re.findall(r'[(\[]([^()\[\]]*)[)\]]', name):
        # 'M' is a unit in brackets only.
        words += [word + ' ' for word in re.split(r'[^A-Za-z0-9]+', text)]
        words.append(text)
    words += re.findall('[munpf]?mol/[lL]', name)
    for word in words:
        unit = parse_unit(_KIND_AND_UNIT.sub(r'\1', word))
        if unit and is_concentration(unit) and len(word) > 1:
            amounts.add(unit)
        elif unit and is_energy(unit) and len(word) > 2:
            energies.add(unit)
    for per_mole, _ in _ENERGY.findall(name):
        energies.add(f'{per_mole}/mol' if per_mole else 'kT')
    if _DELTA_G.search(name) and not energies:
        energies.update(unit for unit in UNITS if is_energy(unit))
    return frozenset(amounts), frozenset(energies)
