"""What a comparison found, record by record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal['same', 'ours', 'theirs', 'not comparable', 'unexplained']
#: Every outcome, and what a table calls it.
OUTCOMES: dict[Outcome, str] = {
    'same': 'the same',
    'ours': 'ours is right',
    'theirs': 'theirs is right',
    'not comparable': 'not comparable',
    'unexplained': 'unexplained',
}


@dataclass(frozen=True)
class Finding:
    r"""One record (or residue), as read here and by another reader.

    Args:
        where: The file, and the record.
        outcome: Who is right.
        why: The same text for all that are alike.
    """

    where: str
    outcome: Outcome
    why: str = ''


@dataclass
class Section:
    r"""All files of one kind in one package.

    Args:
        package: The package.
        kind: The kind, e.g. :obj:`"SDF"`.
        reader: Which reader it is compared with.
        files: The number of files.
        seen: Records, or atoms of receptors, that were seen.
        kept: How many of them were kept.
        dropped: Those left out, by reason.
        flagged: Rows of reports about what was kept, by reason.
        refused: Files refused as a whole, by reason.
        findings: The comparison, record by record (of receptors, residue by
            residue).
    """

    package: str
    kind: str
    reader: str
    files: int = 0
    seen: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def count(self, outcome: Outcome) -> int:
        r"""How many findings have an outcome.

        Args:
            outcome: The outcome.
        """
        return sum(one.outcome == outcome for one in self.findings)

    def add(
        self, where: str, found: tuple[Outcome, str] | Iterable[Finding]
    ) -> None:
        r"""Adds a finding, or several.

        Args:
            where: The file and the record.
            found: Outcome and reason, or findings.
        """
        if isinstance(found, tuple):
            self.findings.append(Finding(where, *found))
        else:
            self.findings += found
