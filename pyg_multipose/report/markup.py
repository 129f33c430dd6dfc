"""HTML from texts, every one of them escaped."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any


class Markup(str):
    """Text that is HTML already."""


def escape(value: Any) -> Markup:
    r"""A text or number as HTML that shows it, whatever is in it.

    Args:
        value: Names of compounds, say, which may be anything. A
            :class:`Markup` is left as it is.
    """
    if isinstance(value, Markup):
        return value
    shown = ''.join(
        one
        if one.isprintable() or one in '\n\t'
        else '\N{REPLACEMENT CHARACTER}'
        for one in str(value)
    )
    return Markup(html.escape(shown))


def join(parts: Iterable[Any], by: str = '') -> Markup:
    r"""Parts one after the other, each escaped.

    Args:
        parts: Texts or :class:`Markup`.
        by: What is between them. (default: :obj:`""`)
    """
    return Markup(by.join(escape(part) for part in parts))


def tag(name: str, *inside: Any, **attributes: Any) -> Markup:
    r"""An element.

    Args:
        name: Its name.
        inside: What it holds, escaped.
        attributes: Its attributes; an underscore at the end is left out,
            others become hyphens. Those that are :obj:`None` are left out.
    """
    given = ''.join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f'<{name}{given}>{join(inside)}</{name}>')


def table(
    head: Sequence[Any],
    rows: Iterable[Sequence[Any]],
    texts: int = 1,
    marked: Iterable[int] = (),
) -> Markup:
    r"""A table in a box that scrolls where it is too wide.

    Args:
        head: The names of the columns.
        rows: The cells, row by row.
        texts: How many columns, from the left, are texts; others are numbers.
            (default: :obj:`1`)
        marked: The numbers of rows that are to stand out.
            (default: :obj:`()`)
    """

    def cells(kind: str, row: Sequence[Any]) -> Markup:
        return join(
            tag(kind, cell, class_=None if place < texts else 'number')
            for place, cell in enumerate(row)
        )

    strong = set(marked)
    body = join(
        tag('tr', cells('td', row), class_='marked' if n in strong else None)
        for n, row in enumerate(rows)
    )
    top = tag('thead', tag('tr', cells('th', head)))
    return tag(
        'div',
        tag('table', top, tag('tbody', body)),
        class_='scrolls',
        tabindex=0,
    )


def number(value: float, digits: int = 2) -> str:
    r"""A number as tables show it; empty if there is none.

    Args:
        value: The number.
        digits: Those after the point. (default: :obj:`2`)
    """
    if not math.isfinite(value):
        return '' if math.isnan(value) else str(value)
    return f'{value:.{digits}f}'.replace('-', '\N{MINUS SIGN}')


def counted(count: int, one: str, many: str = '') -> str:
    r"""A number with its noun.

    Args:
        count: The number.
        one: The noun.
        many: Its plural. (default: :obj:`""`, with an s)
    """
    return f'{count:,} {one if count == 1 else many or f"{one}s"}'.replace(
        ',', '\N{NARROW NO-BREAK SPACE}'
    )
