"""The lines of a text file: plain or gzip, whatever its line ends."""

from __future__ import annotations

import re
import stat
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Protocol

#: Bytes that are read, and at most decompressed, at a time.
CHUNK = 1 << 16
#: The longest line that is kept whole; no line of a pose is that long.
MAX_LINE = 1 << 20

_GZIP = b'\x1f\x8b'
# Also the CR CR LF of files that were converted twice. Bounded, since a run
# of CR alone is as many line ends.
_LINE_END = re.compile(rb'\r{0,2}\n|\r')
_MARKS = {
    b'\xef\xbb\xbf': '',
    b'\xff\xfe': 'UTF-16',
    b'\xfe\xff': 'UTF-16',
    b'BZh': 'bzip2',
    b'PK\x03\x04': 'zip',
    b'\xfd7zXZ\x00': 'xz',
}


class Lines(Protocol):
    r"""Lines of a file, and why its end is missing, known after the last."""

    @property
    def cut(self) -> str:
        r"""Why the end of the file is missing, or an empty text."""

    def __iter__(self) -> Iterator[bytes]: ...


class TextFile:
    r"""The lines of a file, as bytes without their ends.

    Of a gzip file all members are read; of one that is cut or damaged, all
    that comes before. Iterate once; :attr:`notes`, :attr:`cut` and
    :attr:`ended` are right afterwards.

    Args:
        path: The file.
        start: The byte to start at, as :attr:`place` gave it.
            (default: :obj:`0`)

    Raises:
        OSError: On iteration, if the file cannot be read.
    """

    def __init__(self, path: Path, start: int = 0) -> None:
        self._path = path
        self._start = start
        #: What is worth knowing about the file.
        self.notes: list[str] = []
        #: Why the end of the file is missing, or an empty text.
        self.cut = ''
        #: Whether the last line has a line end.
        self.ended = True
        #: Bytes read so far, for a progress bar.
        self.position = 0
        #: Where the next line is in the file, to start there another time;
        #: :obj:`None` in a compressed file, or if line ends are of two kinds.
        self.place: int | None = start

    def __iter__(self) -> Iterator[bytes]:
        if not stat.S_ISREG(self._path.stat().st_mode):
            # A pipe could make a reader wait for ever.
            raise OSError(f"'{self._path}' is not a regular file")
        with open(self._path, 'rb') as file:
            nul = False
            file.seek(self._start)
            for line in self._lines(self._content(file)):
                if b'\0' in line:
                    line, nul = line.strip(b'\0'), True
                yield line
            if nul:
                self.notes.append('NUL bytes at the ends of lines removed')

    def _lines(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        pending = held = b''
        for chunk in chain(chunks, [b'']):
            data = held + chunk
            # What a CR at the end is depends on what follows it.
            size = len(data)
            if chunk:
                size -= min(2, size - len(data.rstrip(b'\r')))
            text = data[:size] if size < len(data) else data
            held = data[size:]
            width = _width_of_ends(text)
            first, *others = (
                text.split(b'\n') if width == 1 else _LINE_END.split(text)
            )
            if len(pending) <= MAX_LINE:  # the rest would only take memory
                pending += first
            else:
                self.place = None
            if others:
                *lines, last = others
                for line in (pending, *lines):
                    if self.place is not None:
                        self.place += len(line) + width
                    if not width:
                        self.place = None
                    yield line
                pending = last
        self.ended = not pending
        if pending:
            yield pending

    def _content(self, file: BinaryIO) -> Iterator[bytes]:
        data = self._read(file)
        if self._start:  # what marks a kind of file is at its beginning
            yield from self._plain(file, data)
            return
        is_gzip = data.startswith(_GZIP)
        # .gz, or in one word: .sdfgz, .sdz.
        if data and is_gzip != self._path.suffix.lower().endswith('z'):
            kind = 'gzip' if is_gzip else 'not gzip'
            self.notes.append(f'{kind} in spite of its name')
        read = self._members if is_gzip else self._plain
        first = True
        for chunk in read(file, data):
            if first:
                mark = next((m for m in _MARKS if chunk.startswith(m)), b'')
                if _MARKS.get(mark):
                    self.cut = f'{_MARKS[mark]}, expected text in UTF-8'
                    return
                chunk, first = chunk[len(mark) :], False
                if is_gzip:
                    self.place = None
                elif self.place is not None:
                    self.place += len(mark)
            if chunk:
                yield chunk

    def _plain(self, file: BinaryIO, data: bytes) -> Iterator[bytes]:
        while data:
            yield data
            data = self._read(file)

    def _members(self, file: BinaryIO, data: bytes) -> Iterator[bytes]:
        decoder = zlib.decompressobj(wbits=31)
        while True:
            before = decoder.copy()
            try:
                content = decoder.decompress(data, CHUNK)
                data = decoder.unconsumed_tail
            except zlib.error as error:
                self.cut = f'gzip data are damaged: {error}'
                yield from _until_error(before, data)
                return
            if content:
                yield content
            if decoder.eof:
                data = decoder.unused_data
                while not data.lstrip(b'\0'):  # padding is allowed
                    data = self._read(file)
                    if not data:
                        return
                data = data.lstrip(b'\0')
                if len(data) < len(_GZIP):
                    data += self._read(file)
                if not data.startswith(_GZIP):
                    self.notes.append(
                        'bytes after the end of the gzip data were not read'
                    )
                    return
                decoder = zlib.decompressobj(wbits=31)
            elif not data:
                data = self._read(file)
                if not data and not content:
                    self.cut = 'gzip data end before their end'
                    return

    def _read(self, file: BinaryIO) -> bytes:
        data = file.read(CHUNK)
        self.position += len(data)
        return data


def _width_of_ends(data: bytes) -> int:
    """The length of line ends, 0 if there are several kinds."""
    if b'\r' not in data:
        return 1
    count = data.count(b'\r\n')
    return 2 * (count == data.count(b'\n') == data.count(b'\r'))


def _until_error(decoder: Any, data: bytes) -> Iterator[bytes]:
    """What comes out before an error, which a single call would lose."""
    try:
        for start in range(len(data)):
            yield decoder.decompress(data[start : start + 1])
    except zlib.error:
        return


def decoded(line: bytes) -> tuple[str, bool]:
    r"""A text, and whether it is UTF-8; if not, it is read as Windows-1252.

    Args:
        line: Its bytes.
    """
    try:
        return line.decode('utf-8'), True
    except UnicodeDecodeError:
        return line.decode('cp1252', errors='replace'), False
