r"""The table of all models on the test split, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pyg_multipose.uncertainty import Bootstrap, Estimate
from pyg_multipose.uncertainty.bootstrap import LOW_IS_GOOD, METRICS, mae


@dataclass(frozen=True, eq=False)
class Row:
    r"""A model on the test split."""

    name: str
    predicted: np.ndarray
    test: dict[str, Estimate]
    #: The mean absolute error on train.
    train_mae: float


def make_row(
    name: str,
    predictions: dict[str, np.ndarray],
    train: np.ndarray,
    bootstrap: Bootstrap,
) -> Row:
    r"""Scores a model.

    Args:
        name: What the table calls it.
        predictions: Predictions on train and test.
        train: Labels of train.
        bootstrap: Of the labels of test, the same for all models.
    """
    return Row(
        name,
        predictions['test'],
        bootstrap(predictions['test']),
        float(mae(predictions['train'], train)),
    )


def markdown(rows: Sequence[Row]) -> str:
    r"""The table, readable as it stands and as Markdown.

    Args:
        rows: The models.
    """
    lines = [['', *METRICS, 'train MAE']]
    for row in rows:
        cells = [str(row.test[key]) for key in METRICS]
        lines.append([row.name, *cells, f'{row.train_mae:.2f}'])
    width = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ['-' * width[0], *('-' * (w - 1) + ':' for w in width[1:])]
    text = []
    for line in [lines[0], rule, *lines[1:]]:
        cells = [line[0].ljust(width[0])]
        cells += [c.rjust(w) for c, w in zip(line[1:], width[1:], strict=True)]
        text.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(text)


def findings(
    baselines: Sequence[Row],
    trained: Sequence[Row],
    bootstrap: Bootstrap,
) -> list[str]:
    r"""Sentences that follow from the table, whatever it is.

    Args:
        baselines: Rows without a network; the first is the constant.
        trained: Rows with one; the first sees a single pose.
        bootstrap: That of the table.
    """
    constant, single = baselines[0], trained[0]
    return [
        *(
            _not_trained(row, constant)
            for row in trained
            if row.train_mae >= constant.train_mae
        ),
        *_winners(baselines, trained),
        _compared(trained, constant, bootstrap),
        _compared(trained[1:], single, bootstrap)
        + '. A gain can come from better poses, or from several poses being '
        'harder to learn by heart: compare train MAE',
    ]


def _not_trained(row: Row, constant: Row) -> str:
    return (
        f"*** '{row.name}' HAS NOT TRAINED ***: its MAE on train, "
        f'{row.train_mae:.3f}, is not below the {constant.train_mae:.3f} of '
        f"'{constant.name}', so its row says nothing about poses"
    )


def _winners(
    baselines: Sequence[Row], trained: Sequence[Row]
) -> Iterator[str]:
    everything = [*baselines, *trained]
    best: dict[str, Row] = {}
    apart: dict[str, str] = {}
    for key in METRICS:
        scored = [r for r in everything if not np.isnan(r.test[key].value)]
        if scored:
            best[key] = _best(key, scored)
            apart[key] = _apart(key, best[key], scored)
    kinds = {'A baseline': baselines, 'a network': trained}
    yield '; '.join(
        f'{kind} is best by '
        + (', '.join(k for k in best if best[k] in rows) or 'no metric')
        for kind, rows in kinds.items()
    )
    for key, row in best.items():
        yield f"{key}: best is '{row.name}'; {apart[key]}"


def _best(key: str, rows: Sequence[Row]) -> Row:
    sign = 1 if key in LOW_IS_GOOD else -1
    return min(rows, key=lambda row: sign * row.test[key].value)


def _apart(key: str, best: Row, rows: Sequence[Row]) -> str:
    apart = [
        f"'{row.name}'"
        for row in rows
        if not row.test[key].overlaps(best.test[key])
    ]
    if apart:
        return f'its interval is apart from that of {", ".join(apart)}'
    return 'its interval overlaps with that of every other row'


def _compared(
    others: Sequence[Row], reference: Row, bootstrap: Bootstrap
) -> str:
    parts = []
    for row in others:
        change = bootstrap.difference(row.predicted, reference.predicted)
        parts.append(f'{row.name} {change["MAE"].signed}')
    return (
        f"MAE minus that of '{reference.name}', on the same resamples "
        f'(negative is better; an interval around 0 decides nothing): '
        + '; '.join(parts)
    )
