"""A record of a file of poses as text, before any chemistry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pyg_multipose.io.source.text_file import MAX_LINE, decoded

#: The longest record that is kept; a ligand takes some kilobytes.
MAX_RECORD = 1 << 24


@dataclass
class Record:
    r"""A record as the file has it, before any chemistry.

    Args:
        file: The file, as it was given.
        number: The number of the record in its file, from 1.
        title: The title from the raw text, without blanks around it.
        block: The lines that describe the molecule.
        items: The values of each data item; more than one if it is repeated.
        problem: Why it cannot be read, as (reason, detail).
        notes: What deserves a look, as (reason, detail).
        ligand_id: The id of its set, once it is known.

    Example:
        >>> from pyg_multipose.io import Record
        >>> record = Record('docked.sdf', 3, title='CPD-1')
        >>> record.add_item('my_score', '-7.5')
        >>> record.items
        {'my_score': ['-7.5']}
    """

    file: str
    number: int
    title: str = ''
    block: list[str] = field(default_factory=list)
    items: dict[str, list[str]] = field(default_factory=dict)
    problem: tuple[str, str] | None = None
    notes: list[tuple[str, str]] = field(default_factory=list)
    ligand_id: str = ''

    def add_item(self, name: str, value: str) -> None:
        r"""Adds the value of a data item.

        Args:
            name: Its name.
            value: Its value.
        """
        self.items.setdefault(name, []).append(value)


def clean_lines(record: Record, raw: Sequence[bytes]) -> list[str]:
    r"""Decodes the lines of a record; what was amiss goes to the record.

    Args:
        record: The record.
        raw: Its lines.
    """
    whole = b'\n'.join(raw)
    if raw and len(whole) <= MAX_LINE and b'\0' not in whole:
        text, is_utf8 = decoded(whole)
        if is_utf8 and '\ufeff' not in text:  # as nearly always
            return text.split('\n')
    lines = []
    size = 0
    all_utf8 = True
    for line in raw:
        size += len(line)
        if len(line) > MAX_LINE or size > MAX_RECORD:
            record.problem = ('too long', 'not a record of a ligand')
            break
        if b'\0' in line:
            record.problem = ('binary', 'NUL bytes within a line')
        text, is_utf8 = decoded(line)
        all_utf8 &= is_utf8
        # Where files were joined, a mark is in the middle.
        lines.append(text.removeprefix('\ufeff'))
    if not all_utf8:
        record.notes.append(('not UTF-8', 'read as Windows-1252'))
    return lines
