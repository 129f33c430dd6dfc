"""What was predicted, where little or nothing was measured."""

from __future__ import annotations

import numpy as np

from pyg_multipose.report.chart import Axis, Chart
from pyg_multipose.report.compounds import Compounds
from pyg_multipose.report.markup import Markup, counted, join, table, tag
from pyg_multipose.report.sections.section import Section

#: The most rows of the table.
MOST = 200


def ranking(compounds: Compounds, unit: str, strong: bool) -> Section | None:
    r"""A histogram of predictions, and the table of the strongest.

    Args:
        compounds: What was predicted.
        unit: Of the predictions.
        strong: Whether a high value is strong.
    """
    known = np.flatnonzero(np.isfinite(compounds.predicted))
    if not len(known):
        return None
    order = known[np.argsort(compounds.predicted[known], kind='stable')]
    order = order[::-1] if strong else order
    labelled = bool(np.isfinite(compounds.measured).any())
    head = ['compound', 'rank', f'predicted ({unit})']
    head += [f'measured ({unit})'] if labelled else []
    head += ['poses'] if compounds.num_poses is not None else []
    rows = []
    for rank, number in enumerate(order[:MOST], 1):
        row = [compounds.names[number], rank, compounds.prediction(number)]
        if labelled:
            row.append(compounds.label(number).replace('?', ''))
        if compounds.num_poses is not None:
            row.append(int(compounds.num_poses[number]))
        rows.append(row)
    shown = (
        f'The strongest {len(rows)} of' if len(rows) < len(order) else 'All'
    )
    text = f'{shown} {counted(len(order), "compound")}, by prediction.'
    if compounds.of is not None:
        text += f' Taken evenly from {counted(compounds.of, "compound")}.'
    missing = len(compounds) - len(known)
    if missing:
        text += f' {counted(missing, "prediction")} not finite, left out here.'
    tall = tag('div', table(head, rows), class_='tall')
    body = [
        _histogram(compounds.predicted[known], unit),
        tag('div', tag('p', text), tall),
    ]
    return Section(
        'ranking', 'Predictions', tag('div', join(body), class_='figures')
    )


def _histogram(values: np.ndarray, unit: str) -> Markup:
    bins = int(np.clip(np.sqrt(len(values)), 5, 40))
    counts, edges = np.histogram(values, bins=bins)
    chart = Chart(
        Axis.around(f'predicted ({unit})', edges, margin=0.03),
        Axis('compounds', 0, max(counts.max() * 1.08, 1), whole=True),
        f'Histogram of predicted {unit}',
    )
    tips = [
        f'{low:.2f} to {high:.2f}\n{counted(int(count), "compound")}'
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    chart.bars(edges, counts, 'one', tips)
    return chart.figure('How predictions are spread')
