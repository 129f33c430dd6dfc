r"""Draws docs/images/reach.png: which atoms a ligand changes, layer by layer.

For the first docked pose of a compound of the bundled dataset, in the whole
protein chain and in the pocket that is cut out of it.
Run from anywhere; takes a few seconds:

    python docs/figures/reach.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import torch

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.nn.sharing.reach import Reach
from pyg_multipose.transforms import RadiusGraph

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.collections import LineCollection  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402

PICTURE = Path(__file__).parents[1] / 'images' / 'reach.png'
COMPOUND, LAYERS = 0, 6
#: In angstrom: two cutoffs of models, and the longest bond that is drawn.
CUTOFFS, BOND = (4.5, 6.0), 1.9
#: Of the ligand, of atoms by the layer that changes them, and of the others.
LIGAND, REST = '#111111', '#d3d7db'
COLORS = ['#3b0f70', '#8c2981', '#de4968', '#f7874f', '#f4b942', '#f5e08a']
#: Lines of the lower panels.
DATA = {'pocket': '#d1495b', 'chain': '#1f77b4'}


def pose_of(receptor: str, cutoff: float) -> PoseSet:
    """The first pose of the compound, with edges."""
    dataset = MproMoonshot('test', receptor=receptor)
    return RadiusGraph(cutoff)(dataset[COMPOUND].select([0]))


def reach_of(pose: PoseSet) -> tuple[Reach, int]:
    """How far its ligand reaches, and how many edges there are."""
    size = int(pose.receptor_size)
    edges = pose.edge_index
    within = (edges < size).all(dim=0)
    receptor = edges[:, within]
    receptor = receptor[:, receptor[0].argsort(stable=True)]
    reach = Reach(
        pose.pose_size, edges[:, ~within], receptor, size, LAYERS, False
    )
    return reach, edges.size(1)


def layer_of(reach: Reach, size: int) -> np.ndarray:
    """The layer after which an atom differs; 0 if none."""
    layer = np.zeros(size, dtype=int)
    for number in range(LAYERS, 0, -1):
        layer[reach.atoms(number).numpy()] = number
    return layer


def shares(pose: PoseSet) -> tuple[list[float], list[float]]:
    """Of atoms that differ after a layer, and of edges that it evaluates."""
    reach, edges = reach_of(pose)
    atoms = [
        reach.atoms(number).numel() / int(pose.receptor_size)
        for number in range(1, LAYERS + 1)
    ]
    touching = reach.ligand_edges.size(1)
    sent = [
        (touching + reach.within_receptor(number)[1].numel()) / edges
        for number in range(LAYERS)
    ]
    return atoms, sent


def view() -> tuple[np.ndarray, np.ndarray]:
    """The middle of the chain, and axes that show the ligand on its side."""
    pose = pose_of('chain', CUTOFFS[0])
    pos = pose.pos.double().numpy()
    protein = pos[: int(pose.receptor_size)]
    center = protein.mean(0)
    _, _, axes = np.linalg.svd(protein - center, full_matrices=False)
    # The longest axis goes up; the ligand is turned to the right, and a
    # little to the front.
    out = pos[len(protein) :].mean(0) - center
    up = axes[0]
    right = out - out @ up * up
    right /= np.linalg.norm(right)
    front = np.cross(right, up)
    angle = np.deg2rad(35)
    turned = np.cos(angle) * right - np.sin(angle) * front
    return center, np.stack([turned, up, np.cross(turned, up)])


def draw_atoms(ax: Axes, receptor: str) -> None:
    """The atoms and the bonds between them, those in front last."""
    pose = pose_of(receptor, CUTOFFS[0])
    size = int(pose.receptor_size)
    layer = layer_of(reach_of(pose)[0], size)
    center, axes = view()
    x, y, depth = ((pose.pos.double().numpy() - center) @ axes.T).T
    color = np.array([REST, *COLORS])[layer].tolist()
    color += [LIGAND] * (len(x) - size)
    is_ligand = np.arange(len(x)) >= size
    distance = torch.cdist(pose.pos, pose.pos).numpy()
    first, second = np.nonzero(np.triu(distance < BOND, 1))
    same = is_ligand[first] == is_ligand[second]
    first, second = first[same], second[same]
    # Half bonds, each in the color of its atom.
    ends = np.concatenate([first, second])
    others = np.concatenate([second, first])
    middle = [(v[ends] + v[others]) / 2 for v in (x, y)]
    segments = np.stack(
        [
            np.stack([x[ends], y[ends]], axis=1),
            np.stack(middle, axis=1),
        ],
        axis=1,
    )
    width = np.where(
        is_ligand,
        3.2,
        np.where(np.append(layer, np.ones(len(x) - size)) > 0, 1.5, 0.9),
    )
    order = np.argsort(depth[ends] + 1e3 * is_ligand[ends])
    ax.add_collection(
        LineCollection(
            segments[order],
            colors=[color[i] for i in ends[order]],
            linewidths=width[ends[order]],
            capstyle='round',
        )
    )
    order = np.argsort(depth + 1e3 * is_ligand)
    ax.scatter(
        x[order],
        y[order],
        s=4 * width[order] ** 1.2,
        c=[color[i] for i in order],
        linewidths=0,
        zorder=2,
    )
    share = (layer > 0).mean()
    ax.set_title(
        f'{receptor}, {CUTOFFS[0]} Å: {share:.0%} of {size} atoms differ '
        f'after {LAYERS} layers',
        fontsize=10,
    )
    ax.set_aspect('equal')
    ax.autoscale()
    ax.axis('off')


def main() -> None:
    """Draws all of it."""
    torch.set_num_threads(1)
    figure = plt.figure(figsize=(9, 9), layout='constrained')
    grid = figure.add_gridspec(2, 2, height_ratios=[1.55, 1])
    for column, receptor in enumerate(('chain', 'pocket')):
        draw_atoms(figure.add_subplot(grid[0, column]), receptor)
    atoms, sent = (figure.add_subplot(grid[1, i]) for i in range(2))
    number = range(1, LAYERS + 1)
    for receptor, color in DATA.items():
        for cutoff, style in zip(CUTOFFS, ('o-', 's--'), strict=True):
            for ax, share in zip(
                (atoms, sent), shares(pose_of(receptor, cutoff)), strict=True
            ):
                ax.plot(
                    number,
                    share,
                    style,
                    color=color,
                    ms=4.5,
                    label=f'{receptor}, {cutoff:g} Å',
                )
    atoms.set_title('receptor atoms that differ after a layer', fontsize=10)
    sent.set_title('edges over which a layer sends a change', fontsize=10)
    for ax in (atoms, sent):
        ax.set(xlabel='layer', ylim=(0, 1.03), xticks=number)
        ax.set_yticks(np.linspace(0, 1, 6))
        ax.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0))
        ax.grid(color='#eeeeee')
        ax.set_axisbelow(True)
        ax.spines[['top', 'right']].set_visible(False)
    atoms.legend(frameon=False, fontsize=9)
    entries = [('ligand', LIGAND)]
    entries += [(f'layer {n}', c) for n, c in enumerate(COLORS, 1)]
    entries += [('as in the receptor alone', REST)]
    figure.legend(
        handles=[
            Line2D([], [], color=c, marker='o', ms=7, ls='', label=name)
            for name, c in entries
        ],
        loc='outside upper center',
        ncols=len(entries),
        frameon=False,
        fontsize=9,
        columnspacing=1.0,
        handletextpad=0.2,
    )
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=120)


if __name__ == '__main__':
    main()
