"""Losses and metrics, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pyg_multipose.report.chart import Axis, Chart, spread_out
from pyg_multipose.report.markup import join, tag
from pyg_multipose.report.sections.section import Section

#: The most points of a curve.
MOST = 400
#: Metrics in the unit of the labels.
_IN_UNIT = ('mae', 'rmse')
_NAMES = {'mae': 'MAE', 'rmse': 'RMSE', 'r2': 'R\u00b2'}
_STYLES = {'train': 'two', 'valid': 'one'}


def learning(rows: Sequence[Mapping[str, str]], unit: str) -> Section | None:
    r"""Curves of all that was logged.

    Args:
        rows: Those of :obj:`metrics.csv` of Lightning's logger: a text for
            each column, empty where nothing was logged.
        unit: Of predictions and labels.
    """
    curves = _curves(rows)
    kinds: dict[str, dict[str, str]] = {}
    for name in curves:
        part, _, what = name.partition('_')
        if part in _STYLES and what and not what.endswith('_step'):
            kinds.setdefault(what, {})[part] = name
    order = ['loss', 'mae', 'rmse', 'spearman', 'kendall', 'r2']
    known = [kind for kind in order if kind in kinds]
    others = sorted(kind for kind in kinds if kind not in order)
    figures = [
        _figure(kind, kinds[kind], curves, unit) for kind in known + others
    ]
    rates = [name for name in curves if name.startswith('lr-')]
    figures += [_rate(curves[name]) for name in rates[:1]]
    if not figures:
        return None
    return Section(
        'learning', 'Learning', tag('div', join(figures), class_='figures')
    )


def _figure(
    kind: str,
    parts: dict[str, str],
    curves: dict[str, list[tuple[float, float, float]]],
    unit: str,
) -> str:
    shown = _NAMES.get(kind, kind.capitalize())
    label = f'{shown} ({unit})' if kind in _IN_UNIT else shown
    points = {part: curves[name] for part, name in parts.items()}
    chart = Chart(
        Axis.around(
            'epoch',
            *([epoch for epoch, _, _ in one] for one in points.values()),
            whole=True,
        ),
        Axis.around(
            label, *([value for _, _, value in one] for one in points.values())
        ),
        f'{shown} by epoch',
        height=230,
    )
    for part in sorted(points):
        epochs = [epoch for epoch, _, _ in points[part]]
        values = [value for _, _, value in points[part]]
        chart.line(epochs, values, _STYLES[part], part)
        if len(epochs) <= 60:
            tips = [
                f'epoch {epoch:g}\n{part} {value:.4g}'
                for epoch, value in zip(epochs, values, strict=True)
            ]
            chart.points(epochs, values, _STYLES[part], tips)
    note = 'train: while it is learned' if 'train' in parts else ''
    return chart.figure(shown, note)


def _rate(points: list[tuple[float, float, float]]) -> str:
    some = [points[k] for k in spread_out(len(points), MOST)]
    steps = [step for _, step, _ in some]
    rates = [value for _, _, value in some]
    chart = Chart(
        Axis.around('step', steps, whole=True),
        Axis.around('learning rate', [0.0], rates),
        'Learning rate by step',
        height=230,
    )
    chart.line(steps, rates, 'three')
    return chart.figure('Learning rate')


def _curves(
    rows: Sequence[Mapping[str, str]],
) -> dict[str, list[tuple[float, float, float]]]:
    """Epoch (from 1), step and value by the name of a column."""
    out: dict[str, list[tuple[float, float, float]]] = {}
    for row in rows:
        epoch, step = (_float(row.get(key)) for key in ('epoch', 'step'))
        for name, text in row.items():
            value = _float(text)
            if name not in ('epoch', 'step') and not math.isnan(value):
                out.setdefault(name, []).append((epoch + 1, step, value))
    return {
        name: [points[k] for k in spread_out(len(points), MOST)]
        for name, points in out.items()
        if not name.startswith('test_')
    }


def _float(text: str | None) -> float:
    try:
        return float(text or 'nan')
    except ValueError:
        return math.nan
