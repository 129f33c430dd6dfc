"""What was left out, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyg_multipose.report.markup import join, table, tag
from pyg_multipose.report.sections.section import Section

#: The most letters of a report that a page repeats.
MOST = 60_000


@dataclass(frozen=True)
class LeftOut:
    r"""How many were left out, or deserve a look, for one reason.

    Args:
        step: What was read or joined.
        kind: :obj:`"dropped"` or :obj:`"flagged"`.
        count: How many.
        reason: Why.

    Example:
        >>> from pyg_multipose.report import LeftOut
        >>> text = '''Poses: 3 sets
        ... 9 records in 1 files: 8 kept, 1 dropped
        ...
        ... Dropped
        ...       1  no coordinates
        ... '''
        >>> LeftOut.parse(text)
        [LeftOut(step='Poses', kind='dropped', count=1, reason='no coor...')]
    """

    step: str
    kind: str
    count: int
    reason: str

    @classmethod
    def parse(cls, text: str) -> list[LeftOut]:
        r"""The counts of a printed report, such as :obj:`report.txt`.

        Args:
            text: Printed :class:`~pyg_multipose.io.Report`, one below the
                other, each with what it is of before the first colon.
        """
        out, step, kind, new = [], '', '', True
        for line in text.splitlines():
            if line in ('Dropped', 'Flagged'):
                kind = line.lower()
            elif found := re.fullmatch(r' *(\d+)  (\S.*)', line):
                if kind:
                    out.append(cls(step, kind, int(found[1]), found[2]))
            elif new and (found := re.match(r'([A-Z][\w ]*): ', line)):
                step, kind = found[1], ''
            elif line:
                kind = ''
            new = not line
        return out


def left_out(
    counts: list[LeftOut], text: str = '', sentences: tuple[str, ...] = ()
) -> Section:
    r"""A table of reasons, and the whole report.

    Args:
        counts: How many were left out for what reason.
        text: The report that they are from. (default: :obj:`""`)
        sentences: What else is to be said. (default: nothing)
    """
    parts = [tag('p', one) for one in sentences]
    if counts:
        rows = [(c.step, c.kind, c.reason, c.count) for c in counts]
        parts.append(table(['step', 'what', 'reason', 'count'], rows, texts=3))
        parts.append(
            tag(
                'p',
                'dropped: not in the data set. flagged: kept, but deserves a '
                'look.',
                class_='note',
            )
        )
    elif text:
        parts.append(tag('p', 'Nothing was dropped or flagged.'))
    if text:
        shown = text[:MOST]
        if len(text) > MOST:
            shown += f'\n... ({len(text) - MOST} more letters)'
        parts.append(
            tag(
                'details',
                tag('summary', 'The whole report'),
                tag('pre', shown),
            )
        )
    return Section('left-out', 'What was left out', join(parts))
