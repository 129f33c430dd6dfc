"""A page that shows a run, in one file."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

import pyg_multipose
from pyg_multipose.campaign import atomic_file
from pyg_multipose.report.compounds import Compounds
from pyg_multipose.report.markup import Markup, escape, join, table, tag
from pyg_multipose.report.sections.agreement import agreement
from pyg_multipose.report.sections.learning import learning
from pyg_multipose.report.sections.left_out import LeftOut, left_out
from pyg_multipose.report.sections.poses import PoseView, poses
from pyg_multipose.report.sections.ranking import ranking
from pyg_multipose.report.sections.residuals import residuals
from pyg_multipose.report.sections.scores import scores
from pyg_multipose.report.sections.section import Section
from pyg_multipose.uncertainty import SplitConformal

#: Whose versions are shown, where they are installed.
PACKAGES = (
    'torch', 'torch-geometric', 'lightning', 'e3nn', 'numpy', 'scipy', 'rdkit',
    'gemmi', 'numba',
)  # fmt: skip
#: Coverages that are tried, until there are enough labels.
LEVELS = (0.9, 0.8, 0.5)


@dataclass
class RunPage:
    r"""A page that shows a training or predictions.

    One HTML file without anything from elsewhere; it works without a
    network, in light and dark, on a desktop and a phone. What is not known
    has no section.

    Args:
        title: The title of the page.
        unit: The unit of predictions and labels.
        facts: What is said below the title, by name.
            (default: nothing)
        parts: Compounds by part: of a training :obj:`"train"` (which
            baselines are fitted on), :obj:`"valid"` (which intervals are
            fitted on) and :obj:`"test"`; of predictions :obj:`"test"` alone.
            (default: none)
        strong: Whether a high prediction is strong.
            (default: :obj:`True`)
        rank: Whether to show the table of predictions.
            (default: :obj:`False`)
        metrics: The rows of a :obj:`metrics.csv`. (default: none)
        poses: Compounds whose poses are shown. (default: none)
        score: The name of the docking score of poses.
            (default: :obj:`""`)
        left_out: What the data set leaves out, and why. (default: nothing)
        left_out_text: The whole report of that. (default: :obj:`""`)
        notes: What else is to be said of it. (default: nothing)
        settings: The configuration by name. (default: nothing)

    Raises:
        ValueError: If the parts do not fit what is wanted.

    Example:
        >>> import numpy as np
        >>> from pyg_multipose.report import Compounds, RunPage
        >>> names = [f'compound {k}' for k in range(20)]
        >>> rng = np.random.default_rng(0)
        >>> test = Compounds(names, rng.normal(size=20), rng.normal(size=20))
        >>> report = RunPage('A run', 'pIC50', parts={'test': test})
        >>> [section.title for section in report.sections()]
        ['Scores', 'Predicted and measured', 'Settings and versions']
        >>> report.html()[:15]
        '<!doctype html>'
    """

    title: str
    unit: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    parts: dict[str, Compounds] = field(default_factory=dict)
    strong: bool = True
    rank: bool = False
    metrics: Sequence[Mapping[str, str]] = ()
    poses: list[PoseView] = field(default_factory=list)
    score: str = ''
    left_out: list[LeftOut] = field(default_factory=list)
    left_out_text: str = ''
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def sections(self) -> list[Section]:
        r"""The sections that there is something to say in.

        Example:
            >>> from pyg_multipose.report import RunPage
            >>> [one.key for one in RunPage('A run', 'kT').sections()]
            ['settings']
        """
        intervals, level = self._intervals()
        test = self.parts.get('test')
        found = [
            scores(self.parts, self.unit),
            agreement(self.parts, self.unit, intervals, level),
        ]
        if test is not None and self.rank:
            found.insert(0, ranking(test, self.unit, self.strong))
        found.append(poses(self.poses, self.unit, self.score))
        if test is not None:
            found.append(residuals(test, self.unit))
        found.append(learning(self.metrics, self.unit))
        if self.left_out or self.left_out_text or self.notes:
            found.append(
                left_out(self.left_out, self.left_out_text, self.notes)
            )
        return [*filter(None, found), self._settings()]

    def html(self) -> str:
        r"""The page.

        Example:
            >>> from pyg_multipose.report import RunPage
            >>> '&lt;b&gt;' in RunPage('<b>', 'kT').html()
            True
        """
        sections = self.sections()
        facts = join(
            tag('div', tag('dt', name), tag('dd', value))
            for name, value in self.facts.items()
        )
        assets = resources.files(__package__) / 'assets'
        page, style, *scripts = (
            (assets / name).read_text(encoding='utf-8')
            for name in ('page.html', 'style.css', 'page.js', 'viewer.js')
        )
        return Template(page).substitute(
            title=escape(self.title),
            style=style,
            facts=tag('dl', facts, class_='facts'),
            links=join(one.link() for one in sections),
            sections=join(one.html() for one in sections),
            footer=escape(
                f'pyg_multipose {pyg_multipose.__version__}. This file needs '
                f'no network.'
            ),
            scenes=_json([view.scene for view in self.poses]),
            script='\n'.join(scripts),
        )

    def write(self, path: str | os.PathLike[str]) -> Path:
        r"""Writes the page, as a whole; a file that is there is replaced.

        Args:
            path: The file.

        Example:
            >>> import tempfile
            >>> from pathlib import Path
            >>> from pyg_multipose.report import RunPage
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     file = RunPage('A run', 'kT').write(Path(folder, 'a.html'))
            ...     print(file.name)
            a.html
        """
        with atomic_file(path, 'w', encoding='utf-8') as file:
            file.write(self.html())
        return Path(path)

    def _intervals(self) -> tuple[SplitConformal | None, float]:
        """Those of the errors on valid; the test part gets them, too."""
        test, valid = self.parts.get('test'), self.parts.get('valid')
        if test is None or valid is None:
            return None, LEVELS[0]
        use = valid.exact
        for level in LEVELS:
            if use.sum() < 1 / (1 - level) - 1 - 1e-9:
                continue
            fitted = SplitConformal(valid.predicted[use], valid.measured[use])
            half = fitted.quantile(round(1 - level, 12))
            if test.low is None:
                test.low, test.high = (
                    test.predicted - half, test.predicted + half
                )  # fmt: skip
            return fitted, level
        return None, LEVELS[0]

    def _settings(self) -> Section:
        versions = [
            ('pyg_multipose', pyg_multipose.__version__),
            ('Python', platform.python_version()),
            *((name, found) for name in PACKAGES if (found := _version(name))),
        ]
        body: list[Markup] = []
        if self.settings:
            rows = [(k, _setting(v)) for k, v in self.settings.items()]
            body.append(
                tag(
                    'div', table(['option', 'value'], rows, texts=2),
                    class_='configuration',
                )
            )  # fmt: skip
        body.append(tag('h3', 'Versions'))
        body.append(table(['package', 'version'], versions, texts=2))
        return Section('settings', 'Settings and versions', join(body))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _setting(value: Any) -> str:
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return 'not given' if value is None else str(value)


def _json(value: Any) -> str:
    """JSON that nothing in HTML can end."""

    def plain(one: Any) -> Any:
        return one.item() if isinstance(one, np.generic) else str(one)

    text = json.dumps(value, separators=(',', ':'), default=plain)
    return (
        text.replace('<', '\\u003c')
        .replace('>', '\\u003e')
        .replace('&', '\\u0026')
    )
