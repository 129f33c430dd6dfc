"""Attributions as a table in a file."""

from __future__ import annotations

import csv
import os

from pyg_multipose.explain.attribution import Attribution


def write_csv(attribution: Attribution, path: str | os.PathLike[str]) -> None:
    r"""Writes :meth:`Attribution.to_table` to a CSV file.

    What is not defined is an empty cell.

    Args:
        attribution: The attribution.
        path: The file; one that exists is replaced.
    """
    rows = attribution.to_table()
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
