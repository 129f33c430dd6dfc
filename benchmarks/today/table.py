"""The table of what this build is held to beside the earlier one."""

from __future__ import annotations

from typing import Any

from benchmarks.cases import MODELS
from benchmarks.table import TITLES, markdown
from benchmarks.today.builds import COMMIT
from benchmarks.today.rows import THIS

#: How columns are told apart.
WITH = {THIS: '', 'fast': ' with `fast`'}


def today_tables(report: dict[str, Any]) -> list[tuple[str, str]]:
    r"""The table with its title, if something was measured.

    Args:
        report: The report.
    """
    figures = [f for f in report['figures'] if f['kind'] == 'today']
    missing = [f['missing'] for f in figures if 'missing' in f]
    figures = [f for f in figures if 'missing' not in f]
    title = (
        f'This build beside commit {COMMIT}, in turn on one core; medians of '
        f'ratios of rounds, their least and most, and in round brackets that '
        f'of processor time. {_count(figures, report["settings"]["quick"])}'
    )
    if missing and not figures:
        return [('This build beside an earlier one', missing[0])]
    return [(title, _table(figures, report))] if figures else []


def _table(figures: list[dict[str, Any]], report: dict[str, Any]) -> str:
    builds = [n for n in WITH if any(n in f['ratios'] for f in figures)]
    columns = [(model, name) for model in MODELS for name in builds or [THIS]]
    whats = dict.fromkeys(f['case']['what'] for f in figures)
    lines = [['ratio', *(TITLES[m] + WITH[n] for m, n in columns)]]
    for what in whats:
        line = [what]
        for model, name in columns:
            found = [
                figure
                for figure in figures
                if figure['case']['what'] == what
                and figure['case']['model'] == model
            ]
            line.append(_cell(found, name, report['settings']['quick']))
        lines.append(line)
    return markdown(lines)


def _cell(found: list[dict[str, Any]], name: str, quick: bool) -> str:
    if not found:
        return ''
    (figure,) = found
    bound = f'bar {figure["bound"]:.2f}'
    if name not in figure['ratios']:
        return f'{bound}: {figure.get("unavailable", "not run")}'
    ratio = figure['ratios'][name]
    text = f'{ratio["median"]:.2f}'
    if ratio['min'] != ratio['max']:
        text += f' [{ratio["min"]:.2f}, {ratio["max"]:.2f}]'
    if 'cpu' in ratio:
        text += f' ({ratio["cpu"]:.2f})'
    verdict = 'met' if ratio['met'] else '**MISSED**'
    return f'{text}, {bound}: {"not judged" if quick else verdict}'


def _count(figures: list[dict[str, Any]], quick: bool) -> str:
    if quick:
        return 'A quick run judges none.'
    met = [ratio['met'] for f in figures for ratio in f['ratios'].values()]
    return f'{met.count(True)} met, {met.count(False)} missed.'
