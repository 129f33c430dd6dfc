"""Predicted minus measured, by what is known of compounds."""

from __future__ import annotations

import datetime
from collections import defaultdict

import numpy as np

from pyg_multipose.report.chart import Axis, Chart, spread_out
from pyg_multipose.report.compounds import Compounds
from pyg_multipose.report.markup import Markup, counted, join, tag
from pyg_multipose.report.sections.section import Section

#: The most groups in a picture, and the most points.
MOST_GROUPS, MOST = 14, 1500
#: The longest name beside a picture.
LONGEST = 15


def residuals(test: Compounds, unit: str) -> Section | None:
    r"""A picture for each column of groups, and one for dates.

    Args:
        test: Compounds with labels, predictions and groups.
        unit: Of both.
    """
    use = np.flatnonzero(test.exact)
    use = use[spread_out(len(use), MOST)]
    error = test.predicted - test.measured
    figures = []
    for name, texts in test.groups.items():
        values = [texts[k].strip() for k in use]
        if name == 'date':
            figures.append(_by_date(test, use, error, values, unit))
        elif len(set(values)) > 1:
            figures.append(_by_group(name, test, use, error, values, unit))
    figures = [one for one in figures if one]
    if not figures:
        return None
    intro = tag(
        'p',
        'Predicted minus measured, of compounds with an exact label: above '
        'zero (or to the right of it) a compound is predicted too high.',
    )
    body = join([intro, tag('div', join(figures), class_='figures')])
    return Section('residuals', 'Residuals', body)


def _by_group(
    name: str,
    test: Compounds,
    use: np.ndarray,
    error: np.ndarray,
    values: list[str],
    unit: str,
) -> Markup:
    members: dict[str, list[int]] = defaultdict(list)
    for number, value in zip(use, values, strict=True):
        members[value or f'no {name}'].append(number)
    ranked = sorted(members, key=lambda key: (-len(members[key]), key))
    several = [key for key in ranked if len(members[key]) > 1]
    rows = (several or ranked)[:MOST_GROUPS]
    others = [n for key in ranked if key not in rows for n in members[key]]
    left_out = len(ranked) - len(rows)
    labels = {key: (_short(key), members[key]) for key in rows}
    if others:
        labels[''] = (f'{left_out} others', others)
    count = len(labels)
    ticks = [
        (count - k, f'{text} ({len(numbers)})')
        for k, (text, numbers) in enumerate(labels.values())
    ]
    chart = Chart(
        Axis.around(f'predicted \u2212 measured ({unit})', error[use], [0.0]),
        Axis('', 0.4, count + 0.6, ticks=ticks),
        f'Residuals by {name}',
        height=64 + 22 * max(count, 3),
        left=150,
    )
    chart.line([0, 0], [0.4, count + 0.6], 'quiet dashed')
    for k, (key, (_, numbers)) in enumerate(labels.items()):
        tips = [
            '\n'.join(filter(None, [test.tip(n), key and f'{name} {key}']))
            for n in numbers
        ]
        place = [count - k] * len(numbers)
        chart.points(error[numbers], place, 'one', tips)
        mean = float(error[numbers].mean())
        chart.spans([mean], [count - k - 0.38], [count - k + 0.38], 'two')
    chart.legend.append(('span two', 'mean of the group'))
    note = 'In brackets: the number of compounds.'
    return chart.figure(f'By {name}', note)


def _by_date(
    test: Compounds,
    use: np.ndarray,
    error: np.ndarray,
    values: list[str],
    unit: str,
) -> Markup | None:
    known = [
        (number, day)
        for number, value in zip(use, values, strict=True)
        if (day := _day(value)) is not None
    ]
    if len(known) < 2 or len({day for _, day in known}) < 2:
        return None
    numbers, days = zip(*known, strict=True)
    first, last = min(days), max(days)
    middle = range(4)
    ticks = []
    for k in middle:
        day = first + round(k / 3 * (last - first))
        text = datetime.date.fromordinal(day).strftime('%b %Y')
        if last - first < 200:
            text = datetime.date.fromordinal(day).strftime('%d %b %y')
        ticks.append((float(day), text))
    axis = Axis.around('date', days, margin=0.08)
    axis.ticks = ticks
    chart = Chart(
        axis,
        Axis.around(
            f'predicted \u2212 measured ({unit})', error[list(numbers)], [0.0]
        ),
        'Residuals by date',
    )
    chart.line([axis.low, axis.high], [0, 0], 'quiet dashed')
    tips = [
        f'{test.tip(n)}\n{datetime.date.fromordinal(day).isoformat()}'
        for n, day in known
    ]
    chart.points(days, error[list(numbers)], 'one', tips)
    return chart.figure(
        'By date', f'{counted(len(known), "compound")} with a date.'
    )


def _day(text: str) -> int | None:
    try:
        return datetime.date.fromisoformat(text[:10]).toordinal()
    except ValueError:
        return None


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f'{text[: LONGEST - 1]}\u2026'
