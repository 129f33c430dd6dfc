"""What the documentation shows of a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.plots import draw
from benchmarks.sharing import sharing_tables
from benchmarks.strategies import strategy_tables
from benchmarks.table import bar_table, header, mattered, summary, way_tables
from benchmarks.today.table import today_tables

DOCS = Path(__file__).parent.parent / 'docs'
TABLE = 'benchmarks-table.md'
#: The page that includes the table starts behind this line, which keeps the
#: file itself out of the contents.
BEGIN = '---\norphan: true\n---\n\n<!-- table -->\n'


def write_docs(report: dict[str, Any], folder: Path = DOCS) -> list[Path]:
    r"""Writes the tables and the pictures of :obj:`docs/benchmarks.md`.

    Args:
        report: The report.
        folder: The folder of the documentation.
    """
    parts = [
        BEGIN + header(report),
        bar_table(report),
        f'Bars: {summary(report)}.',
    ]
    for title, table in way_tables(report):
        parts += [f'Every way on {title}:', table]
    count = mattered(report)
    if count:
        parts += ['Where one pose of a set is meant to matter:', count]
    for title, table in (
        *today_tables(report),
        *sharing_tables(report),
        *strategy_tables(report),
    ):
        parts += [f'{title}:', table]
    images = folder / 'images'
    images.mkdir(parents=True, exist_ok=True)
    path = folder / TABLE
    path.write_text('\n\n'.join(parts) + '\n')
    return [path, *draw(report, images)]
