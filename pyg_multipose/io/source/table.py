"""The rows of a CSV file as texts: no cell is taken for a number or a date."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

#: The micro sign, and the Greek letter that looks like it.
MICRO = str.maketrans({'\u00b5': 'u', '\u03bc': 'u'})

#: What to do about marks that quote nothing.
UNQUOTED = (
    'Pass quotechar=None if quotation marks are a part of the text (inches), '
    'as in most TSV.'
)
#: Where a line ends.
BREAK = re.compile('\r\n|\r|\n')
#: Blanks around a cell that str.strip does not remove.
_ZERO_WIDTH = '\u200b\u200c\u200d\u2060\ufeff'
_NO_TEXT = {
    b'PK\x03\x04': 'a spreadsheet or a zip file; export it as CSV',
    b'\xd0\xcf\x11\xe0': 'a spreadsheet; export it as CSV',
    b'\xff\xfe': "UTF-16; pass encoding='utf-16'",
    b'\xfe\xff': "UTF-16; pass encoding='utf-16'",
}


@dataclass(frozen=True)
class Table:
    r"""A table of texts.

    Args:
        file: How messages call it.
        header: The names of the columns, blanks around them removed.
        rows: Pairs of the number of a row (the header's is 1, as in a
            spreadsheet) and its cells as they are. Rows without any text are
            left out.
        delimiter: What separated the cells. (default: :obj:`","`)
        lines: The first and the last line of rows that have several.
            (default: none)
    """

    file: str
    header: list[str]
    rows: list[tuple[int, list[str]]]
    delimiter: str = ','
    lines: dict[int, tuple[int, int]] = field(default_factory=dict)

    def column(self, name: str) -> int | None:
        r"""The place of a column, or :obj:`None` if there is none.

        Args:
            name: Its name; the two micro signs are taken for one.

        Raises:
            ValueError: If there are two of that name.
        """
        key = stripped(name).translate(MICRO)
        places = [
            place
            for place, other in enumerate(self.header)
            if other.translate(MICRO) == key
        ]
        if len(places) > 1:
            raise ValueError(
                f"'{self.file}' has {len(places)} columns '{name}'; rename "
                f'all but one'
            )
        return places[0] if places else None


def stripped(text: str) -> str:
    r"""A text without blanks around it, those without width included.

    Args:
        text: The text.
    """
    before = None
    while text != before:
        before, text = text, text.strip().strip(_ZERO_WIDTH)
    return text


def read_table(
    path: Path,
    delimiter: str | None,
    encoding: str,
    quotechar: str | None = '"',
    of: str = 'labels',
) -> Table:
    r"""Reads a CSV file, plain or gzip.

    Args:
        path: The file.
        delimiter: What separates cells; if :obj:`None`, a tabulator in files
            whose name ends in .tsv or .tab, and else a comma.
        encoding: The encoding; a byte order mark may be there.
        quotechar: What quotes cells; if :obj:`None`, nothing does.
            (default: a quotation mark)
        of: What it is a table of, for messages. (default: :obj:`"labels"`)

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it cannot be decoded, is empty, if a quotation mark is
            missing, or if two of them have whole rows between them.
    """
    file = path.as_posix()
    if not path.exists():
        raise FileNotFoundError(
            f"'{file}' does not exist; expected a table of {of}"
        )
    if not path.is_file():
        raise ValueError(f"'{file}' is no file; expected a table of {of}")
    if delimiter is None:
        name = path.name.lower().removesuffix('.gz')
        delimiter = '\t' if name.endswith(('.tsv', '.tab')) else ','
    elif len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(
            f'The delimiter is one character, e.g. a semicolon, got '
            f'{delimiter!r}'
        )
    if quotechar is not None and (
        len(quotechar) != 1 or quotechar in f'{delimiter}\r\n'
    ):
        raise ValueError(
            f'quotechar is one character that is not the delimiter, or None, '
            f'got {quotechar!r}'
        )
    text = _decoded(_content(path, file), file, encoding)
    header: list[str] | None = None
    rows = []
    lines = {}
    for number, first, last, cells in _records(
        text, delimiter, quotechar, file
    ):
        if not any(stripped(cell) for cell in cells):
            continue
        if first < last:
            lines[number] = first, last
            _check_breaks(cells, header, delimiter, file, first, last)
        if header is None:
            header = [stripped(cell) for cell in cells]
        else:
            rows.append((number, cells))
    if header is None:
        raise ValueError(
            f"'{file}' is empty; expected a header and rows of {of}"
        )
    return Table(file, header, rows, delimiter, lines)


def _content(path: Path, file: str) -> bytes:
    content = path.read_bytes()
    if content.startswith(b'\x1f\x8b'):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(
                f"'{file}' is cut off or damaged: {error}. Get the whole "
                f'file again'
            ) from error
    return content


def _decoded(content: bytes, file: str, encoding: str) -> str:
    codec = encoding.lower().replace('_', '-')
    for mark, what in _NO_TEXT.items():
        if content.startswith(mark) and not codec.startswith('utf-16'):
            raise ValueError(f"'{file}' is {what}")
    if codec in ('utf-8', 'utf8'):
        codec = 'utf-8-sig'
    try:
        text = content.decode(codec)
    except LookupError as error:
        raise ValueError(f'Unknown encoding {encoding!r}') from error
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b'\n') + 1
        raise ValueError(
            f"'{file}', line {line}: the encoding is not {encoding}, byte "
            f"{content[error.start]:#04x}. Pass encoding='cp1252' if a "
            f'spreadsheet of Windows wrote it'
        ) from error
    if '\0' in text:
        raise ValueError(
            f"'{file}' holds NUL characters: it is binary, damaged or in "
            f'another encoding than {encoding}'
        )
    return text


def _records(
    text: str, delimiter: str, quotechar: str | None, file: str
) -> Iterator[tuple[int, int, int, list[str]]]:
    """The number of each row, its first and its last line, and its cells."""
    source = io.StringIO(text, newline='')
    reader = (
        csv.reader(source, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        if quotechar is None
        else csv.reader(
            source, delimiter=delimiter, quotechar=quotechar, strict=True
        )
    )
    number = line = 0
    try:
        for cells in reader:
            number += 1
            yield number, line + 1, reader.line_num, cells
            line = reader.line_num
    except csv.Error as error:
        raise ValueError(
            f"'{file}', row {number + 1} (line {line + 1}): {error}. Is a "
            f'quotation mark missing? {UNQUOTED}'
        ) from error


def _check_breaks(
    cells: list[str],
    header: list[str] | None,
    delimiter: str,
    file: str,
    first: int,
    last: int,
) -> None:
    """Refuses a cell that has whole rows in it.

    The lines between two marks that quote nothing have all delimiters of a
    row, and so have what is left of the first and of the last together.
    """
    for cell in cells:
        counts = [part.count(delimiter) for part in BREAK.split(cell)]
        if len(counts) == 1 or not any(counts):
            continue
        each = {counts[0] + counts[-1], *counts[1:-1]}
        if header is None or each == {len(header) - 1}:
            raise ValueError(
                f"'{file}', lines {first} to {last}: a quotation mark opens a "
                f'cell that has whole rows in it: {cell[:80]!r}. {UNQUOTED} '
                f'If it is one cell, take its line breaks out'
            )
