"""Charts as inline SVG, in the colours of the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyg_multipose.report.markup import Markup, escape, join, tag

Numbers = Sequence[float] | np.ndarray

#: Width and height, in units of the view; a phone shows about as many pixels.
WIDTH, HEIGHT = 360, 280
#: What is kept free for ticks and labels: left, right, top, bottom.
MARGINS = (60, 12, 10, 42)


@dataclass
class Axis:
    r"""The range of an axis, its label and its ticks.

    Args:
        label: What it shows, with the unit.
        low: Where it begins.
        high: Where it ends.
        ticks: Places and texts. (default: :obj:`None`, round numbers)
        whole: Whether only whole numbers are ticks. (default: :obj:`False`)
    """

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]] | None = None
    whole: bool = False

    @classmethod
    def around(
        cls,
        label: str,
        *values: Iterable[Any],
        margin: float = 0.05,
        whole: bool = False,
    ) -> Axis:
        r"""An axis that holds all values that are finite.

        Args:
            label: As above.
            values: What it has to hold.
            margin: The share of its length that is free at both ends.
                (default: :obj:`0.05`)
            whole: As above. (default: :obj:`False`)
        """
        found = [float(v) for part in values for v in part if math.isfinite(v)]
        low, high = min(found, default=0.0), max(found, default=1.0)
        room = (high - low) * margin or abs(high) * margin or 0.5
        return cls(label, low - room, high + room, whole=whole)

    def marks(self, most: int = 6) -> list[tuple[float, str]]:
        r"""Where ticks are, and their texts.

        Args:
            most: About how many there may be. (default: :obj:`6`)
        """
        if self.ticks is not None:
            return list(self.ticks)
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = power * next(s for s in (1, 2, 5, 10) if s * power >= rough)
        if self.whole:
            step = max(1.0, round(step))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return [
            (k * step, f'{k * step:.{digits}f}'.replace('-', '\u2212'))
            for k in range(first, last + 1)
        ]


@dataclass
class Chart:
    r"""A picture that is drawn part by part; later parts lie above.

    Args:
        x: The horizontal axis.
        y: The vertical axis.
        about: What it shows, for those who cannot see it.
        height: Its height. (default: :obj:`280`)
        left: Room for the ticks of the vertical axis. (default: :obj:`60`)
    """

    x: Axis
    y: Axis
    about: str
    height: int = HEIGHT
    left: int = MARGINS[0]
    parts: list[str] = field(default_factory=list, init=False)
    legend: list[tuple[str, str]] = field(default_factory=list, init=False)

    def line(
        self,
        xs: Numbers,
        ys: Numbers,
        style: str,
        label: str = '',
    ) -> None:
        r"""A line, broken where a value is not finite.

        Args:
            xs: Horizontal places.
            ys: Vertical places.
            style: Its class in the style sheet.
            label: Its name in the legend. (default: :obj:`""`, none)
        """
        path, pen = '', 'M'
        for x, y in zip(xs, ys, strict=True):
            if math.isfinite(x) and math.isfinite(y):
                path += f'{pen}{self._x(x):.1f} {self._y(y):.1f}'
                pen = 'L'
            else:
                pen = 'M'
        if path:
            self.parts.append(f'<path class="line {style}" d="{path}"/>')
        self._name(f'line {style}', label)

    def band(
        self,
        xs: Numbers,
        low: Numbers,
        high: Numbers,
        style: str,
        label: str = '',
    ) -> None:
        r"""The area between two lines.

        Args:
            xs: Horizontal places.
            low: The lower line.
            high: The upper one.
            style: As in :meth:`line`.
            label: As in :meth:`line`. (default: :obj:`""`)
        """
        there = list(zip(xs, low, strict=True))
        back = list(zip(xs, high, strict=True))[::-1]
        path = 'L'.join(
            f'{self._x(x):.1f} {self._y(y):.1f}' for x, y in there + back
        )
        self.parts.append(f'<path class="band {style}" d="M{path}Z"/>')
        self._name(f'band {style}', label)

    def points(
        self,
        xs: Numbers,
        ys: Numbers,
        style: str,
        tips: Sequence[str] | None = None,
        label: str = '',
    ) -> None:
        r"""Points that say what they are.

        Args:
            xs: Horizontal places.
            ys: Vertical places.
            style: As in :meth:`line`.
            tips: What is shown over each. (default: :obj:`None`)
            label: As in :meth:`line`. (default: :obj:`""`)
        """
        for number, (x, y) in enumerate(zip(xs, ys, strict=True)):
            if not (math.isfinite(x) and math.isfinite(y)):
                continue
            tip = '' if tips is None else f' data-tip="{escape(tips[number])}"'
            self.parts.append(
                f'<circle class="point {style}" cx="{self._x(x):.1f}" '
                f'cy="{self._y(y):.1f}" r="3.4"{tip}/>'
            )
        self._name(f'point {style}', label)

    def spans(
        self,
        xs: Numbers,
        low: Numbers,
        high: Numbers,
        style: str,
        label: str = '',
    ) -> None:
        r"""Vertical lines, such as intervals.

        Args:
            xs: Horizontal places.
            low: The lower ends.
            high: The upper ends.
            style: As in :meth:`line`.
            label: As in :meth:`line`. (default: :obj:`""`)
        """
        for x, bottom, top in zip(xs, low, high, strict=True):
            self._segment(x, bottom, x, top, style)
        self._name(f'span {style}', label)

    def rows(
        self,
        ys: Numbers,
        low: Numbers,
        high: Numbers,
        style: str,
    ) -> None:
        r"""Horizontal lines.

        Args:
            ys: Vertical places.
            low: The left ends.
            high: The right ends.
            style: As in :meth:`line`.
        """
        for y, left, right in zip(ys, low, high, strict=True):
            self._segment(left, y, right, y, style)

    def bars(
        self,
        edges: Numbers,
        heights: Numbers,
        style: str,
        tips: Sequence[str],
    ) -> None:
        r"""Bars from zero, side by side.

        Args:
            edges: Where they begin and end, one more than there are bars.
            heights: How high they are.
            style: As in :meth:`line`.
            tips: What is shown over each.
        """
        ends = zip(edges[:-1], edges[1:], heights, tips, strict=True)
        for left, right, height, tip in ends:
            x, top = self._x(left) + 0.5, self._y(height)
            wide = max(self._x(right) - self._x(left) - 1, 1)
            self.parts.append(
                f'<rect class="bar {style}" x="{x:.1f}" y="{top:.1f}" '
                f'width="{wide:.1f}" height="{self._y(0) - top:.1f}" '
                f'data-tip="{escape(tip)}"/>'
            )

    def svg(self) -> Markup:
        r"""The picture with its axes."""
        left, right = self.left, WIDTH - MARGINS[1]
        top, bottom = MARGINS[2], self.height - MARGINS[3]
        grid = []
        for place, text in self.x.marks():
            x = f'{self._x(place):.1f}'
            grid.append(
                f'<path class="grid" d="M{x} {top}V{bottom}"/>'
                f'<text class="tick" x="{x}" y="{bottom + 15}" '
                f'text-anchor="middle">{escape(text)}</text>'
            )
        for place, text in self.y.marks():
            y = self._y(place)
            grid.append(
                f'<path class="grid" d="M{left} {y:.1f}H{right}"/>'
                f'<text class="tick" x="{left - 6}" y="{y + 4:.1f}" '
                f'text-anchor="end">{escape(text)}</text>'
            )
        middle = (top + bottom) / 2
        labels = [
            f'<text class="label" x="{(left + right) / 2:.1f}" '
            f'y="{self.height - 8}" text-anchor="middle">'
            f'{escape(self.x.label)}</text>',
            f'<text class="label" transform="translate(12 {middle:.1f}) '
            f'rotate(-90)" text-anchor="middle">{escape(self.y.label)}</text>',
        ]
        frame = f'<path class="axis" d="M{left} {top}V{bottom}H{right}"/>'
        inside = ''.join([*grid, frame, *self.parts, *labels])
        return Markup(
            f'<svg class="chart" viewBox="0 0 {WIDTH} {self.height}" '
            f'role="img" aria-label="{escape(self.about)}">{inside}</svg>'
        )

    def figure(self, title: str, note: str = '') -> Markup:
        r"""The picture with a title, its legend and a note.

        Args:
            title: What stands above.
            note: What stands below. (default: :obj:`""`)
        """
        names = join(
            tag('li', Markup(_swatch(style)), label)
            for style, label in self.legend
        )
        return tag(
            'figure',
            tag('figcaption', title),
            self.svg(),
            tag('ul', names, class_='legend') if names else '',
            tag('p', note, class_='note') if note else '',
        )

    def _x(self, value: float) -> float:
        share = (value - self.x.low) / (self.x.high - self.x.low)
        return self.left + _clip(share) * (WIDTH - MARGINS[1] - self.left)

    def _y(self, value: float) -> float:
        share = (value - self.y.low) / (self.y.high - self.y.low)
        bottom = self.height - MARGINS[3]
        return bottom - _clip(share) * (bottom - MARGINS[2])

    def _segment(
        self, x: float, y: float, to_x: float, to_y: float, style: str
    ) -> None:
        if not all(map(math.isfinite, (x, y, to_x, to_y))):
            return
        self.parts.append(
            f'<path class="span {style}" d="M{self._x(x):.1f} '
            f'{self._y(y):.1f}L{self._x(to_x):.1f} {self._y(to_y):.1f}"/>'
        )

    def _name(self, style: str, label: str) -> None:
        if label:
            self.legend.append((style, label))


def spread_out(count: int, most: int) -> np.ndarray:
    r"""Numbers of what is shown, evenly, if there is too much.

    Args:
        count: How much there is.
        most: How much may be shown.
    """
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).round().astype(int)


def _clip(share: float) -> float:
    return min(max(share, 0.0), 1.0)


def _swatch(style: str) -> str:
    kind, _, rest = style.partition(' ')
    shapes = {
        'line': '<path class="line {}" d="M1 6H23"/>',
        'span': '<path class="span {}" d="M12 0V12"/>',
        'point': '<circle class="point {}" cx="12" cy="6" r="3.4"/>',
        'band': '<path class="band {}" d="M1 1H23V11H1Z"/>',
    }
    return (
        f'<svg width="24" height="12" aria-hidden="true">'
        f'{shapes[kind].format(rest)}</svg>'
    )
