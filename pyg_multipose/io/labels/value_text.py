"""The cell of a value: a number, and what may stand beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyg_multipose.io.labels.units import parse_unit
from pyg_multipose.io.labels.values import SIGNS, is_known_kind
from pyg_multipose.io.source.table import stripped

_KIND = re.compile(rf'([-\u2212]?[^\W\d][\w ]*?)\s*(:|(?=[{SIGNS}]))', re.S)
_SIGN = re.compile(rf'[{SIGNS}]*')
_NUMBER_AND_UNIT = re.compile(
    r"([+\u2212-]?[\d.,][\d.,'\s]*(?:[eE][+-]?\d+)?)\s*(\D.*)", re.S | re.ASCII
)


@dataclass(frozen=True)
class ValueText:
    r"""What the cell of a value says, part by part, as texts.

    Args:
        number: The number, or whatever is there instead.
        sign: The relation before it.
        kind: The kind before that.
        unit: The unit behind the number.
    """

    number: str
    sign: str = ''
    kind: str = ''
    unit: str = ''

    @classmethod
    def parse(cls, text: str) -> ValueText:
        r"""Takes a cell apart; kinds and units are those that are known.

        Args:
            text: E.g., :obj:`"3.2"`, :obj:`"> 99"` or :obj:`"Ki=3.2nM"`.
        """
        rest, kind, unit = stripped(text), '', ''
        match = _KIND.match(rest)
        if match is not None and is_known_kind(match[1]):
            kind, rest = match[1], stripped(rest[match.end() :])
        sign = _SIGN.match(rest)[0]  # type: ignore[index]
        rest = stripped(rest[len(sign) :])
        match = _NUMBER_AND_UNIT.fullmatch(rest)
        if match is not None and parse_unit(match[2]) is not None:
            rest, unit = stripped(match[1]), stripped(match[2])
        return cls(rest, sign, kind, unit)
