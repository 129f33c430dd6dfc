"""Tables and the curve, from what was predicted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

from benchmarks.learning import scores
from benchmarks.learning.complexes import LN10
from benchmarks.learning.predictions import of_baselines, of_way
from benchmarks.learning.runs import Outcomes
from benchmarks.learning.scores import Predicted
from benchmarks.learning.settings import Settings
from benchmarks.learning.training import Job, Task, sets
from benchmarks.learning.ways import Way
from benchmarks.table import markdown
from pyg_multipose.uncertainty import Estimate

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402


def jobs(task: Task, ways: Sequence[Way], s: Settings) -> list[Job]:
    r"""What has to be trained for a table.

    Args:
        task: What is learned.
        ways: The rows.
        s: How many seeds.
    """
    return [
        Job(task, way.training, seed, s)
        for way in ways
        for seed in range(s.seeds)
    ]


def table(
    task: Task,
    ways: Sequence[Way],
    outcomes: Outcomes,
    s: Settings,
    baselines: bool = True,
) -> str:
    r"""A table of ways, as Markdown.

    Args:
        task: What was learned.
        ways: The rows.
        outcomes: What was trained for them.
        s: The settings.
        baselines: Whether rows without a network come first.
    """
    seeds = range(s.seeds)
    rows: dict[str, list[Predicted]] = {}
    if baselines:
        for seed in seeds:
            for name, found in of_baselines(task, seed, s).items():
                rows.setdefault(name, []).append(found)
    for way in ways:
        rows[way.name] = predictions(task, way, outcomes, s)
    planted = task.label == 'planted'
    head = ['MAE, kT', 'Spearman'] if planted else ['MAE, pIC50', 'Spearman']
    lines = [['', *(['top-1'] if planted else []), *head]]
    for name, found in rows.items():
        cells = [scores.estimate(scores.error, found, s.resamples)]
        if not planted:
            cells = [_scaled(cells[0])]
        cells.append(scores.estimate(scores.rank, found, s.resamples))
        if planted:
            cells.insert(0, scores.estimate(scores.top_1, found, s.resamples))
        lines.append([name, *map(str, cells)])
    return markdown(lines)


def predictions(
    task: Task, way: Way, outcomes: Outcomes, s: Settings
) -> list[Predicted]:
    r"""What a way predicts, seed by seed.

    Args:
        task: What was learned.
        way: The way.
        outcomes: What was trained.
        s: The settings.
    """
    return [
        of_way(
            way,
            outcomes[Job(task, way.training, seed, s)],
            sets(task, 'test', seed, s),
            seed,
        )
        for seed in range(s.seeds)
    ]


def curve(
    tasks: Sequence[Task], ways: Sequence[Way], outcomes: Outcomes, s: Settings
) -> dict[str, list[Estimate]]:
    r"""Top-1 by way, for one task after the other.

    Args:
        tasks: What was learned, by the number of training sets.
        ways: The lines.
        outcomes: What was trained.
        s: The settings.
    """
    return {
        way.name: [
            scores.estimate(
                scores.top_1,
                predictions(task, way, outcomes, s),
                s.resamples,
            )
            for task in tasks
        ]
        for way in ways
    }


def curve_table(
    names: Sequence[str], curves: dict[str, list[Estimate]]
) -> str:
    r"""The curve as Markdown.

    Args:
        names: Of the training sets.
        curves: Top-1 by way.
    """
    lines = [['trained on', *curves]]
    for row, name in enumerate(names):
        lines.append([name, *(str(line[row]) for line in curves.values())])
    return markdown(lines)


def draw(
    counts: Sequence[int],
    generated: dict[str, list[Estimate]],
    docked: tuple[int, dict[str, list[Estimate]]],
    path: Path,
) -> Path:
    r"""Draws top-1 against the number of training sets.

    Args:
        counts: How many generated sets.
        generated: Top-1 by way, for these.
        docked: How many docked sets, and top-1 for those.
        path: The picture.
    """
    style = {
        'axes.spines.right': False,
        'axes.spines.top': False,
        'font.size': 9,
        'legend.frameon': False,
        'svg.fonttype': 'none',
        'svg.hashsalt': 'pyg_multipose',
    }
    with plt.rc_context(style):
        figure, axes = plt.subplots(figsize=(6.4, 3.4), layout='constrained')
        colors = ('#0072b2', '#d55e00', '#009e73', '#cc79a7')
        for (name, line), color in zip(
            generated.items(), colors, strict=False
        ):
            values = [one.value for one in line]
            below = [one.value - one.low for one in line]
            above = [one.high - one.value for one in line]
            axes.errorbar(
                counts, values, [below, above], color=color, marker='o',
                markersize=4, capsize=2, label=name,
            )  # fmt: skip
            count, at = docked
            axes.plot(
                count, at[name][0].value, color=color, marker='s', mfc='none',
                linestyle='',
            )  # fmt: skip
        axes.set_xscale('log')
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.minorticks_off()
        axes.set_ylim(0, 1.03)
        axes.set_xlabel(
            'training sets, labelled as a whole (lines: generated)'
        )
        axes.set_ylabel('best pose of docked test sets found')
        axes.plot([], [], 'ks', mfc='none', markersize=4, label='docked sets')
        axes.legend(fontsize=8, loc='center left', bbox_to_anchor=(1.0, 0.5))
        figure.savefig(path, metadata={'Date': None})
        plt.close(figure)
    return path


def _scaled(one: Estimate) -> Estimate:
    return Estimate(*(x / LN10 for x in (one.value, one.low, one.high)))
