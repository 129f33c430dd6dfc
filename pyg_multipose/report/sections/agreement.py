"""Predicted against measured, and whether intervals cover."""

from __future__ import annotations

import numpy as np

from pyg_multipose.report.chart import Axis, Chart, spread_out
from pyg_multipose.report.compounds import Compounds
from pyg_multipose.report.markup import Markup, counted, join, tag
from pyg_multipose.report.sections.section import Section
from pyg_multipose.uncertainty import Intervals, calibration

#: The most points, and the most of them that have their interval drawn.
MOST, WITH_INTERVAL = 1500, 200


def agreement(
    parts: dict[str, Compounds],
    unit: str,
    intervals: Intervals | None = None,
    level: float = 0.9,
) -> Section | None:
    r"""Predicted against measured values, and calibration.

    Args:
        parts: Compounds of :obj:`"test"`, and of :obj:`"valid"`, which
            intervals were fitted on.
        unit: Of predictions and labels.
        intervals: What made the intervals of the test compounds.
            (default: :obj:`None`, there are none or they are not known)
        level: The share of compounds that they promise to cover.
            (default: :obj:`0.9`)
    """
    test = parts.get('test')
    if test is None or not np.isfinite(test.measured).any():
        return None
    figures = [_scatter(test, unit, level)]
    if intervals is not None and test.exact.any():
        figures.append(_calibration(test, intervals))
    elif test.low is None:
        figures.append(
            tag(
                'p',
                'There are no intervals: they are fitted on the errors of the '
                'validation part, which has too few exact labels or no '
                'predictions here.',
                class_='note',
            )
        )
    return Section(
        'agreement',
        'Predicted and measured',
        tag('div', join(figures), class_='figures'),
    )


def _scatter(test: Compounds, unit: str, level: float) -> Markup:
    labelled = np.flatnonzero(
        np.isfinite(test.measured) & np.isfinite(test.predicted)
    )
    shown = labelled[spread_out(len(labelled), MOST)]
    measured, predicted = test.measured[shown], test.predicted[shown]
    ends = [measured, predicted]
    few = len(shown) <= WITH_INTERVAL
    both = Axis.around('', *ends)
    chart = Chart(
        Axis(f'measured ({unit})', both.low, both.high),
        Axis(f'predicted ({unit})', both.low, both.high),
        f'Predicted against measured {unit}',
        height=330,
    )
    diagonal = [both.low, both.high]
    note = counted(len(shown), 'test compound')
    if len(shown) < len(labelled):
        note += f', evenly taken from {counted(len(labelled), "compound")}'
    if test.low is not None and test.high is not None:
        low, high = test.low[shown], test.high[shown]
        covers = f'{level:.0%} prediction interval'.replace('%', ' %')
        half = (high - low) / 2
        if np.ptp(half) < 1e-6:
            wide = float(half[0])
            chart.band(
                diagonal,
                [one - wide for one in diagonal],
                [one + wide for one in diagonal],
                'quiet',
                covers,
            )
        elif few:
            chart.spans(measured, low, high, 'one', covers)
        exact = test.exact[shown]
        inside = (low <= measured) & (measured <= high) & exact
        note += (
            f'; {int(inside.sum())} of {int(exact.sum())} exact labels lie '
            f'within the interval of their compound'
        )
    chart.line(diagonal, diagonal, 'quiet dashed', 'equal')
    tips = [test.tip(number) for number in shown]
    for style, label, which in (
        ('one', 'compound', test.relation[shown] == 0),
        ('hollow', 'label is a bound', test.relation[shown] != 0),
    ):
        some = np.flatnonzero(which)
        if len(some):
            chart.points(
                measured[some],
                predicted[some],
                style,
                [tips[k] for k in some],
                label,
            )
    return chart.figure('Predicted against measured', f'{note}.')


def _calibration(test: Compounds, intervals: Intervals) -> Markup:
    found = calibration(
        intervals, test.predicted[test.exact], test.measured[test.exact]
    )
    unit = [(k / 5, f'{20 * k}') for k in range(6)]
    chart = Chart(
        Axis('promised coverage (%)', 0, 1, ticks=unit),
        Axis('observed coverage (%)', 0, 1, ticks=unit),
        'Observed against promised coverage of intervals',
        height=330,
    )
    chart.band(found.levels, found.low, found.high, 'one', '95 % binomial')
    chart.line([0, 1], [0, 1], 'quiet dashed', 'as promised')
    tips = [
        f'promised {level:.0%}\nobserved {observed:.0%}\n'
        f'95 % between {low:.0%} and {high:.0%}'
        for level, observed, low, high in zip(
            found.levels, found.observed, found.low, found.high, strict=True
        )
    ]
    chart.line(found.levels, found.observed, 'one', 'observed')
    chart.points(found.levels, found.observed, 'one', tips)
    return chart.figure(
        'Calibration of the intervals',
        f'Split conformal intervals, as wide as the errors of '
        f'{counted(intervals.num_labels, "validation compound")}; observed '
        f'on {counted(found.num_labels, "test compound")}. They promise their '
        f'coverage if test compounds are drawn like those: of a split by time '
        f'or by scaffold they are not.',
    )
