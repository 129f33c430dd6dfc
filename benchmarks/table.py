"""A report as text: bars with their figures, and what every way costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.cases import MODELS, PYG_MODELS, Case, batch
from benchmarks.settings import Settings
from benchmarks.timing import Figure
from benchmarks.ways import PLAIN

TITLES = {'schnet': 'SchNet', 'e3nn': 'e3nn'}


def bar_table(report: dict[str, Any]) -> str:
    r"""All bars with the measured ratio beside them, as Markdown.

    Args:
        report: The report.
    """
    tables = (_bar_table(report, models) for models in (MODELS, PYG_MODELS))
    return '\n\n'.join(table for table in tables if table)


def _bar_table(report: dict[str, Any], models: Sequence[str]) -> str:
    quick = report['settings']['quick']
    rows: dict[str, dict[str, str]] = {}
    for bar in report['bars']:
        if bar['model'] in models:
            rows.setdefault(bar['what'], {})[bar['model']] = _cell(bar, quick)
    lines = [['ratio', *(TITLES.get(model, model) for model in models)]]
    lines += [
        [what, *(cells.get(model, '') for model in models)]
        for what, cells in rows.items()
    ]
    return markdown(lines) if rows else ''


def summary(report: dict[str, Any]) -> str:
    r"""How many bars are met, missed and not measured.

    Args:
        report: The report.
    """
    if report['settings']['quick']:
        return 'a quick run judges none'
    verdicts = [bar['met'] for bar in report['bars']]
    text = (
        f'{verdicts.count(True)} met, {verdicts.count(False)} missed, '
        f'{verdicts.count(None)} without a figure'
    )
    reasons = sorted({b['reason'] for b in report['bars'] if 'reason' in b})
    return text + (f' ({"; ".join(reasons)})' if reasons else '')


def header(report: dict[str, Any]) -> str:
    r"""The machine, the versions and the settings in a paragraph.

    Args:
        report: The report.
    """
    m, s = report['machine'], report['settings']
    where = m.get('card', f'{m["processor"]}, one thread')
    load = report['load_average']
    text = (
        f'{where}; {m["system"]}, Python {m["python"]}, torch {m["torch"]}, '
        f'torch-geometric {m["torch_geometric"]}, e3nn {m["e3nn"]}, '
        f'pyg_multipose {m["pyg_multipose"]}, '
        f'{"numba " + m["numba"] if m["numba"] else "no numba"}; '
        f'cutoff {s["cutoff"]} A, at least {s["repeats"]} rounds'
    )
    if load is not None:
        text += f'; load average at the start {load:.2f}'
    if s['quick']:
        text = (
            '**A quick run: narrow models and few poses, to show that the '
            'command works. Its ratios mean nothing.** ' + text
        )
    return text + '.'


def mattered(report: dict[str, Any]) -> str:
    r"""How many poses mattered where one of a set is meant to.

    Args:
        report: The report.
    """
    lines = []
    for figure in report['figures']:
        case = figure['case']
        if (
            figure['kind'] == 'time'
            and figure['way'] in ('auto', 'auto, shared')
            and case['loss'] == 'max1000'
            and figure.get('mattered') is not None
        ):
            lines.append(
                f'- {Case(**case)}: {figure["mattered"]} poses mattered, '
                f'{figure["backward"]} went backward; `{figure["way"]}` took '
                f'`{figure["plan"]}`'
            )
    return '\n'.join(lines)


def way_tables(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    r"""For each model, what every way costs on many real poses.

    Args:
        report: The report.

    Returns:
        Titles and Markdown tables.
    """
    s = Settings(**{k: report['settings'][k] for k in ('device', 'quick')})
    for model in MODELS:
        case = batch('pocket', model, 'max1000', s.many, s)
        rows = [
            figure
            for figure in report['figures']
            if figure['kind'] == 'time' and Case(**figure['case']) == case
        ]
        if rows:
            yield str(case), _way_table(rows, report['figures'])


def _way_table(rows: Sequence[Figure], figures: Sequence[Figure]) -> str:
    lines = [['', 's / step', f'to {PLAIN}', 'MB peak', 'MB held']]
    cuda = any('kernel_share' in row for row in rows)
    if cuda:
        lines[0] += ['poses / s', 'in kernels']
    memory = {
        figure['way']: figure
        for figure in figures
        if figure['kind'] == 'memory'
        and figure['case']
        == {**rows[0]['case'], 'per_set': rows[0]['case']['poses']}
        and 'unavailable' not in figure
    }
    for row in rows:
        line = [row['way'], '', '', '', '']
        if 'unavailable' in row:
            line[1] = f'not available: {row["unavailable"]}'
        else:
            line[1] = f'{row["median"]:.3g}'
            if 'to_plain' in row:
                line[2] = _spread(row['to_plain'], 'median')
        if row['way'] in memory:
            figure = memory[row['way']]
            line[3] = f'{figure["peak_bytes"] / 1e6:.1f}'
            line[4] = f'{figure["held_bytes"] / 1e6:.1f}'
        if cuda and 'kernel_share' in row:
            line += [
                f'{row["poses_per_second"]:.0f}',
                f'{row["kernel_share"]:.0%}',
            ]
        lines.append(line + [''] * (len(lines[0]) - len(line)))
    return markdown(lines)


def markdown(lines: Sequence[Sequence[str]]) -> str:
    r"""A table, readable as it stands and as Markdown.

    Args:
        lines: The cells, those of the header first.
    """
    width = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ['-' * w for w in width]
    return '\n'.join(
        '| '
        + ' | '.join(c.ljust(w) for c, w in zip(line, width, strict=True))
        + ' |'
        for line in (lines[0], rule, *lines[1:])
    )


def _cell(bar: dict[str, Any], quick: bool) -> str:
    bound = f'bar {bar["bound"]:.2f}'
    if bar['measured'] is None:
        return f'{bound}: not available: {bar["reason"]}'
    verdict = 'met' if bar['met'] else '**missed**'
    if quick:
        verdict = 'not judged'
    return f'{_spread(bar, "measured")}, {bound}: {verdict}'


def _spread(row: dict[str, Any], key: str) -> str:
    text = f'{row[key]:.3f}'
    if row['min'] != row['max']:
        text += f' [{row["min"]:.3f}, {row["max"]:.3f}]'
    return text
