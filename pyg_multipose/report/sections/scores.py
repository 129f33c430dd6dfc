"""How good predictions are, beside what needs no model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pyg_multipose.report.baselines import CONSTANT, baselines
from pyg_multipose.report.compounds import Compounds
from pyg_multipose.report.markup import (
    Markup,
    counted,
    join,
    number,
    table,
    tag,
)
from pyg_multipose.report.sections.section import Section
from pyg_multipose.uncertainty import Bootstrap, Estimate

#: What the model is called in the table.
MODEL = 'this model'


def scores(parts: dict[str, Compounds], unit: str) -> Section | None:
    r"""Metrics of the test part with intervals, and those of baselines.

    Args:
        parts: Compounds of :obj:`"test"`, and of :obj:`"train"`, which
            baselines are fitted on; without the latter there are none.
        unit: Of predictions and labels.
    """
    test = parts.get('test')
    if test is None or test.exact.sum() < 2:
        return None
    use = test.exact
    bootstrap = Bootstrap(test.measured[use])
    train = parts.get('train')
    of_model = {key: one.predicted for key, one in parts.items()}
    rows = {**_baselines(train, parts, use), MODEL: of_model}
    found = {name: bootstrap(row['test'][use]) for name, row in rows.items()}
    head = ['', *next(iter(found.values())), 'MAE on train']
    cells = []
    for name, metrics in found.items():
        on_train = math.nan
        if train is not None and train.exact.any():
            error = rows[name]['train'] - train.measured
            on_train = float(np.abs(error[train.exact]).mean())
        line = [name, *map(_shown, metrics.values()), number(on_train)]
        cells.append(line)
    body = [
        _tiles(found[MODEL], found.get(CONSTANT), unit),
        *(_verdicts(bootstrap, rows, use, unit) if len(rows) > 1 else []),
        table(head, cells, marked=[len(cells) - 1]),
        tag('p', _what(test, bootstrap, unit), class_='note'),
        *_lacking(train, rows),
    ]
    return Section('scores', 'Scores', join(body))


def _baselines(
    train: Compounds | None, parts: dict[str, Compounds], use: np.ndarray
) -> dict[str, dict[str, np.ndarray]]:
    if train is None or not train.exact.any():
        return {}
    return {
        name: of_parts
        for name, of_parts in baselines(train, parts).items()
        if np.isfinite(of_parts['test'][use]).all()
    }


def _lacking(train: Compounds | None, rows: Any) -> list[Markup]:
    if train is None:
        text = 'No baselines: predictions of the training part are missing.'
        return [tag('p', text, class_='note')]
    lacking = [name for name in train.features if name not in rows]
    if not lacking:
        return []
    text = (
        f'No baseline of {_listed(lacking)}: it is not known of all '
        f'compounds, or the same for all of the training.'
    )
    return [tag('p', text, class_='note')]


def _tiles(
    found: dict[str, Estimate], constant: dict[str, Estimate] | None, unit: str
) -> Markup:
    tiles = []
    for name, estimate in found.items():
        label = f'{name} ({unit})' if name in ('MAE', 'RMSE') else name
        shown = _shown(estimate)
        value, _, interval = shown.partition(' ')
        beside = 'not defined' if shown == 'n/a' else f'95 % {interval}'
        if constant is not None and not math.isnan(constant[name].value):
            beside += f'; constant {number(constant[name].value)}'
        tiles.append(
            tag(
                'div',
                tag('span', label),
                tag('b', value),
                tag('span', beside),
                class_='tile',
            )
        )
    return tag('div', *tiles, class_='tiles')


def _verdicts(
    bootstrap: Bootstrap,
    rows: dict[str, dict[str, np.ndarray]],
    use: np.ndarray,
    unit: str,
) -> list[Markup]:
    """Whether the model is better than each baseline, by MAE."""
    model = rows[MODEL]['test'][use]
    changes = {
        name: bootstrap.difference(model, row['test'][use])['MAE']
        for name, row in rows.items()
        if name != MODEL
    }
    kinds: dict[str, list[str]] = {'better': [], 'worse': [], 'equal': []}
    for name, change in changes.items():
        kind = (
            'better'
            if change.high < 0
            else 'worse'
            if change.low > 0
            else 'equal'
        )
        kinds[kind].append(f'{name} ({change.signed.replace("-", MINUS)})')
    said = []
    if kinds['better']:
        said.append(f'better than {_listed(kinds["better"])}')
    if kinds['worse']:
        said.append(f'worse than {_listed(kinds["worse"])}')
    if kinds['equal']:
        said.append(f'not to be told from {_listed(kinds["equal"])}')
    good = len(kinds['better']) == len(changes)
    text = (
        f'By MAE the model is {"; ".join(said)}. In brackets: its MAE minus '
        f'that of the baseline in {unit}, 95 % interval on the same '
        f'resamples; negative is better.'
    )
    return [tag('p', text, class_='verdict good' if good else 'verdict')]


def _what(test: Compounds, bootstrap: Bootstrap, unit: str) -> str:
    missing = int(np.isnan(test.measured).sum())
    bounds = len(test) - missing - int(test.exact.sum())
    left_out = [
        f'{counted(count, "compound")} {why}'
        for count, why in (
            (missing, 'without a label'),
            (bounds, 'whose label is a bound'),
        )
        if count
    ]
    text = (
        f'{counted(int(test.exact.sum()), "test compound")}, labels in '
        f'{unit}. Brackets: 95 % bootstrap intervals over compounds '
        f'({bootstrap.resamples} resamples, the same in every row); what '
        f'another training would change is not in them. Baselines are '
        f'fitted on the training part.'
    )
    if left_out:
        text += f' Not counted: {_listed(left_out)}.'
    if test.of is not None:
        text += f' These are evenly taken from {counted(test.of, "compound")}.'
    return text


MINUS = '\N{MINUS SIGN}'


def _shown(estimate: Estimate) -> str:
    return str(estimate).replace('-', MINUS)


def _listed(items: Sequence[str]) -> str:
    if len(items) < 2:
        return ''.join(items)
    return f'{", ".join(items[:-1])} and {items[-1]}'
