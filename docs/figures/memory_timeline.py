r"""Draws docs/images/memory-timeline.png: live bytes during a training step.

One compound of the bundled dataset, a small network after eight epochs, every
gradient mode. Bytes and work are counted, not timed, and the same in every
run. Run from anywhere; takes about a minute:

    python docs/figures/memory_timeline.py
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
import torch
from matplotlib.axes import Axes
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch_geometric.loader import DataLoader

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.gradient import LiveBytes
from pyg_multipose.nn import (
    Combination,
    MaxCombination,
    MeanCombination,
    MultiPoseReadout,
)
from pyg_multipose.nn.models import EquivariantGNN
from pyg_multipose.transforms import RadiusGraph

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.ticker import EngFormatter  # noqa: E402

PICTURE = Path(__file__).parents[1] / 'images' / 'memory-timeline.png'
FORWARD, BACKWARD = '#1f77b4', '#d1495b'
CUTOFF, POSES = 4.5, 9  # angstrom
BUDGET = 18_000_000
MODES = ('full', 'store', 'stream', 'recompute', 'auto')
COMBINATIONS = {
    'Mean: every pose matters': MeanCombination(),
    'Max, t = 1000: few poses matter': MaxCombination(),
}
size = EngFormatter('B', places=0)


class Timeline(LiveBytes):
    r"""Live bytes after every operation, against the work so far.

    Work is what operations read and write, in bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.work, self.live = [0], [0]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Counts, and passes on."""
        out = super().__torch_dispatch__(func, types, args, kwargs)
        touched = sum(
            leaf.numel() * leaf.element_size()
            for leaf in tree_leaves((args, kwargs, out))
            if isinstance(leaf, Tensor)
        )
        self.work.append(self.work[-1] + touched)
        self.live.append(self.held())
        return out


def loss_of(energy: Tensor, batch: PoseSet) -> Tensor:
    """That of training: pIC50 from free energies in kT."""
    return (-energy / math.log(10) - batch.y).square().mean()


def train(model: torch.nn.Module, batches: Iterable[PoseSet]) -> None:
    """Eight epochs, after which a sharp minimum tells poses apart."""
    readout = MultiPoseReadout(model, 'max')
    optimizer = torch.optim.Adam(readout.parameters(), lr=5e-3)
    for _ in range(8):
        for batch in batches:
            optimizer.zero_grad()
            loss_of(readout(batch), batch).backward()
            optimizer.step()


def readout_of(
    model: torch.nn.Module, combination: Combination, mode: str
) -> MultiPoseReadout:
    """The modes by themselves: whole complexes, one pose at a time."""
    return MultiPoseReadout(
        model,
        combination,
        mode,
        max_nodes_per_chunk=1,
        memory_budget=BUDGET if mode == 'auto' else None,
        share_receptor=False,
    )


def step(readout: MultiPoseReadout, batch: PoseSet) -> tuple[Timeline, int]:
    """The timeline of one step, and where forward ended."""
    readout.zero_grad()
    with Timeline() as timeline:
        loss = loss_of(forward(readout, batch), batch)
        end = len(timeline.live) - 1
        loss.backward()
    return timeline, end


def forward(readout: MultiPoseReadout, batch: PoseSet) -> Tensor:
    """The combined prediction."""
    if readout.gradient != 'auto':
        return readout(batch)
    # It would stream; asking for the poses makes it hold graphs.
    return readout(batch, return_poses=True)[0]


def draw(
    ax: Axes, readout: MultiPoseReadout, batch: PoseSet, unit: float
) -> None:
    """One panel."""
    for _ in range(12):  # `auto` learns how many poses matter
        loss_of(forward(readout, batch), batch).backward()
    timeline, end = step(readout, batch)
    live = [held / 1e6 for held in timeline.live]
    passes = [work / unit for work in timeline.work]
    for part, color in (
        (slice(0, end + 1), FORWARD),
        (slice(end, None), BACKWARD),
    ):
        ax.fill_between(
            passes[part], live[part], step='post', color=color, lw=0.8
        )
    ax.axvline(passes[end], color='#555555', lw=1, ls=':')
    held, most = timeline.live[end], max(timeline.live)
    ax.text(
        0.985,
        0.95,
        f'peak {size(most)}\nheld {size(held)}\nwork {passes[-1]:.0f} passes',
        transform=ax.transAxes,
        ha='right',
        va='top',
        linespacing=1.4,
    )
    plan = readout.last_plan
    print(
        f'{readout.gradient:10} {plan.mode:10} held {held:>11,} peak '
        f'{most:>11,} work {passes[-1]:5.1f} {plan.counts.backward} backward'
    )


def main() -> None:
    """Counts and draws."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sets = list(MproMoonshot('train', transform=RadiusGraph(CUTOFF)))
    model = EquivariantGNN(
        '8x0e+4x1o',
        num_layers=2,
        cutoff=CUTOFF,
        lmax=1,
        radial_channels=16,
        atoms='ligand',
        mean=-12.0,  # in kT
        std=0.4,
    )
    train(model, DataLoader(sets[:80], batch_size=4, shuffle=True))
    batch = next(s for s in sets if s.num_poses == POSES)
    readout = readout_of(model, MeanCombination(), 'full')
    readout(batch)  # a first call looks at the model
    with torch.no_grad(), Timeline() as timeline:
        readout(batch)
    unit = timeline.work[-1] / POSES
    figure, panels = plt.subplots(
        len(MODES),
        len(COMBINATIONS),
        figsize=(9, 8.5),
        sharex=True,
        sharey=True,
        layout='constrained',
    )
    for column, (title, combination) in enumerate(COMBINATIONS.items()):
        print(title)
        panels[0, column].set_title(title)
        for row, mode in enumerate(MODES):
            ax = panels[row, column]
            draw(ax, readout_of(model, combination, mode), batch, unit)
            ax.grid(color='#eeeeee')
            ax.set_axisbelow(True)
            ax.spines[['top', 'right']].set_visible(False)
            if not column:
                name = f'{mode}\n({size(BUDGET)})' if mode == 'auto' else mode
                ax.set_ylabel(name, rotation=0, ha='right', fontweight='bold')
    figure.supylabel('live tensors of the step (MB)', fontsize=10)
    figure.supxlabel(
        'work so far, in forward passes over one pose', fontsize=10
    )
    panels[0, 0].set_xlim(0)
    panels[0, 0].set_ylim(0)
    handles = [
        plt.Rectangle((0, 0), 1, 1, color=color, label=label)
        for label, color in (('forward', FORWARD), ('backward', BACKWARD))
    ]
    figure.legend(
        handles=handles, loc='outside upper center', ncols=2, frameon=False
    )
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=150)


if __name__ == '__main__':
    main()
