r"""Draws docs/images/combinations.png: what the number of poses does.

The combined prediction of poses that are equal, and of poses that differ by
noise alone, by each combination of docs/combinations.md.
Run from anywhere; takes seconds:

    python docs/figures/combinations.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import torch
from torch import Tensor

from pyg_multipose.nn import (
    BoltzmannMeanCombination,
    Combination,
    FreeEnergyCombination,
    HardMaxCombination,
    LogMeanExpCombination,
    MeanCombination,
    TopKMeanCombination,
)

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402

PICTURE = Path(__file__).parents[1] / 'images' / 'combinations.png'
COUNTS = [1, 2, 3, 5, 9, 16, 32, 64, 128]
#: Number of sets, and standard deviation of the noise in kT.
SETS, NOISE = 20_000, 1.0
COMBINATIONS: dict[str, tuple[Combination, str]] = {
    'mean': (MeanCombination(), '#777777'),
    'log-mean-exp, t = 1': (LogMeanExpCombination(), '#66a61e'),
    'Boltzmann mean, t = 1': (BoltzmannMeanCombination(), '#1f77b4'),
    'mean of the best 3': (TopKMeanCombination(3), '#e6ab02'),
    'best pose': (HardMaxCombination(), '#d1495b'),
    'free energy': (FreeEnergyCombination(), '#7570b3'),
}


def combined(combination: Combination, energies: Tensor) -> Tensor:
    """The combined predictions of sets, one a row."""
    sets, count = energies.shape
    index = torch.arange(sets).repeat_interleave(count)
    return combination(energies.reshape(-1), index, dim_size=sets, dim=0)


def main() -> None:
    """Computes and draws."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    figure, axes = plt.subplots(
        1, 2, figsize=(8.5, 3.6), sharey=True, layout='constrained'
    )
    noise = {
        count: NOISE * torch.randn(SETS, count, generator=generator).double()
        for count in COUNTS
    }
    for name, (combination, color) in COMBINATIONS.items():
        least = getattr(combination, 'k', 1)
        counts = [count for count in COUNTS if count >= least]
        equal = [
            combined(combination, torch.zeros(1, count).double()).item()
            for count in counts
        ]
        noisy = [
            combined(combination, noise[count]).mean().item()
            for count in counts
        ]
        shift = ', '.join(
            f'{count}: {value:.2f}'
            for count, value in zip(counts, noisy, strict=True)
        )
        print(f'{name}, noise of 1 kT: {shift}')
        for ax, values in zip(axes, (equal, noisy), strict=True):
            ax.plot(counts, values, 'o-', color=color, ms=3.5, label=name)
    axes[0].set_title('equal poses (all others: 0)', fontsize=10)
    axes[1].set_title('noise of 1 kT, no other difference', fontsize=10)
    axes[0].set_ylabel('combined less true energy (kT)')
    for ax in axes:
        ax.set_xscale('log')
        ax.set_xticks(COUNTS[::2], [str(count) for count in COUNTS[::2]])
        ax.minorticks_off()
        ax.set_xlabel('poses in the set')
        ax.grid(color='#eeeeee')
        ax.set_axisbelow(True)
        ax.spines[['top', 'right']].set_visible(False)
    axes[0].legend(loc='lower left', frameon=False, fontsize=8)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=150)


if __name__ == '__main__':
    main()
