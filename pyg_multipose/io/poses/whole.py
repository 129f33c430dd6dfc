"""A part of a reading, and what all parts say together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyg_multipose.io.poses.contact import Contact
from pyg_multipose.io.poses.docked_poses import DockedPoses
from pyg_multipose.io.poses.findings import Findings
from pyg_multipose.io.poses.index import Index
from pyg_multipose.io.poses.overlap import OverlapSearch, report_overlaps
from pyg_multipose.io.report import Phase
from pyg_multipose.io.tally import Tally

if TYPE_CHECKING:
    from pyg_multipose.io.poses.reading import Reading


@dataclass
class Part:
    r"""What a part of the records says.

    Args:
        poses: Its pose sets.
        names: All ids of the part, also those without any pose.
        values: What a :class:`Whole` adds up, as plain data.
    """

    poses: DockedPoses
    names: list[str]
    values: dict[str, Any]


class Whole:
    r"""Adds up what parts say to what a reading of all would say.

    Args:
        reading: How they were read.
        index: Where their records are.
    """

    def __init__(self, reading: Reading, index: Index) -> None:
        self._reading, self._index = reading, index
        self.report = Tally()
        self.report.add(index.report)
        self._findings = Findings()
        self._contact = Contact()
        self._used: set[str] = set()
        self._gone: set[str] = set()
        self._search: OverlapSearch | None = None
        if reading.receptor is not None:
            self._search = reading._search(index.facts)

    def add(self, part: Mapping[str, Any], gone: Iterable[str]) -> None:
        r"""Adds a part; parts come in their order.

        Args:
            part: Its values.
            gone: Its ids without any pose.
        """
        self.report.add(part['report'], with_seen=False)
        self._findings.add(Findings.from_json(part['findings']))
        self._used.update(part['templates'])
        self._gone.update(gone)
        if self._search is not None:
            self._search.add_part(part['overlaps'])
            self._contact.add(*part['contact'].values())

    def close(self) -> list[str]:
        r"""Ends the report.

        Returns:
            What to warn of.
        """
        reading, index, report = self._reading, self._index, self.report
        reading.templates.used = set(self._used)
        texts = reading._settle(
            self._findings,
            index.facts,
            index.alike(self._gone),
            index.seen,
            report,
        )
        if self._search is not None:
            report.at = (Phase.OVERLAPS,)
            found = self._search.overlaps()
            texts += report_overlaps(reading.receptor, found, report)
            texts += self._contact.warnings(self._findings.poses)
        scores = reading._scores(index.facts)
        report.summary = reading._summary(self._findings, scores)
        report.check()
        return texts
