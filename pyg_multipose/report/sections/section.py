"""A section of the page."""

from __future__ import annotations

from dataclasses import dataclass

from pyg_multipose.report.markup import Markup, tag


@dataclass(frozen=True)
class Section:
    r"""A part of the page with a title that links lead to.

    Args:
        key: The name in links.
        title: Its title.
        body: What it holds.
    """

    key: str
    title: str
    body: Markup

    def html(self) -> Markup:
        r"""The section as HTML."""
        return tag('section', tag('h2', self.title), self.body, id=self.key)

    def link(self) -> Markup:
        r"""A link to it."""
        return tag('a', self.title, href=f'#{self.key}')
