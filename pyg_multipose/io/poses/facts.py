"""What is decided over a whole file, or all files, by the text of records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class FileFacts:
    r"""What records of a file, as texts, say of each other.

    Args:
        seen: How many records there are. (default: :obj:`0`)
        named: How many of them have an id. (default: :obj:`0`)
        scored: How many of these have a score. (default: :obj:`0`)
        first: The id of the first record. (default: :obj:`None`)
        like_first: How many records have that id. (default: :obj:`0`)
    """

    seen: int = 0
    named: int = 0
    scored: int = 0
    first: str | None = None
    like_first: int = 0

    def add(self, number: int, name: str, has_score: bool) -> None:
        r"""Counts a record with an id.

        Args:
            number: Its number in its file.
            name: Its id.
            has_score: Whether it has a score.
        """
        self.named += 1
        self.scored += has_score
        if number == 1:
            self.first = name
        self.like_first += name == self.first

    @property
    def usually_scored(self) -> bool:
        r"""Whether a record without a score is an exception."""
        return 0 < self.scored and self.named <= 2 * self.scored


@dataclass
class Facts:
    r"""What records of all files, as texts, say together.

    No chemistry is needed for it, so it is known before any record is read,
    and is the same for a part of the records and for all of them.

    Args:
        met: The scores that any record with an id has.
        items: The first text of each data item, for advice.
        stems: Names of files, for advice.
        moved: The atoms of the receptor that are elsewhere in any pose;
            :obj:`None` if no pose has moved atoms. (default: :obj:`None`)
        num_ids: How many ids there are. (default: :obj:`0`)
    """

    met: dict[str, None] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    stems: list[str] = field(default_factory=list)
    moved: set[int] | None = None
    num_ids: int = 0

    def to_json(self) -> dict[str, Any]:
        r"""The facts as plain values."""
        moved = None if self.moved is None else sorted(self.moved)
        return {**vars(self), 'met': list(self.met), 'moved': moved}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Facts:
        r"""The facts from plain values.

        Args:
            values: As :meth:`to_json` gave them.
        """
        moved = values['moved']
        return cls(
            **{
                **values,
                'met': dict.fromkeys(values['met']),
                'moved': None if moved is None else set(moved),
            }
        )
