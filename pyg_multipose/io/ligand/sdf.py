"""Records of an SDF file, cut at ``$$$$``, with their data items."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyg_multipose.io.ligand.format import Format
from pyg_multipose.io.ligand.ligand import Ligand
from pyg_multipose.io.ligand.mol_blocks import MolBlocks
from pyg_multipose.io.ligand.record import MAX_RECORD, Record, clean_lines
from pyg_multipose.io.molecule.molecule import Molecule
from pyg_multipose.io.source.text_file import MAX_LINE, TextFile

#: Lines that may come before the counts line, 3 by the format.
MAX_HEADER = 12

_COUNTS = re.compile(r'[ \d]{3}.*V[23]000\s*', re.IGNORECASE)
_OLD_COUNTS = re.compile(r'(?=.{0,5}\d)[ \d]{6}( |$).*')
_END = re.compile(r'M +END\s*')
# '> 12 <name> (3)'; a name may hold '<' and '>', a value may begin with '>'.
_ITEM = re.compile(r'>[^<]*<(?P<name>.*)>[^>]*')


class SDF(Format):
    r"""SDF, of one record or many."""

    name = 'sdf'
    suffixes = ('.sdf', '.sd', '.mol', '.mdl')
    starts_anywhere = True

    def __init__(self) -> None:
        self._mol_blocks = MolBlocks()

    def records(self, lines: TextFile, file: str) -> Iterator[Record]:
        r"""Cuts a file at the lines that start with ``$$$$``.

        Args:
            lines: The lines of the file.
            file: How the report calls it.
        """
        return sdf_records(lines, file)

    def ligand(self, record: Record, template: Molecule | None) -> Ligand:
        r"""The ligand of the mol block.

        Args:
            record: The record.
            template: The molecule that it is said to be, if that is known.
        """
        return self._mol_blocks.ligand(record.block, template)


def sdf_records(lines: TextFile, file: str) -> Iterator[Record]:
    r"""Cuts a file at the lines that start with ``$$$$``.

    Each piece is a record, whatever is in it; blank lines at the end of the
    file are none.

    Args:
        lines: The lines of the file.
        file: How the report calls it.

    Yields:
        One record after another.
    """
    number = 0
    raw: list[bytes] = []
    size = 0
    for line in lines:
        if line.startswith(b'$$$$'):
            number += 1
            record, _ = _record(file, number, raw)
            yield record
            raw, size = [], 0
            continue
        size += len(line) + 1
        if size <= MAX_RECORD + MAX_LINE:  # the rest would only take memory
            raw.append(line)
    if any(line.strip(b' \t') for line in raw):
        yield _last(file, number + 1, raw, lines)


def _record(
    file: str, number: int, raw: list[bytes]
) -> tuple[Record, str | None]:
    """A record, and the data item that nothing ends."""
    record = Record(file, number)
    lines = clean_lines(record, raw)
    counts = _counts_line(lines)
    if counts is None:
        record.title = lines[0].strip() if lines else ''
        record.problem = record.problem or (
            'no mol block',
            'expected a counts line that ends in V2000 or V3000'
            if any(line.strip() for line in lines)
            else 'the record is empty',
        )
        return record, None
    record.title = _title(record, lines, counts)
    end = next(
        (
            i
            for i in range(counts, len(lines))
            if lines[i][:1] == 'M' and _END.fullmatch(lines[i])
        ),
        None,
    )
    if end is None:
        record.problem = record.problem or (
            'incomplete mol block',
            "no 'M  END': the record was cut off or is damaged",
        )
        return record, None
    record.block = lines[counts : end + 1]
    return record, _read_items(record, lines[end + 1 :])


def _counts_line(lines: list[str]) -> int | None:
    for index, line in enumerate(lines[: MAX_HEADER + 1]):
        if _COUNTS.fullmatch(line):
            return index
    # Files older than V2000 do not say so.
    is_old = len(lines) > 3 and _OLD_COUNTS.fullmatch(lines[3])
    return 3 if is_old else None


def _title(record: Record, lines: list[str], counts: int) -> str:
    """The title; blank lines before it, or lost ones, shift the header."""
    extra = counts - 3
    if extra:
        record.notes.append(
            ('header', f'{counts} lines before the counts line instead of 3')
        )
    if extra < 0:
        # The line that is lost may have been an empty title.
        return ''
    blank = not any(line.strip() for line in lines[:extra])
    return lines[extra if blank else 0].strip()


def _read_items(record: Record, lines: list[str]) -> str | None:
    """Reads data items: a value ends at a blank line or at the next item.

    The name of the one that is still open is returned.
    """
    name: str | None = None
    value: list[str] = []

    def close() -> None:
        if name is not None:
            record.add_item(name, '\n'.join(value))

    for line in lines:
        item = _ITEM.fullmatch(line) if line.startswith('>') else None
        if item is not None:
            close()
            name, value = item['name'].strip(), []
        elif not line.strip():
            close()
            name = None
        elif name is not None:
            value.append(line)
        if _END.fullmatch(line) or (name is None and _COUNTS.fullmatch(line)):
            record.problem = record.problem or (
                'two mol blocks in one record',
                'a $$$$ is missing, so it cannot be told whose data items '
                'they are',
            )
    close()
    return name


def _last(file: str, number: int, raw: list[bytes], lines: TextFile) -> Record:
    """The last record, if no ``$$$$`` ends it.

    It is whole if its mol block is; a value whose line has no end may have
    lost some of it.
    """
    ended = lines.ended
    if raw[-1].strip() in (b'$', b'$$', b'$$$'):
        raw, ended = raw[:-1], True
    record, item = _record(file, number, raw)
    if lines.cut:
        record.problem = record.problem or ('cut off', lines.cut)
    why = 'the file ends without it'
    if item is not None and not ended:
        record.items[item].pop()
        if not record.items[item]:
            del record.items[item]
        why = f"the file ends within the data item '{item}', which is not read"
    if record.problem is None:
        record.notes.append(('no $$$$', why))
    return record
