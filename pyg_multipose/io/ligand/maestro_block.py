"""The blocks of a Maestro file as texts, checked row by row.

A block is a list of names, ``:::``, as many values, and further blocks; one
with a number in brackets is a table, with an index before the values of each
row::

    f_m_ct {
      s_m_title
      :::
      "CPD 1"
      m_atom[1] {
        r_m_x_coord
        :::
        1 7.72
        :::
      }
    }

RDKit's parser gives up a whole file for one block that is damaged, so the
text is read here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pyg_multipose.io.molecule.atoms import whole_number
from pyg_multipose.io.report import Rejected

#: What stands for a value that is not known.
NO_VALUE = '<>'

# A text in quotation marks, a comment, or all up to the next blank.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|#[^#\n]*#?|\S+', re.DOTALL)
_NAME = re.compile(r'[birs]_\S+')
_BLOCK = re.compile(r'([A-Za-z][A-Za-z0-9]*_[^\s\[{]+)(?:\[(\d+)\])?')
#: What a value of a type looks like; a real one may be damaged by itself.
_TYPES = {
    'i': re.compile(r'[+-]?[0-9]+'),
    'b': re.compile(r'[01]'),
}
_ESCAPED = re.compile(r'\\(.)', re.DOTALL)


@dataclass(frozen=True)
class Table:
    r"""A table of a structure.

    Args:
        size: The number of its rows.
        columns: The texts of each column, by its name.
    """

    size: int
    columns: dict[str, list[str]]


@dataclass
class Structure:
    r"""A structure of a Maestro file, as far as it could be read.

    Args:
        values: Its values, by their names; those that are not known are left
            out.
        tables: Its tables, by their names.
        problem: Why it is not whole.
        rest: The words after its end.
    """

    values: dict[str, str] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    problem: Rejected | None = None
    rest: list[str] = field(default_factory=list)


def words_of(text: str) -> list[str]:
    r"""The words of a text: comments left out, quoted texts as they are.

    Args:
        text: The text.
    """
    return [word for word in _TOKEN.findall(text) if word[0] != '#']


def parse_structure(text: str, tables: tuple[str, ...]) -> Structure:
    r"""Reads a structure; what is wrong with it is told in it.

    Args:
        text: The text, from the name of the structure.
        tables: The names of the tables to read. All others are passed over,
            whatever is in them.
    """
    out = Structure()
    words = _Words(words_of(text))
    try:
        words.block()
        out.values = _values(words)
        while words.peek() != '}':
            name, size = words.block()
            if name not in tables:
                words.skip_block()
            elif size is None or name in out.tables:
                raise _incomplete(f'expected one table {name}[...]')
            else:
                out.tables[name] = _table(words, name, size)
        words.next()
        out.rest = words.words[words.at :]
    except Rejected as error:
        out.problem = error
    return out


def check_no_structure(words: list[str]) -> None:
    r"""Refuses words that are no blocks besides the structures of a file.

    Args:
        words: Those before the first structure, or between two of them.

    Raises:
        Rejected: If some are what is left of a structure.
    """
    others = _Words(words)
    while others.at < len(words):
        if others.peek() == '{':
            others.next()
        else:
            others.block()
        others.skip_block()


class _Words:
    """The words of a text, one after the other."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.at = 0

    def peek(self) -> str:
        if self.at >= len(self.words):
            raise _incomplete("it ends before its last '}'")
        return self.words[self.at]

    def next(self) -> str:
        word = self.peek()
        self.at += 1
        return word

    def expect(self, expected: str, where: str) -> None:
        word = self.next()
        if word != expected:
            raise _incomplete(
                f'{where}: expected {expected!r}, got {word[:30]!r}'
            )

    def block(self) -> tuple[str, int | None]:
        """The name and the size of the block that begins here."""
        word = self.next()
        match = _BLOCK.fullmatch(word.removesuffix('{'))
        if match is None:
            raise _incomplete(f'expected a block, got {word[:30]!r}')
        if not word.endswith('{'):
            self.expect('{', word[:30])
        if match[2] is None:
            return match[1], None
        size = whole_number(match[2])
        if size is None:
            raise _incomplete(f'{match[1]} with {match[2][:30]} rows')
        return match[1], size

    def skip_block(self) -> None:
        """Goes behind the end of the block that this place is in."""
        depth = 1
        while depth:
            word = self.next()
            if word == '}':
                depth -= 1
            elif word == '{' or (
                word.endswith('{') and _BLOCK.fullmatch(word[:-1])
            ):
                depth += 1


def _names(words: _Words) -> list[str]:
    names: list[str] = []
    while (word := words.next()) != ':::':
        if not _NAME.fullmatch(word):
            raise _incomplete(f'expected a name, got {word[:30]!r}')
        names.append(word)
    if len(set(names)) < len(names):
        raise _incomplete('a name is there twice')
    return names


def _values(words: _Words) -> dict[str, str]:
    names = _names(words)
    texts = [words.next() for _ in names]
    after = words.peek()
    if after != '}' and not _BLOCK.fullmatch(after.removesuffix('{')):
        raise _incomplete(
            f'{len(names)} values expected, then a block, got {after[:30]!r}'
        )
    out = {}
    for name, text in zip(names, texts, strict=True):
        if text == NO_VALUE:
            continue
        kind = _TYPES.get(name[0])
        if kind is not None and not kind.fullmatch(text):
            raise _incomplete(f'{name}: {text[:30]!r} is of another type')
        out[name] = _text(text)
    return out


def _table(words: _Words, name: str, size: int) -> Table:
    names = _names(words)
    width = len(names) + 1
    end = words.at + size * width
    cells = words.words[words.at : end]
    # Where a value is lost, all that follow it move up.
    for number, index in enumerate(cells[::width], start=1):
        if index != str(number):
            raise _incomplete(
                f'{name}[{size}], row {number}: expected its index, got '
                f'{index[:30]!r}'
            )
    words.at = end
    words.expect(':::', f'{name}[{size}], after {size} rows')
    words.expect('}', name)
    return Table(
        size,
        {
            column: [_text(text) for text in cells[place::width]]
            for place, column in enumerate(names, start=1)
        },
    )


def _text(word: str) -> str:
    if not word.startswith('"'):
        return word
    return _ESCAPED.sub(r'\1', word[1:].removesuffix('"'))


def _incomplete(detail: str) -> Rejected:
    return Rejected('incomplete Maestro block', detail)
