"""What the cells of one row of a table of labels say."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, get_args

from pyg_multipose.io.labels.units import (
    UNITS,
    falls,
    is_concentration,
    is_energy,
    is_logarithm,
    parse_unit,
    to_pk,
)
from pyg_multipose.io.report import Rejected
from pyg_multipose.io.source.table import MICRO, stripped

#: What a value is to the truth: "<" says that the truth is below it.
Relation = Literal['=', '<', '<=', '>', '>=', '~']
#: Units of pK that no constant reaches: its unit is another one.
LOWEST, HIGHEST = 0.0, 16.0

_TURNED: dict[Relation, Relation] = {
    '<': '>', '<=': '>=', '>': '<', '>=': '<='
}  # fmt: skip
_SIGNS: dict[str, Relation] = {
    **{sign: sign for sign in get_args(Relation)},
    '': '=', '==': '=', '<<': '<', '>>': '>', '=<': '<=', '=>': '>=',
    '\u2264': '<=', '\u2265': '>=', '\u2a7d': '<=', '\u2a7e': '>=',
    '~~': '~', '\u2248': '~', '\u223c': '~',
}  # fmt: skip
#: Signs of a relation.
SIGNS = '<>=~\u2264\u2265\u2a7d\u2a7e\u2248\u223c'
_PREFIX = re.compile(f'([{SIGNS}]*)(.*)', re.S)
_MISSING = frozenset(
    ('', 'nan', 'na', 'n/a', 'n.a.', 'nd', 'n.d.', 'none', 'null', '-', '?')
)
_MINUS = str.maketrans({'\u2212': '-'})
_NUMBER = re.compile(
    r'(?P<sign>[+-]?)(?P<whole>\d*)(?P<rest>(?:\.\d*)?)'
    r'(?P<power>(?:[eE][+-]?\d+)?)',
    re.ASCII,
)
_SEPARATED = re.compile(r'[+-]?[\d.,]+(?:[eE][+-]?\d+)?', re.ASCII)
_NEGATIVE_LOG = re.compile(
    r'(?:[-\u2212\u2013]|neg(?:ative)?|minus)(?:log10|log|lg)(.*)'
)
_LOG = re.compile('(?:log10|log|lg)(.*)')
_KINDS = {
    'ki': 'Ki', 'kd': 'Kd', 'ic50': 'IC50', 'ec50': 'EC50', 'ac50': 'AC50',
    'xc50': 'XC50', 'k': '', 'dg': 'dG', 'deltag': 'dG', '\u03b4g': 'dG',
    '\u2206g': 'dG',
}  # fmt: skip


@dataclass(frozen=True)
class Measurement:
    r"""One row of a table of labels.

    Args:
        file: The file.
        row: The number of the row; the header's is 1.
        pvalue: The value on the scale of pK.
        relation: The relation on the scale of pK.
    """

    file: str
    row: int
    pvalue: float
    relation: Relation


@dataclass(frozen=True)
class Format:
    r"""How numbers are written.

    Args:
        decimal: The decimal separator, :obj:`"."` or :obj:`","`.
            (default: :obj:`"."`)
        thousands: What groups of three digits are separated by.
            (default: :obj:`None`)
    """

    decimal: str = '.'
    thousands: str | None = None

    def __post_init__(self) -> None:
        known = ('.', ',', ' ', "'", None)
        if self.decimal not in ('.', ',') or self.thousands not in known:
            raise ValueError(
                f"decimal is '.' or ',' and thousands one of {known}, got "
                f'{self.decimal!r} and {self.thousands!r}'
            )
        if self.decimal == self.thousands:
            raise ValueError(
                f'decimal and thousands are both {self.decimal!r}'
            )

    def number(self, text: str) -> float:
        r"""Reads a number; nothing is guessed.

        Args:
            text: The text without blanks around it.

        Raises:
            Rejected: If it is missing, none, or could be two numbers.
        """
        if text.lower() in _MISSING:
            raise Rejected('missing value', 'the cell is empty' * (not text))
        plain = text.translate(_MINUS)
        if self.thousands is not None:
            plain = self._ungrouped(plain)
        other = ',' if self.decimal == '.' else '.'
        if other in plain and _SEPARATED.fullmatch(plain):
            name = 'comma' if other == ',' else 'point'
            raise Rejected(
                f'a {name} in a number',
                f'{text!r}: a decimal sign or one of thousands? Pass decimal= '
                f'and thousands=',
            )
        match = _NUMBER.fullmatch(plain.replace(self.decimal, '.'))
        if match is None or not (match['whole'] or match['rest'].strip('.')):
            raise Rejected('not a number', repr(text))
        value = float(match[0])
        if not math.isfinite(value):
            raise Rejected('not a number', f'{text!r} is too large')
        return value

    def _ungrouped(self, text: str) -> str:
        sep = re.escape(self.thousands or '')
        if self.thousands == ' ':
            sep = '[ \u00a0\u202f]'
        groups = rf'([+-]?)([1-9]\d{{0,2}}(?:{sep}\d{{3}})+)(?!\d)'
        match = re.match(groups, text, re.ASCII)
        if match is None:
            return text
        return match[1] + re.sub(sep, '', match[2]) + text[match.end() :]


def parse_kind(text: str) -> tuple[str, str]:
    r"""The kind of a constant, and the scale that the text names.

    Args:
        text: E.g., :obj:`"IC50"`, :obj:`"pKi"`, :obj:`"log Kd"` or
            :obj:`"dG"`; a kind that is not known is kept as it is.

    Returns:
        The kind, and :obj:`"pK"`, :obj:`"log10"` or an empty text.
    """
    text = stripped(text)
    plain = unicodedata.normalize('NFKC', text)
    plain = re.sub(r'[\s_()\[\]]', '', plain).lower()
    if plain in _KINDS:
        return _KINDS[plain], ''
    for scale, pattern in (('pK', _NEGATIVE_LOG), ('log10', _LOG)):
        match = pattern.fullmatch(plain)
        if match is not None and match[1] in _KINDS:
            return _KINDS[match[1]], scale
    if plain[:1] == 'p' and plain[1:] in _KINDS:
        return _KINDS[plain[1:]], 'pK'
    if parse_unit(text) == 'pK':
        return '', 'pK'
    return text, ''


def is_known_kind(text: str) -> bool:
    r"""Whether a text is a kind that is known.

    Args:
        text: E.g., :obj:`"IC50"` or :obj:`"pKi"`.
    """
    kind, scale = parse_kind(text)
    return bool(scale) or kind in _KINDS.values()


def unit_and_kind(unit_text: str, kind_text: str) -> tuple[str, str]:
    r"""The unit of a value and the kind of its constant.

    Args:
        unit_text: What the table says of the unit.
        kind_text: What it says of the kind.

    Raises:
        Rejected: If the unit is missing or unknown, or contradicts the kind.
    """
    kind, scale = parse_kind(kind_text)
    unit_text = stripped(unit_text)
    if not unit_text:
        if scale == 'pK':
            return 'pK', kind
        raise Rejected('missing unit', 'and it is never guessed')
    unit = parse_unit(unit_text)
    if unit is None:
        hint = ''
        for known in UNITS:
            if known.lower() == unit_text.translate(MICRO).lower():
                hint = f"; did you mean '{known}'?"
        raise Rejected(
            'unknown unit', f'{unit_text!r}; expected one of {UNITS}{hint}'
        )
    told = parse_kind(unit_text)[0] if unit == 'pK' else ''
    wrong = (
        (scale == 'pK' and unit != 'pK')
        or (scale == 'log10' and not is_logarithm(unit))
        or (kind == 'dG' and not is_energy(unit))
        or (kind.endswith('C50') and is_energy(unit))
        or (told and kind and told != kind)
    )
    if wrong:
        raise Rejected(
            'unit contradicts the kind',
            f'{unit_text!r} and {stripped(kind_text)!r}',
        )
    return unit, kind or told or ('dG' if is_energy(unit) else '')


def parse_relation(text: str) -> Relation:
    r"""Reads a relation; an empty text is :obj:`"="`.

    Args:
        text: What the table says, quotation marks around it are removed.

    Raises:
        Rejected: If it is none.
    """
    sign = _SIGNS.get(stripped(stripped(text).strip('\'"')))
    if sign is None:
        raise Rejected(
            'unknown relation',
            f'{text!r}; expected one of {list(get_args(Relation))}',
        )
    return sign


def measured(
    value_text: str,
    relation_text: str,
    unit: str,
    number_format: Format,
    temperature: float,
) -> tuple[float, Relation]:
    r"""The value and its relation on the scale of pK.

    Args:
        value_text: The cell of the value; a relation may be before it.
        relation_text: The cell of the relation, or an empty text.
        unit: The unit.
        number_format: How the number is written.
        temperature: In Kelvin.

    Raises:
        Rejected: If it is none, or none that has a logarithm.
    """
    match = _PREFIX.match(stripped(value_text))
    assert match is not None  # it matches any text
    relation = parse_relation(relation_text)
    if match[1]:
        sign = parse_relation(match[1])
        if stripped(relation_text) and sign != relation:
            raise Rejected(
                'two relations', f'{relation_text!r} and {value_text!r}'
            )
        relation = sign
    value = number_format.number(stripped(match[2]))
    if is_concentration(unit) and value <= 0:
        what = 'zero' if value == 0 else 'a negative number'
        hint = f". Is it one? unit='log10({unit})'" if value < 0 else ''
        raise Rejected(
            'not positive',
            f'{what} has no logarithm: {value_text.strip()!r}{hint}',
        )
    pvalue = to_pk(value, unit, temperature)
    if not LOWEST <= pvalue <= HIGHEST:
        raise Rejected(
            'out of range',
            f'{value_text.strip()} {unit} is a pK of {pvalue:g}, expected '
            f'{LOWEST:g} to {HIGHEST:g}: another unit or scale?',
        )
    return pvalue, turned(relation) if falls(unit) else relation


def turned(relation: Relation) -> Relation:
    r"""The relation of the negative value.

    Args:
        relation: The relation.
    """
    return _TURNED.get(relation, relation)
