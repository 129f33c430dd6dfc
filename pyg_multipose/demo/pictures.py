r"""The pictures of the demo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch

from pyg_multipose.demo.run import Run
from pyg_multipose.nn.loss import HuberLoss
from pyg_multipose.uncertainty import SplitConformal
from pyg_multipose.uncertainty.bootstrap import LEVEL

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import (  # noqa: E402
    EngFormatter,
    MaxNLocator,
    MultipleLocator,
)

#: The level of the band around predictions.
BAND = 0.9
BASELINE = '#8c6d31'
#: One color for each trained model, in the order of the table.
COLORS = ('#7a7a7a', '#1f77b4', '#d1495b', '#2e8b57')
#: As Any, since the type that matplotlib expects changes.
STYLE: Any = {
    'axes.spines.right': False,
    'axes.spines.top': False,
    'axes.titlesize': 9,
    'figure.constrained_layout.use': True,
    'font.size': 9,
    'legend.frameon': False,
    'savefig.dpi': 150,
}


def draw(run: Run, folder: Path) -> list[Path]:
    r"""Draws all pictures.

    Args:
        run: The numbers.
        folder: Where the files go.
    """
    pictures: dict[str, Callable[[Run], Figure]] = {
        'predictions': predictions,
        'pose_weights': pose_weights,
        'memory': memory,
        'curves': curves,
    }
    paths = []
    with plt.rc_context(STYLE):
        for name, picture in pictures.items():
            paths.append(folder / f'{name}.png')
            figure = picture(run)
            figure.savefig(paths[-1])
            plt.close(figure)
    return paths


def predictions(run: Run) -> Figure:
    r"""Predicted against measured pIC50 of the test compounds.

    Titles have the bootstrap interval of the error; the band is the
    prediction interval of one compound, from the errors on valid.

    Args:
        run: The numbers.
    """
    constant, *rows = run.rows
    measured = run.compounds['test'].measured
    valid = run.compounds['valid'].measured
    level = constant.predicted[0]
    everything = [measured, *(row.predicted for row in rows)]
    ends = np.array(
        [min(map(np.min, everything)), max(map(np.max, everything))]
    ) + [-0.2, 0.2]
    figure, axes = plt.subplots(
        2, 3, figsize=(9, 6.4), sharex=True, sharey=True
    )
    colors = dict(zip([row.name for row in run.trained], COLORS, strict=True))
    for ax, row in zip(axes.flat, rows, strict=True):
        by_split = run.predictions[row.name]
        width = SplitConformal(by_split['valid'], valid).quantile(1 - BAND)
        inside = np.abs(row.predicted - measured) <= width
        ax.fill_between(
            ends, ends - width, ends + width, color='#eeeeee', zorder=0
        )
        ax.plot(ends, ends, color='#aaaaaa', lw=1)
        ax.axhline(level, color='#aaaaaa', lw=1, ls=':')
        ax.scatter(
            measured,
            row.predicted,
            s=22,
            color=colors.get(row.name, BASELINE),
            alpha=0.8,
            linewidths=0,
        )
        ax.set(xlim=ends, ylim=ends, aspect='equal')
        ax.xaxis.set_major_locator(MultipleLocator(1))
        ax.yaxis.set_major_locator(MultipleLocator(1))
        ax.set_title(f'{row.name}\nMAE {row.test["MAE"]}')
        ax.text(
            0.97,
            0.03,
            f'{inside.sum()} of {len(inside)} in the band',
            transform=ax.transAxes,
            ha='right',
            color='#555555',
            fontsize=8,
        )
    figure.supxlabel('measured pIC50', fontsize=9)
    figure.supylabel('predicted pIC50', fontsize=9)
    figure.suptitle(
        f'Test compounds. Titles: {LEVEL:.0%} bootstrap interval. Grey: '
        f'{BAND:.0%} prediction interval of a compound,\nas wide as the '
        f'errors on valid (split conformal). Dotted: {constant.name}.',
        fontsize=9,
    )
    return figure


def pose_weights(run: Run) -> Figure:
    r"""How much each pose of four test compounds counts.

    The compounds are taken evenly along the measured values.

    Args:
        run: The numbers.
    """
    test = run.compounds['test']
    order = np.argsort(test.measured, kind='stable')
    four = [order[int((k + 0.5) / 4 * len(order))] for k in range(4)]
    place_of = {name: k for k, name in enumerate(run.data.names)}
    most = max(len(run.results[1].pose_weights[k]) for k in four)
    several = list(zip(run.results, COLORS, strict=True))[1:]
    figure, axes = plt.subplots(2, 2, figsize=(9, 5.6), sharey=True)
    for ax, number in zip(axes.flat, four, strict=True):
        pose_set = run.data.sets[place_of[test.names[number]]]
        scores = pose_set.vina_score.tolist()
        place = np.arange(len(scores))
        predicted = []
        for k, (result, color) in enumerate(several):
            ax.bar(
                place + 0.27 * (k - 1),
                result.pose_weights[number],
                0.25,
                color=color,
                label=result.name,
            )
            value = result.parts['test'].predicted[number]
            name = result.name.removeprefix('multi-pose ')
            predicted.append(f'{name} {value:.2f}')
        ax.set_title(
            f'{test.names[number]}: measured {test.measured[number]:.2f}\n'
            f'predicted: {", ".join(predicted)}'
        )
        ax.set_xticks(place, [f'{score:.1f}' for score in scores])
        ax.set(xlim=(-0.6, most - 0.4), ylim=(0, 1.02))
    figure.supxlabel(
        'pose, best docked first, by its Vina score in kcal/mol', fontsize=9
    )
    figure.supylabel('weight of the pose', fontsize=9)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc='outside upper center',
        ncols=3,
    )
    return figure


def memory(run: Run) -> Figure:
    r"""Bytes held for backward against the number of poses.

    Args:
        run: The numbers.
    """
    figure, ax = plt.subplots(figsize=(6.5, 4))
    size = EngFormatter('B', places=1)
    markers = dict(zip(run.held, 'os^D', strict=True))
    for mode, held in run.held.items():
        ax.plot(
            list(held),
            list(held.values()),
            marker=markers[mode],
            ms=5,
            label=mode,
        )
        last = max(held)
        ax.annotate(
            f'{mode}: {size(held[last])}',
            (last, held[last]),
            xytext=(8, 0),
            textcoords='offset points',
            va='center',
        )
    counts = list(next(iter(run.held.values())))
    ax.set_xscale('log', base=2)
    ax.set_yscale('log')
    ax.set_xticks(counts, [str(count) for count in counts])
    # Room for the names.
    ax.set_xlim(counts[0] / 1.3, counts[-1] * counts[-1] ** 0.4)
    ax.yaxis.set_major_formatter(EngFormatter('B'))
    ax.set(
        xlabel='poses in the set',
        ylabel='bytes held for backward',
        title='Live tensors at the end of forward (Mean), beside parameters '
        'and inputs',
    )
    ax.grid(color='#eeeeee')
    return figure


def curves(run: Run) -> Figure:
    r"""Losses on train and valid, epoch by epoch.

    Args:
        run: The numbers.
    """
    constant = run.baselines[0].name
    huber = HuberLoss()
    figure, axes = plt.subplots(1, 4, figsize=(9, 3), sharey=True)
    panels = zip(axes, run.results, COLORS, strict=True)
    for ax, result, color in panels:
        epochs = np.arange(1, len(result.train_curve) + 1)
        ax.plot(epochs, result.train_curve, color=color, ls='--')
        ax.plot(epochs, result.valid_curve, color=color)
        for part, style in (('train', '--'), ('valid', '-')):
            loss = huber(
                torch.from_numpy(run.predictions[constant][part]),
                torch.from_numpy(run.compounds[part].measured),
            )
            ax.axhline(float(loss), color='#bbbbbb', ls=style, lw=1, zorder=0)
        ax.set_title(result.name)
        ax.set_xlabel('epoch')
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes[0].set_ylabel('Huber loss (pIC50)')
    styles = {'train, while it is learned': '--', 'valid': '-'}
    handles = [
        plt.Line2D([], [], color='#333333', ls=style, label=label)
        for label, style in styles.items()
    ]
    handles.append(
        plt.Line2D([], [], color='#bbbbbb', label=f'grey: {constant}')
    )
    figure.legend(handles=handles, loc='outside lower center', ncols=3)
    return figure
