"""What was read, what was left out, and why."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, Literal

#: Rows of one kind that the printed table shows.
SHOWN = 20


class Phase(IntEnum):
    r"""The order in which a reading of poses arrives at its rows."""

    FILES = 1
    SETS = 2
    SCORES = 3
    HINTS = 4
    IDS = 5
    ADVICE = 6
    OVERLAPS = 7
    CONTACT = 8


class Rejected(Exception):
    r"""Why a record cannot be kept; readers raise it, reports count it.

    Args:
        reason: A short text, the same for all records that fail alike.
        detail: What it was in this record, and what to do.
            (default: :obj:`""`)

    Example:
        >>> from pyg_multipose.io import Rejected
        >>> error = Rejected('no bonds', 'the format has none')
        >>> print(error)
        no bonds: the format has none
    """

    def __init__(self, reason: str, detail: str = '') -> None:
        super().__init__(f'{reason}: {detail}' if detail else reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Row:
    r"""One thing to know about a record or a file.

    Args:
        kind: :obj:`"dropped"` if it was left out, :obj:`"flagged"` if it was
            kept but deserves a look.
        file: The file (or folder), as it was given.
        record: The number of the record, from 1; :obj:`None` if the row is
            about the file as a whole.
        title: The title of the record, from the raw text.
        reason: A short text, the same for all that fail alike.
        detail: What it was here.

    Example:
        >>> from pyg_multipose.io import Row
        >>> row = Row('dropped', 'docked.sdf', 3, 'a', 'no coordinates')
        >>> print(row)
        docked.sdf, record 3 'a': no coordinates
    """

    kind: Literal['dropped', 'flagged']
    file: str
    record: int | None
    title: str
    reason: str
    detail: str = ''

    def __str__(self) -> str:
        where = self.file
        if self.record is not None:
            where += f', record {self.record}'
        if self.title:
            where += f" '{self.title}'"
        return f'{where}: {self.reason}' + (
            f' ({self.detail})' if self.detail else ''
        )


class Report:
    r"""Counts of records, and a row for all that was dropped or flagged.

    Records seen are records kept plus records dropped, file by file
    (:meth:`check`). Printed, it is a table; :meth:`to_json` gives it to
    other programs.

    Example:
        >>> import json
        >>> from pyg_multipose.io import Report
        >>> report = Report()
        >>> report.seen['docked.sdf'] = 2
        >>> report.kept['docked.sdf'] = 1
        >>> report.drop('docked.sdf', 2, 'a', 'no coordinates', 'all are zero')
        >>> report.flag('docked.sdf', 1, 'b', 'score is missing')
        >>> report.check()  # every record was either kept or dropped
        >>> report
        Report(seen=2, kept=1, dropped=1, flagged=1)
        >>> report.reasons()
        Counter({'no coordinates': 1})
        >>> report.to_dict()['rows'][0]['detail']
        'all are zero'
        >>> json.loads(report.to_json())['summary']
        ''
    """

    #: Where in a reading the next rows arise, which a tally of parts asks.
    at: tuple[int, ...] = ()

    def __init__(self) -> None:
        #: All rows, in the order in which they arose.
        self.rows: list[Row] = []
        #: Records of each file.
        self.seen: Counter[str] = Counter()
        #: Records of each file that became poses.
        self.kept: Counter[str] = Counter()
        #: What was read, for the first line of the table.
        self.summary = ''

    def drop(
        self,
        file: str,
        record: int | None,
        title: str,
        reason: str,
        detail: str = '',
    ) -> None:
        r"""Notes that a record, or a file, was left out.

        Args:
            file: As in :class:`Row`.
            record: As in :class:`Row`.
            title: As in :class:`Row`.
            reason: As in :class:`Row`.
            detail: As in :class:`Row`. (default: :obj:`""`)
        """
        self._add('dropped', file, record, title, reason, detail)

    def flag(
        self,
        file: str,
        record: int | None,
        title: str,
        reason: str,
        detail: str = '',
    ) -> None:
        r"""Notes something about what was kept; arguments as :meth:`drop`.

        Args:
            file: As in :class:`Row`.
            record: As in :class:`Row`.
            title: As in :class:`Row`.
            reason: As in :class:`Row`.
            detail: As in :class:`Row`. (default: :obj:`""`)
        """
        self._add('flagged', file, record, title, reason, detail)

    def _add(
        self,
        kind: Literal['dropped', 'flagged'],
        file: str,
        record: int | None,
        title: str,
        reason: str,
        detail: str,
    ) -> None:
        # Raw text may be anything, a binary file too.
        title, detail = _printable(title, 80), _printable(detail, 500)
        self._keep(Row(kind, file, record, title, reason, detail))

    def _keep(self, row: Row) -> None:
        self.rows.append(row)

    @property
    def dropped(self) -> list[Row]:
        r"""The rows of what was left out."""
        return [row for row in self.rows if row.kind == 'dropped']

    @property
    def flagged(self) -> list[Row]:
        r"""The rows of what was kept but deserves a look."""
        return [row for row in self.rows if row.kind == 'flagged']

    @property
    def num_seen(self) -> int:
        r"""The number of records in all files."""
        return self.seen.total()

    @property
    def num_kept(self) -> int:
        r"""The number of records that became poses."""
        return self.kept.total()

    @property
    def num_dropped(self) -> int:
        r"""The number of records that were left out."""
        return sum(row.record is not None for row in self.dropped)

    def reasons(self) -> Counter[str]:
        r"""How many records and files were dropped for each reason."""
        return Counter(row.reason for row in self.dropped)

    def check(self) -> None:
        r"""Checks that every record was either kept or dropped, once.

        Raises:
            RuntimeError: If not. It would be a fault of the reader, not of
                the input.
        """
        dropped: Counter[str] = Counter()
        numbers: set[tuple[str, int]] = set()
        for row in self.dropped:
            if row.record is not None:
                dropped[row.file] += 1
                numbers.add((row.file, row.record))
        for file in self.seen | self.kept | dropped:
            got = self.kept[file] + dropped[file]
            if self.seen[file] != got or dropped.total() != len(numbers):
                raise RuntimeError(
                    f'{file}: {self.seen[file]} records seen, but '
                    f'{self.kept[file]} kept and {dropped[file]} dropped; '
                    f'please report this as a fault of pyg_multipose'
                )

    def to_dict(self) -> dict[str, Any]:
        r"""The report as plain Python values."""
        return {
            'summary': self.summary,
            'seen': self.num_seen,
            'kept': self.num_kept,
            'dropped': self.num_dropped,
            'reasons': dict(self.reasons()),
            'files': {
                file: {'seen': seen, 'kept': self.kept[file]}
                for file, seen in self.seen.items()
            },
            'rows': [asdict(row) for row in self.rows],
        }

    def to_json(self) -> str:
        r"""The report as JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)

    def __str__(self) -> str:
        left_out = {row.file for row in self.dropped if row.record is None}
        return table(
            self.summary,
            (self.num_seen, len(self.seen), self.num_kept, self.num_dropped),
            len(left_out),
            {
                called: (Counter(row.reason for row in rows), rows)
                for called, rows in (
                    ('Dropped', self.dropped),
                    ('Flagged', self.flagged),
                )
            },
        )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(seen={self.num_seen}, '
            f'kept={self.num_kept}, dropped={self.num_dropped}, '
            f'flagged={len(self.flagged)})'
        )


