"""The report of a run: JSON, written after every figure."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.bars import bars, judge
from benchmarks.machine import load_average, machine
from benchmarks.settings import Settings
from benchmarks.timing import Figure

SCHEMA = 1


class Report:
    r"""Figures, and the bars that follow from them.

    Figures of an earlier run into the same file stay, if they are of the same
    machine, versions and settings, until they are measured again.

    Args:
        path: The file.
        settings: The settings of this run.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path, self.settings = path, settings
        self.data: dict[str, Any] = {
            'schema': SCHEMA,
            'machine': machine(settings.device),
            'settings': settings.as_dict(),
            'load_average': load_average(),
            'figures': [],
            'bars': [],
        }
        #: Where an earlier report went that does not belong to this run.
        self.moved: Path | None = None
        if path.exists():
            earlier = json.loads(path.read_text())
            if all(
                earlier.get(key) == _plain(self.data[key])
                for key in ('schema', 'machine', 'settings')
            ):
                self.data['figures'] = earlier['figures']
            else:
                self.moved = path.with_suffix('.before.json')
                os.replace(path, self.moved)

    def add(self, figures: Sequence[Figure]) -> None:
        r"""Takes up new figures, judges the bars, and writes all.

        Args:
            figures: All ways of a case that was timed, or memory of one way.
        """
        new = [_key(figure) for figure in figures]
        old = [f for f in self.data['figures'] if _key(f) not in new]
        self.data['figures'] = [*old, *figures]
        self.data['bars'] = [
            judge(bar, self.data['figures']) for bar in bars(self.settings)
        ]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix('.partial')
        partial.write_text(json.dumps(self.data, indent=1, allow_nan=False))
        os.replace(partial, self.path)


def read(path: Path) -> dict[str, Any]:
    r"""A report from its file.

    Args:
        path: The file.

    Raises:
        ValueError: If it is of another version.
    """
    data = json.loads(path.read_text())
    if data.get('schema') != SCHEMA:
        raise ValueError(
            f'{path} is a report of schema {data.get("schema")}, expected '
            f'{SCHEMA}; run `python -m benchmarks` again'
        )
    return data


def _key(figure: Figure) -> tuple[Any, ...]:
    """Times of a case belong together: they are replaced together."""
    way = figure['way'] if figure['kind'] == 'memory' else None
    return figure['kind'], *figure['case'].values(), way


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    return json.loads(json.dumps(value))
