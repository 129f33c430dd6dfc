"""What a comparison found, record by record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal[
    'same', 'ours', 'theirs', 'not comparable', 'unexplained'
]
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
        unit: What is counted as seen: records, or atoms.
        compared: What is compared: records, or residues.
        reader: With whom.
    """

    package: str
    kind: str
    unit: str
    compared: str
    reader: str
    files: int = 0
    seen: int = 0
    kept: int = 0
    #: Records (of receptors: atoms) left out, by reason.
    dropped: Counter[str] = field(default_factory=Counter)
    #: Rows of the reports on what is kept, by reason.
    flagged: Counter[str] = field(default_factory=Counter)
    #: Files that were refused as a whole, by reason.
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
