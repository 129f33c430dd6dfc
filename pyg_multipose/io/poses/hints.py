"""Where numbers are that nobody has read: advice for the report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from pyg_multipose.io.poses.score_readers import parse_json
from pyg_multipose.io.poses.scores import value_of
from pyg_multipose.io.report import Rejected

#: Names that a message lists.
_SHOWN = 20
#: Letters of a text that are searched for a number.
_SEARCHED = 500
_SCORE = 'Score(..., unit=..., higher_is_better=...'
# A word and a number with decimals: confidence_168.61, score-7.2.
_NAMED = re.compile(r'([A-Za-z]+)([_=]?)[+-]?[0-9]+\.[0-9]+')
_NUMBER = r'([+-]?[0-9.]+)'
_IN_TEXT = re.compile(r'([A-Za-z][\w ]*?)\s*[:=]?\s+[+-]?[0-9]+\.[0-9]+')


def hints(
    items: Mapping[str, str], stems: Sequence[str], plain: bool
) -> list[str]:
    r"""How to read what may be scores, a line for each place.

    Args:
        items: A text of each data item.
        stems: Names of files, without their ends.
        plain: Whether to name the data items that are read by their names.
    """
    out = []
    others = []
    for name, text in items.items():
        is_number = not value_of([text])[1]
        keys = _numbers_of(text)
        if is_number:
            others.append(name)
        elif keys:
            out.append(
                f'the data item {name!r} is a JSON text with the numbers '
                f'{keys[:_SHOWN]}; pass scores=[{_SCORE}, '
                f'read=JSONValue({name!r}, {keys[0]!r}))]'
            )
        elif match := _IN_TEXT.search(text[:_SEARCHED]):
            out.append(
                f'the data item {name!r} is a text with numbers; pass '
                f'scores=[{_SCORE}, read=TextNumber({name!r}, '
                f'after={match[1]!r}))]'
            )
    if plain and others:
        out.insert(
            0,
            f'pass scores=[Score(...)] to read one of the data items '
            f'{sorted(others)}',
        )
    counts = Counter(
        f'{word}{sign}'
        for stem in stems
        for word, sign in set(_NAMED.findall(stem))
    )
    for word, count in counts.most_common(2):
        if 2 * count > len(stems):
            pattern = f'{word}{_NUMBER}'
            example = next(stem for stem in stems if word in stem)
            out.append(
                f'names of files have numbers, e.g., {example!r}; pass '
                f'scores=[{_SCORE}, read=FileName({pattern!r}))]'
            )
    return out


def _numbers_of(text: str) -> list[str]:
    """The keys of the numbers in a JSON text; none if it is no JSON."""
    if not text.lstrip().startswith('{'):
        return []
    try:
        values = parse_json(text)
    except Rejected:
        return []
    return [
        key for key, value in values.items() if type(value) in (int, float)
    ]
