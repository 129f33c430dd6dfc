"""A report of any number of records: counts, and the first rows."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from dataclasses import astuple, dataclass, field
from operator import itemgetter
from typing import Any

from pyg_multipose.io.report import SHOWN, Report, Row, table

#: Where a row arose: rows are in this order, whoever found them.
Place = tuple[int, ...]
_KINDS = {'dropped': 'Dropped', 'flagged': 'Flagged'}


@dataclass
class _Kind:
    """What was dropped, or what was flagged."""

    records: int = 0
    #: How many rows there are for each reason, and where the first one is.
    reasons: dict[str, tuple[int, Place]] = field(default_factory=dict)
    first: list[tuple[Place, Row]] = field(default_factory=list)

    def count(self, reason: str, number: int, place: Place) -> None:
        known, first = self.reasons.get(reason, (0, place))
        self.reasons[reason] = known + number, min(first, place)

    def show(self, place: Place, row: Row) -> None:
        insort(self.first, (place, row), key=itemgetter(0))
        del self.first[SHOWN:]


class Tally(Report):
    r"""A report that keeps no more rows than are shown.

    Those of the parts of an input make that of the whole, which reads as if
    all had been read at once: rows have a place, :attr:`at`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kinds = {kind: _Kind() for kind in _KINDS}
        self._left_out: set[str] = set()
        self._num_left_out = 0
        self._others = Counter[str]()
        #: How many files were read.
        self.num_files = 0
        #: How many records of each file were dropped for each reason, and
        #: where the first one is.
        self.lost: dict[str, dict[str, tuple[int, Place]]] = {}

    def _keep(self, row: Row) -> None:
        kind = self._kinds[row.kind]
        kind.count(row.reason, 1, self.at)
        kind.show(self.at, row)
        if row.record is not None:
            kind.records += 1
            if row.kind == 'dropped':
                self._lose(row.file, row.reason, 1, self.at)
        elif row.kind == 'dropped':
            self._left_out.add(row.file)

    def _lose(self, file: str, reason: str, number: int, place: Place) -> None:
        of_file = self.lost.setdefault(file, {})
        known, first = of_file.get(reason, (0, place))
        of_file[reason] = known + number, min(first, place)

    def count_flags(self, reason: str, number: int) -> None:
        r"""Counts rows that are flagged, and that nobody will see.

        Args:
            reason: As in :class:`~pyg_multipose.io.Row`.
            number: How many.
        """
        self._kinds['flagged'].count(reason, number, self.at)

    @property
    def num_seen(self) -> int:
        r"""The number of records in all files."""
        return super().num_seen + self._others['seen']

    @property
    def num_kept(self) -> int:
        r"""The number of records that became poses."""
        return super().num_kept + self._others['kept']

    @property
    def num_dropped(self) -> int:
        r"""The number of records that were left out."""
        return self._kinds['dropped'].records

    def reasons(self, kind: str = 'dropped') -> Counter[str]:
        r"""How many rows there are for each reason.

        Args:
            kind: :obj:`"dropped"` or :obj:`"flagged"`.
                (default: :obj:`"dropped"`)
        """
        of_kind = self._kinds[kind].reasons
        # Where counts are equal, what arose first is first.
        first = sorted(of_kind, key=lambda reason: of_kind[reason][1])
        return Counter({reason: of_kind[reason][0] for reason in first})

    def check(self) -> None:
        r"""Checks that every record was either kept or dropped.

        Raises:
            RuntimeError: If not. It would be a fault of the reader.
        """
        got = self.num_kept + self.num_dropped
        if got != self.num_seen:
            raise RuntimeError(
                f'{self.num_seen} records seen, but {self.num_kept} kept and '
                f'{self.num_dropped} dropped; please report this as a fault '
                f'of pyg_multipose'
            )

    # Parts ###################################################################

    def add(self, part: dict[str, Any], with_seen: bool = True) -> None:
        r"""Adds what another tally has counted.

        Args:
            part: What its :meth:`to_part` returned.
            with_seen: Whether its records are others than those that were
                seen here. (default: :obj:`True`)
        """
        if with_seen:
            self._others['seen'] += part['seen']
            self.num_files += part['files']
        self._others['kept'] += part['kept']
        self._num_left_out += part['left_out']
        for file, reasons in part['lost'].items():
            for reason, (number, place) in reasons.items():
                self._lose(file, reason, number, tuple(place))
        for name, of_kind in part['kinds'].items():
            kind = self._kinds[name]
            kind.records += of_kind['records']
            for reason, (number, place) in of_kind['reasons'].items():
                kind.count(reason, number, tuple(place))
            for place, row in of_kind['first']:
                kind.show(tuple(place), Row(*row))

    def to_part(self) -> dict[str, Any]:
        r"""What was counted, as plain values."""
        return {
            'seen': self.num_seen,
            'files': self.num_files,
            'kept': self.num_kept,
            'left_out': len(self._left_out) + self._num_left_out,
            'lost': self.lost,
            'kinds': {
                name: {
                    'records': kind.records,
                    'reasons': kind.reasons,
                    'first': [[p, astuple(row)] for p, row in kind.first],
                }
                for name, kind in self._kinds.items()
            },
        }

    def __str__(self) -> str:
        return table(
            self.summary,
            (self.num_seen, self.num_files, self.num_kept, self.num_dropped),
            len(self._left_out) + self._num_left_out,
            {
                called: (
                    self.reasons(kind),
                    [row for _, row in self._kinds[kind].first],
                )
                for kind, called in _KINDS.items()
            },
        )
