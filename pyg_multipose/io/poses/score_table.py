"""Scores in a table beside the poses."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING

from pyg_multipose.io.poses.score_readers import (
    FileName,
    found_in_name,
    item_of,
)
from pyg_multipose.io.report import Rejected, Report
from pyg_multipose.io.source.sources import stem_of
from pyg_multipose.io.source.table import Table, read_table, stripped

if TYPE_CHECKING:
    from pyg_multipose.io.ligand.record import Record
    from pyg_multipose.io.poses.compound import Compound

#: Rows without a pose that are reported one by one.
MAX_ROWS = 1000
_WHOLE = re.compile(r'0*([0-9]+)(\.0*)?')

#: A key: the text of each column that rows are matched by.
Key = tuple[str, ...]


@dataclass(frozen=True)
class ScoreTable:
    r"""Scores in a table beside the poses, a row for each pose.

    Rows without a pose and poses without a row are in the report. Where two
    rows have the same key, or a row is that of several poses, none of them
    gets a score.

    Args:
        path: A CSV file with a header, plain or :obj:`.gz`.
        column: The name of the column of scores.
        match: What each other column, by its name, is of a pose:
            :obj:`"ligand_id"` (the id of its set), :obj:`"title"`,
            :obj:`"file"` (its name, with or without folders and end),
            :obj:`"record"` (its number in its file, from 1), the name of a
            data item, a :class:`FileName`, or a function that takes a
            :class:`~pyg_multipose.io.Record` and returns a text.
        delimiter: What separates cells; if :obj:`None`, a tabulator in files
            whose name ends in .tsv or .tab, and else a comma.
            (default: :obj:`None`)
        encoding: The encoding. (default: :obj:`"utf-8"`)

    Example:
        >>> from pyg_multipose.io import FileName, Score, ScoreTable
        >>> table = ScoreTable(
        ...     'scores.csv',
        ...     'confidence',
        ...     match={'name': 'ligand_id', 'rank': FileName(r'rank_(\d+)')},
        ... )
        >>> Score('confidence', 'arbitrary', True, read=table).key
        'confidence'
    """

    path: str | os.PathLike[str]
    column: str
    match: Mapping[str, str | FileName | Callable[[Record], str]] = field(
        hash=False
    )
    delimiter: str | None = None
    encoding: str = 'utf-8'

    def __post_init__(self) -> None:
        if not isinstance(self.match, Mapping) or not self.match:
            raise ValueError(
                f'match says what columns are of a pose, e.g., '
                f"{{'name': 'ligand_id', 'rank': 'record'}}, got "
                f'{self.match!r}'
            )


def open_table(of: ScoreTable) -> OpenScoreTable:
    r"""Reads a table, for one reading of poses.

    Args:
        of: What is asked for.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is no table, or a column is absent.
    """
    table = read_table(Path(of.path), of.delimiter, of.encoding, of='scores')
    places = [_place(table, name) for name in (of.column, *of.match)]
    return OpenScoreTable(of, table, places[0], places[1:])


class OpenScoreTable:
    r"""A table that scores are taken from during one reading of poses.

    Args:
        of: What was asked for.
        table: The rows of the file.
        column: The place of the scores.
        keys: The places of the columns that rows are matched by.
    """

    def __init__(
        self, of: ScoreTable, table: Table, column: int, keys: list[int]
    ) -> None:
        self._of = of
        self._file = table.file
        self._names = list(of.match)
        self._values: dict[int, str] = {}
        self._rows: dict[Key, list[int]] = defaultdict(list)
        self._wide: list[tuple[int, str]] = []
        #: The records that each row was taken for.
        self._taken: dict[int, list[tuple[str, int]]] = defaultdict(list)
        rules = list(of.match.values())
        for number, cells in table.rows:
            if any(stripped(cell) for cell in cells[len(table.header) :]):
                self._wide.append((number, f'{cells[:10]}'))
                continue
            texts = [
                stripped(cells[place]) if place < len(cells) else ''
                for place in (column, *keys)
            ]
            self._values[number] = texts[0]
            key = tuple(
                _canonical(text, rule)
                for text, rule in zip(texts[1:], rules, strict=True)
            )
            self._rows[key].append(number)

    def __call__(self, record: Record) -> str:
        r"""The score of a record.

        Args:
            record: The record.

        Raises:
            Rejected: If no row is that of the record, or several are.
        """
        texts = [_texts(record, rule) for rule in self._of.match.values()]
        rows = sorted(
            {row for key in product(*texts) for row in self._rows.get(key, ())}
        )
        key = dict(zip(self._names, (text[0] for text in texts), strict=True))
        if not rows:
            raise Rejected(f'no row of {self._file!r} with {key}')
        for row in rows:
            self._taken[row].append((record.file, record.number))
        if len(rows) > 1:
            raise Rejected(f'rows {rows} of {self._file!r} have {key}')
        return self._values[rows[0]]

    def shared(self) -> dict[tuple[str, int], str]:
        r"""Why records with one row in common have no score."""
        return {
            record: (
                f'row {row} of {self._file!r} is that of {len(records)} '
                f'records, e.g., {records[:3]}; match by more columns'
            )
            for row, records in self._taken.items()
            if len(records) > 1
            for record in records
        }

    def report(self, report: Report) -> None:
        r"""Notes rows that are no score of a pose.

        Args:
            report: Where.
        """
        # By another score of the same table.
        known = {(row.file, row.record, row.reason) for row in report.flagged}

        def flag(number: int | None, reason: str, detail: str) -> None:
            if (self._file, number, reason) not in known:
                report.flag(self._file, number, '', reason, detail)

        for number, cells in self._wide:
            flag(number, 'more cells than columns', cells)
        unmatched = []
        for key, rows in self._rows.items():
            shown = str(dict(zip(self._names, key, strict=True)))
            if len(rows) > 1:
                for row in rows:
                    flag(row, 'several rows with one key', f'{shown}: {rows}')
            elif rows[0] not in self._taken:
                unmatched.append((rows[0], shown))
        for row, shown in unmatched[:MAX_ROWS]:
            flag(row, 'row without a pose', shown)
        if len(unmatched) > MAX_ROWS:
            left = f'{len(unmatched) - MAX_ROWS} more'
            flag(None, 'row without a pose', left)


def settle_tables(
    compounds: Iterable[Compound],
    tables: Mapping[str, OpenScoreTable],
    report: Report,
) -> None:
    r"""Takes back scores that are of several poses, and reports on tables.

    Args:
        compounds: The poses.
        tables: The tables, by the names of scores.
        report: Where to note what is no score.
    """
    for name, table in tables.items():
        shared = table.shared()
        for compound in compounds:
            for pose in compound.poses:
                why = shared.get((pose.file, pose.record))
                if why is not None:
                    pose.scores[name] = nan
                    pose.unread[name] = why
        table.report(report)


def _place(table: Table, name: str) -> int:
    place = table.column(name)
    if place is None:
        hint = '; pass delimiter=' if len(table.header) == 1 else ''
        raise ValueError(
            f"'{table.file}' has no column {name!r}; it has "
            f'{table.header}{hint}'
        )
    return place


def _canonical(text: str, rule: object) -> str:
    """A cell as the text of a record that it stands for."""
    if rule == 'file':
        return re.split(r'[/\\]', text)[-1]
    if rule == 'record' and (match := _WHOLE.fullmatch(text)):
        return match[1]
    return text


def _texts(
    record: Record, rule: str | FileName | Callable[[Record], str]
) -> list[str]:
    """What a cell may be; the first is for messages."""
    if isinstance(rule, FileName):
        found = set(found_in_name(rule, record))
        if len(found) > 1:
            raise Rejected(f'{rule.pattern!r} finds {sorted(found)}')
        return list(found)
    if callable(rule):
        return [str(rule(record)).strip()]
    if rule == 'file':
        name = Path(record.file).name
        short = name[:-3] if name.lower().endswith('.gz') else name
        return list(dict.fromkeys((name, short, stem_of(name))))
    texts = {
        'ligand_id': record.ligand_id,
        'title': record.title,
        'record': str(record.number),
    }
    text = texts[rule] if rule in texts else item_of(record, rule)
    return [text.strip()]
