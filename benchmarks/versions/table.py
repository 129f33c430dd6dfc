"""What came out, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.table import markdown
from benchmarks.versions.rows import Row

#: The columns of versions, with the packages they are of.
COLUMNS = ('torch', 'torch-geometric', 'lightning')


def tables(rows: Sequence[Row], results: Mapping[str, Any]) -> str:
    r"""All tables.

    Args:
        rows: The rows.
        results: What came out, by the name of the row; a row that is not in
            it has not been run.
    """
    lines = [
        [
            'row', 'Python', *COLUMNS, 'numpy', 'tests', 'passed', 'failed',
            'skipped', 'on',
        ]
    ]  # fmt: skip
    for row in rows:
        lines.append(_line(row, results.get(row.name)))
    parts = [markdown(lines)]
    for title, told in (
        ('Not run', _not_run(rows, results)),
        ('Failed', _failed(rows, results)),
        ('Skipped', _skipped(rows, results)),
    ):
        if told:
            parts += [f'{title}:', '\n'.join(f'- {text}' for text in told)]
    return '\n\n'.join(parts)


def _line(row: Row, result: Any) -> list[str]:
    wanted = [row.name, row.python or '', row.torch, row.pyg, row.lightning]
    if result is None or 'why' in result:
        return [*wanted, '', 'not run', '', '', '', '']
    facts = result['facts']
    versions = {**facts['versions'], 'torch': facts['torch']}
    line = [row.name, facts['python'], *(versions[key] for key in COLUMNS)]
    return [
        *line,
        versions['numpy'],
        result['tests'],
        str(result['passed']),
        str(len(result['failed'])),
        str(sum(result['skipped'].values())),
        result['date'],
    ]


def _not_run(rows: Sequence[Row], results: Mapping[str, Any]) -> list[str]:
    out = []
    for row in rows:
        result = results.get(row.name)
        if result is None:
            out.append(f'{row.name}: not tried')
        elif 'why' in result:
            out.append(f'{row.name}: {result["why"]}')
    return out


def _failed(rows: Sequence[Row], results: Mapping[str, Any]) -> list[str]:
    return [
        f'{row.name}: `{name}`: {" ".join(message)}'
        for row in rows
        for name, message in results.get(row.name, {}).get('failed', ())
    ]


def _skipped(rows: Sequence[Row], results: Mapping[str, Any]) -> list[str]:
    where: dict[str, list[str]] = {}
    for row in rows:
        skipped = results.get(row.name, {}).get('skipped', {})
        for reason, number in skipped.items():
            where.setdefault(reason, []).append(f'{row.name} ({number})')
    return [f'{reason}: {", ".join(names)}' for reason, names in where.items()]
