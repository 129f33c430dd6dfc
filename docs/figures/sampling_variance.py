r"""Draws docs/images/sampling-variance.png: how noisy sampled backward is.

For docked poses of the bundled dataset, the squared error of the gradient
with `backward_poses=K`: by the formula of docs/concepts.md, and measured.
Run from anywhere; takes less than a minute:

    python docs/figures/sampling_variance.py
"""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib
import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader
from torch_geometric.utils import scatter

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.gradient import Counts, Gate, draw
from pyg_multipose.nn import MaxCombination, MeanCombination, MultiPoseReadout
from pyg_multipose.transforms import RadiusGraph

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402

PICTURE = Path(__file__).parents[1] / 'images' / 'sampling-variance.png'
#: In angstrom.
CUTOFF = 6.0
SETS, POSES, DRAWS = 8, 9, 3000
COMBINATIONS = {
    'Mean': (MeanCombination(), '#1f77b4'),
    'Max, t = 1': (MaxCombination(scale=1.0), '#d1495b'),
}


class Contacts(nn.Module):
    r"""A sum over contacts of ligand and receptor, by length and elements.

    Energies in kT.
    """

    def __init__(self) -> None:
        super().__init__()
        self.elements = nn.Embedding(54, 8)
        self.mlp = nn.Sequential(
            nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 1)
        )

    def forward(self, batch: Batch) -> Tensor:
        """The energies of the poses."""
        source, target = batch.edge_index
        between = batch.is_ligand[target] & ~batch.is_ligand[source]
        source, target = source[between], target[between]
        length = (batch.pos[source] - batch.pos[target]).norm(dim=1)
        center = torch.linspace(2.0, CUTOFF, 16, dtype=length.dtype)
        radial = torch.exp(-2 * (length.unsqueeze(1) - center).square())
        pair = [self.elements(batch.z[atoms]) for atoms in (source, target)]
        fades = 0.5 + 0.5 * torch.cos(math.pi * length / CUTOFF)
        energy = self.mlp(torch.cat([radial, *pair], dim=1)).squeeze(1)
        return scatter(fades * energy, batch.batch[target], 0, len(batch))


def loss_of(combined: Tensor, batch: Batch) -> Tensor:
    """That of training: pIC50 from free energies in kT."""
    return (-combined / math.log(10) - batch.y).square().mean()


def terms(readout: MultiPoseReadout, batch: Batch) -> tuple[Tensor, Tensor]:
    """The derivatives of the predictions, and their coefficients."""
    parameters = list(readout.parameters())
    combined, poses = readout(batch, return_poses=True)
    rows = [
        torch.autograd.grad(pose, parameters, retain_graph=True)
        for pose in poses
    ]
    (c,) = torch.autograd.grad(loss_of(combined, batch), poses)
    return torch.stack([_flat(row) for row in rows]), c


def expected(c: Tensor, derivatives: Tensor, count: int) -> float:
    """The mean squared error, by the formula."""
    error = 0.0
    for of_set, rows in zip(
        c.split(POSES), derivatives.split(POSES), strict=True
    ):
        g = of_set.unsqueeze(1) * rows
        p = of_set.abs() / of_set.abs().sum()
        second = (g.square().sum(1) / p).sum() - g.sum(0).square().sum()
        error += second.item() / count
    return error


def measured(
    readout: MultiPoseReadout,
    c: Tensor,
    derivatives: Tensor,
    batch: Batch,
    count: int,
) -> float:
    """The mean squared error over many draws."""
    layout, every = Layout(batch), [np.arange(len(c))]
    generator = torch.Generator().manual_seed(0)
    rows = []
    for _ in range(DRAWS):
        leaf = torch.zeros_like(c, requires_grad=True)
        draws = draw(layout, count, generator)
        Gate.apply(layout, None, draws, Counts(), every, leaf).backward(c)
        rows.append(leaf.grad)
    gradients = torch.stack(rows) @ derivatives
    # The first is what a readout gives, which starts at seed 0 too.
    readout = MultiPoseReadout(
        readout.model,
        readout.combination,
        'recompute',
        backward_poses=count,
    )
    loss = loss_of(readout(batch), batch)
    first = torch.autograd.grad(loss, list(readout.parameters()))
    assert torch.allclose(gradients[0], _flat(first), rtol=1e-6)
    off = gradients - c @ derivatives
    return off.square().sum(1).mean().item()


def train(readout: MultiPoseReadout) -> None:
    """One epoch, after which poses differ."""
    dataset = MproMoonshot('train', transform=RadiusGraph(CUTOFF))
    optimizer = torch.optim.Adam(readout.parameters(), lr=1e-2)
    for batch in DataLoader(_double(dataset), batch_size=20, shuffle=True):
        optimizer.zero_grad()
        loss_of(readout(batch), batch).backward()
        optimizer.step()


def _flat(tensors: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])


def main() -> None:
    """Measures and draws."""
    torch.set_num_threads(1)
    dataset = MproMoonshot('test', transform=RadiusGraph(CUTOFF))
    sets = [s for s in _double(dataset) if int(s.set_size) == POSES]
    batch = Batch.from_data_list(sets[:SETS])
    counts = list(range(1, POSES))
    figure, ax = plt.subplots(figsize=(5.5, 3.8), layout='constrained')
    for name, (combination, color) in COMBINATIONS.items():
        torch.manual_seed(0)
        readout = MultiPoseReadout(Contacts().double(), combination, 'full')
        train(readout)
        derivatives, c = terms(readout, batch)
        g = c @ derivatives
        scale = g.square().sum().item()
        line = [expected(c, derivatives, k) / scale for k in counts]
        dots = [
            measured(readout, c, derivatives, batch, k) / scale for k in counts
        ]
        off = max(abs(d / e - 1) for d, e in zip(dots, line, strict=True))
        print(
            f'{name}: K = 1: {line[0]:.3g}, K = {counts[-1]}: {line[-1]:.3g}; '
            f'measured differs by at most {off:.1%}'
        )
        ax.plot(counts, line, color=color, label=name)
        ax.plot(counts, dots, 'o', color=color, ms=5)
    ax.set(
        xscale='log',
        yscale='log',
        xlim=(0.9, 1.4 * POSES),
        xlabel=f'K, drawn from each set of {POSES} poses',
        ylabel='mean squared error / squared norm',
        title='Line: formula. Points: measured',
    )
    every = [*counts, POSES]
    ax.set_xticks(every, [str(count) for count in every])
    ticks = [2e-4, 5e-4, 1e-3, 2e-3, 5e-3]
    ax.set_yticks(ticks, [f'{tick:.2%}' for tick in ticks])
    ax.minorticks_off()
    ax.set_ylim(1.5e-4, 5e-3)
    ax.axvline(POSES, color='#aaaaaa', lw=1, ls=':')
    ax.annotate(
        f'K = {POSES}:\nnothing is\ndrawn, exact',
        (POSES, 5e-3),
        xytext=(4, -4),
        textcoords='offset points',
        va='top',
        fontsize=8,
        color='#555555',
    )
    ax.legend(loc='lower left', frameon=False)
    ax.grid(color='#eeeeee')
    ax.set_axisbelow(True)
    ax.spines[['top', 'right']].set_visible(False)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=150)


def _double(dataset: MproMoonshot) -> list[PoseSet]:
    sets = list(dataset)
    for pose_set in sets:
        for key in ('pos', 'y'):
            pose_set[key] = pose_set[key].double()
    return sets


if __name__ == '__main__':
    main()
