"""Numbers that are no data item of their own, for ``Score(read=...)``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyg_multipose.io.report import Rejected
from pyg_multipose.io.source.sources import stem_of

if TYPE_CHECKING:
    from pyg_multipose.io.ligand.record import Record

#: Keys of a JSON text that a message names.
_SHOWN = 20
# What goes on after it, as in 7,4 or 1.2.3 or 0x10, is not this number.
_NUMBER = (
    r'([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)'
    r'(?![0-9_xX]|[.,][0-9])'
)


@dataclass(frozen=True, init=False)
class JSONValue:
    r"""A number in a data item that is a JSON text, as Meeko writes them.

    Args:
        item: The name of the data item.
        path: The keys that lead to the number, and places in lists, from 0.

    Example:
        >>> from pyg_multipose.io import JSONValue, Record, Score
        >>> record = Record('docked.sdf', 1)
        >>> record.add_item('meeko', '{"free_energy": -6.2, "cluster_id": 1}')
        >>> JSONValue('meeko', 'free_energy')(record)
        -6.2
        >>> score = Score(
        ...     'free_energy',
        ...     unit='kcal/mol',
        ...     higher_is_better=False,
        ...     read=JSONValue('meeko', 'free_energy'),
        ... )
    """

    item: str
    path: tuple[str | int, ...]

    def __init__(self, item: str, *path: str | int) -> None:
        if not path:
            raise ValueError(
                f'JSONValue({item!r}) needs the keys that lead to the number, '
                f"e.g., JSONValue({item!r}, 'free_energy')"
            )
        object.__setattr__(self, 'item', item)
        object.__setattr__(self, 'path', path)

    def __call__(self, record: Record) -> Any:
        r"""The value in the item of a record.

        Args:
            record: The record.

        Raises:
            Rejected: If there is none.
        """
        value = parse_json(item_of(record, self.item))
        where = f'the JSON of {self.item!r}'
        for key in self.path:
            has = 'no keys'
            if isinstance(value, dict):
                has = f'the keys {list(value)[:_SHOWN]}'
            elif isinstance(value, list):
                has = f'{len(value)} places'
            try:
                value = None if has == 'no keys' else value[key]
            except (LookupError, TypeError):
                value = None
            if value is None:
                raise Rejected(f'no {key!r} in {where}, which has {has}')
            where += f'[{key!r}]'
        return value


@dataclass(frozen=True)
class TextNumber:
    r"""A number within the text of a data item.

    Args:
        item: The name of the data item.
        after: What stands before it; blanks, a colon or an equals sign may
            be between. If empty, the text begins with the number.
            (default: :obj:`""`)

    Example:
        >>> from pyg_multipose.io import Record, TextNumber
        >>> record = Record('docked.sdf', 1)
        >>> record.add_item('log', 'affinity: -7.5 kcal/mol, rmsd: 1.2')
        >>> TextNumber('log', after='affinity')(record)
        ['-7.5']
    """

    item: str
    after: str = ''

    def __call__(self, record: Record) -> list[str]:
        r"""The numbers in the item of a record: one, or the same again.

        Args:
            record: The record.

        Raises:
            Rejected: If there is none.
        """
        text = item_of(record, self.item)
        start = r'\A\s*'
        if self.after:
            word = r'(?<!\w)' if re.match(r'\w', self.after) else ''
            start = f'{word}{re.escape(self.after)}\\s*(?:[:=]\\s*)?'
        found = [match[1] for match in re.finditer(start + _NUMBER, text)]
        if not found:
            after = f' after {self.after!r}' if self.after else ''
            raise Rejected(
                f'no number{after} in the data item {self.item!r}, '
                f'{_shortened(text)}'
            )
        return found


@dataclass(frozen=True)
class FileName:
    r"""A number in the name of the file of a pose.

    A name is of one pose: of a file with more records, the first one has it.

    Args:
        pattern: A regular expression that is searched in the name, without
            its folders and its end; the number is its first group.

    Example:
        >>> from pyg_multipose.io import FileName, Record
        >>> record = Record('run/CPD-1_rank_2_confidence_168.61.sdf', 1)
        >>> FileName(r'confidence_([-+.\d]+)')(record)
        ['168.61']
    """

    pattern: str

    def __post_init__(self) -> None:
        if re.compile(self.pattern).groups < 1:
            raise ValueError(
                f'FileName({self.pattern!r}) needs a group, in brackets, '
                rf"around the number, e.g., FileName(r'score_([-.\d]+)')"
            )

    def __call__(self, record: Record) -> list[str]:
        r"""The number in the name of the file of a record.

        Args:
            record: The record.

        Raises:
            Rejected: If there is none.
        """
        if record.number > 1:
            raise Rejected(
                'the name of a file is of one pose, and this is record '
                f'{record.number}'
            )
        return found_in_name(self, record)


def found_in_name(read: FileName, record: Record) -> list[str]:
    r"""What a pattern finds, whatever record of its file it is.

    Args:
        read: The pattern.
        record: The record.

    Raises:
        Rejected: If it is not found.
    """
    name = stem_of(record.file)
    found = [match[1] for match in re.finditer(read.pattern, name)]
    found = [text for text in found if text]
    if not found:
        raise Rejected(f'{read.pattern!r} is not in the name {name!r}')
    return found


def item_of(record: Record, name: str) -> str:
    r"""The text of a data item; one that is repeated has to be the same.

    Args:
        record: The record.
        name: The name of the item.

    Raises:
        Rejected: If there is none, or several.
    """
    values = record.items.get(name)
    if not values:
        raise Rejected(
            f'no data item {name!r}, it has {sorted(record.items)[:_SHOWN]}'
        )
    if len(set(values)) > 1:
        raise Rejected(f'the data item {name!r} is given several times')
    return values[0]


def parse_json(text: str) -> Any:
    r"""Reads a JSON text.

    Args:
        text: The text.

    Raises:
        Rejected: If it is none, or gives a key two values.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise Rejected(f'no JSON, {error}: {_shortened(text)}') from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    for key, value in pairs if len(out) < len(pairs) else ():
        if out[key] != value:
            raise ValueError(f'{key!r} is given several times')
    return out


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else f'{text[:60]}...')
