"""Time and memory against the number of poses, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.cases import MODELS
from benchmarks.settings import Settings
from benchmarks.table import TITLES
from benchmarks.tasks import SHOWN
from benchmarks.timing import Figure
from benchmarks.ways import WAYS

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

#: The colours of Okabe and Ito, which everybody can tell apart; ways of ours
#: are solid lines, those of others dashed, and with hollow marks the receptor
#: is shared.
COLOURS = dict(
    zip(
        SHOWN,
        (
            '#000000',
            '#999999',
            '#e69f00',
            '#cc79a7',
            '#56b4e9',
            '#009e73',
            '#0072b2',
            '#d55e00',
            '#d55e00',
        ),
        strict=True,
    )
)
#: As Any, since the type that matplotlib expects changes.
STYLE: Any = {
    'axes.spines.right': False,
    'axes.spines.top': False,
    'axes.titlesize': 9,
    'figure.constrained_layout.use': True,
    'font.size': 9,
    'legend.frameon': False,
    'svg.fonttype': 'none',
    'svg.hashsalt': 'pyg_multipose',
}
PICTURES = {
    'bench-time': ('time', 'median', 'seconds per training step'),
    'bench-memory': ('memory', 'peak_bytes', 'peak memory of a step'),
}


def draw(report: dict[str, Any], folder: Path) -> list[Path]:
    r"""Draws what there are figures for.

    Args:
        report: The report.
        folder: Where the files go.
    """
    small = min(
        (f['case']['data'] for f in report['figures'] if _size(f)),
        key=lambda data: int(data.partition('-')[2]),
        default='',
    )
    s = Settings(**{k: report['settings'][k] for k in ('device', 'quick')})
    counts = (1, s.few, s.many, s.most)
    paths = []
    for name, (kind, key, label) in PICTURES.items():
        figures = [
            figure
            for figure in report['figures']
            if figure['kind'] == kind
            and figure['case']['loss'] == 'max1000'
            and figure['case']['poses'] in counts
            and figure['way'] in SHOWN
            and key in figure
        ]
        if not figures:
            continue
        paths.append(folder / f'{name}.svg')
        with plt.rc_context(STYLE):
            _draw(figures, (small, 'pocket'), key, label, paths[-1], report)
    return paths


def _draw(
    figures: Sequence[Figure],
    columns: Sequence[str],
    key: str,
    label: str,
    path: Path,
    report: dict[str, Any],
) -> None:
    figure, axes = plt.subplots(2, 2, figsize=(8, 6.6), sharey=True)
    for model, row in zip(MODELS, axes, strict=True):
        for data, ax in zip(columns, row, strict=True):
            _panel(ax, figures, model, data, key)
        row[0].set_ylabel(f'{TITLES[model]}: {label}')
    titles = {'pocket': 'docked poses in a pocket, 515 atoms'}
    for data, ax in zip(columns, axes[0], strict=True):
        ax.set_title(
            titles.get(data, f'generated, {data.partition("-")[2]} atoms')
        )
    for ax in axes[1]:
        ax.set_xlabel('poses')
    lines = {
        line.get_label(): line for ax in axes.flat for line in ax.get_lines()
    }
    drawn = [name for name in SHOWN if name in lines]
    figure.legend(
        [lines[name] for name in drawn],
        [f'{name} (ours)' if WAYS[name].ours else name for name in drawn],
        loc='outside lower center',
        ncols=3,
    )
    if report['settings']['quick']:
        figure.suptitle('a quick run: not a measurement', color='#d55e00')
    figure.savefig(path, metadata={'Date': None})
    plt.close(figure)


def _panel(
    ax: Axes, figures: Sequence[Figure], model: str, data: str, key: str
) -> None:
    counts = set()
    for way in SHOWN:
        points = sorted(
            (figure['case']['poses'], figure[key])
            for figure in figures
            if figure['way'] == way
            and figure['case']['model'] == model
            and figure['case']['data'] == data
        )
        if not points:
            continue
        counts |= {poses for poses, _ in points}
        ax.plot(
            *zip(*points, strict=True),
            color=COLOURS[way],
            ls='-' if WAYS[way].ours else '--',
            marker='o' if WAYS[way].ours else 's',
            mfc='white' if WAYS[way].share else None,
            ms=3.5,
            lw=1.4,
            label=way,
        )
    ax.set_xscale('log')
    ax.set_yscale('log')
    ax.set_xticks(sorted(counts), [str(count) for count in sorted(counts)])
    ax.xaxis.set_minor_locator(NullLocator())
    unit = _bytes if key.endswith('bytes') else _seconds
    ax.yaxis.set_major_formatter(FuncFormatter(unit))
    ax.grid(color='#eeeeee')


def _size(figure: Figure) -> bool:
    return figure['case'].get('data', '').startswith('generated-')


def _bytes(value: float, _: Any = None) -> str:
    for unit in ('B', 'kB', 'MB'):
        if value < 1000:
            return f'{value:g} {unit}'
        value /= 1000
    return f'{value:g} GB'


def _seconds(value: float, _: Any = None) -> str:
    return f'{value:g} s' if value >= 1 else f'{value * 1000:g} ms'
