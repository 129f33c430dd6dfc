"""Ids that are nearly the same: named, never taken for one."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

#: A ligand and a target.
Pair = tuple[str, str]


def likeness(pair: Pair) -> Pair:
    r"""Equal for ids that differ in case, blanks, signs or leading zeros.

    Args:
        pair: The ids of a ligand and of its target, which has to be the same.
    """
    plain = unicodedata.normalize('NFKC', pair[0]).casefold()
    words = re.findall(r'\d+|[^\W\d_]+', plain)
    return ' '.join(word.lstrip('0') or '0' for word in words), pair[1]


def by_likeness(pairs: Iterable[Pair]) -> dict[Pair, list[str]]:
    r"""The distinct ids of ligands by their likeness.

    Args:
        pairs: The ids of ligands and their targets.
    """
    out: dict[Pair, list[str]] = defaultdict(list)
    for pair in dict.fromkeys(pairs):
        out[likeness(pair)].append(pair[0])
    return dict(out)
