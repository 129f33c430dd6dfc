"""The rows of a CSV file as texts: no cell is taken for a number or a date."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: The micro sign, and the Greek letter that looks like it.
MICRO = str.maketrans({'\u00b5': 'u', '\u03bc': 'u'})

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
    """

    file: str
    header: list[str]
    rows: list[tuple[int, list[str]]]

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
    path: Path, delimiter: str | None, encoding: str, of: str = 'labels'
) -> Table:
    r"""Reads a CSV file, plain or gzip.

    Args:
        path: The file.
        delimiter: What separates cells; if :obj:`None`, a tabulator in files
            whose name ends in .tsv or .tab, and else a comma.
        encoding: The encoding; a byte order mark may be there.
        of: What it is a table of, for messages. (default: :obj:`"labels"`)

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it cannot be decoded, is empty, or a quotation mark is
            missing.
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
    text = _decoded(_content(path, file), file, encoding)
    header: list[str] | None = None
    rows = []
    for number, cells in _records(text, delimiter, file):
        if not any(stripped(cell) for cell in cells):
            continue
        if header is None:
            header = [stripped(cell) for cell in cells]
        else:
            rows.append((number, cells))
    if header is None:
        raise ValueError(
            f"'{file}' is empty; expected a header and rows of {of}"
        )
    return Table(file, header, rows)


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
    text: str, delimiter: str, file: str
) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(
        io.StringIO(text, newline=''), delimiter=delimiter, strict=True
    )
    number = 0
    try:
        for cells in reader:
            number += 1
            yield number, cells
    except csv.Error as error:
        raise ValueError(
            f"'{file}', row {number + 1} (line {reader.line_num}): {error}. "
            f'Is a quotation mark missing?'
        ) from error