def table(
    summary: str,
    counts: tuple[int, int, int, int],
    left_out: int,
    kinds: dict[str, tuple[Counter[str], list[Row]]],
) -> str:
    r"""A report as a text.

    Args:
        summary: Its first line, may be empty.
        counts: The numbers of records, of files, of records that were kept,
            and of those that were dropped.
        left_out: How many files were left out as a whole.
        kinds: Of what was dropped and flagged, how many rows there are for
            each reason, and the first rows.
    """
    seen, files, kept, dropped = counts
    head = f'{seen} records in {files} files: {kept} kept, {dropped} dropped'
    if left_out:
        head += f'; {left_out} files or folders left out'
    lines = [f'{summary}\n{head}' if summary else head]
    for called, (reasons, rows) in kinds.items():
        if reasons:
            lines += ['', called]
            lines += [
                f'{n:7d}  {reason}' for reason, n in reasons.most_common()
            ]
            lines += _table(rows[:SHOWN], reasons.total())
    return '\n'.join(lines)


def _printable(text: str, length: int) -> str:
    shown = text if len(text) <= length else f'{text[:length]}...'
    return ''.join(c if c.isprintable() else '?' for c in shown)


def _table(rows: list[Row], total: int) -> list[str]:
    cells = [('file', 'record', 'title', 'reason')]
    for row in rows:
        why = f'{row.reason}: {row.detail}' if row.detail else row.reason
        number = '' if row.record is None else str(row.record)
        cells.append((row.file, number, row.title, why))
    widths = [max(len(cell[i]) for cell in cells) for i in range(3)]
    out = [
        f'  {file:{widths[0]}}  {number:>{widths[1]}}  {title:{widths[2]}}  '
        f'{why}'
        for file, number, title, why in cells
    ]
    if total > len(rows):
        out.append(f'  ... and {total - len(rows)} more in report.rows')
    return out
