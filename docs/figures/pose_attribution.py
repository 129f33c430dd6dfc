r"""Draws docs/images/pose-attribution.png: which pose of a compound counts.

Vina scores of a test compound in kT, combined to a free energy. Run from
anywhere:

    python docs/figures/pose_attribution.py
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.explain import explain, plot_poses
from pyg_multipose.nn import MultiPoseReadout

PICTURE = Path(__file__).parents[1] / 'images' / 'pose-attribution.png'
KT = 0.593  # kcal/mol at 298 K


class VinaScore(torch.nn.Module):
    """The score of a pose in kT."""

    def forward(self, batch: PoseSet) -> Tensor:
        """Scores poses."""
        return batch.vina_score / KT


def main() -> None:
    """Explains and draws."""
    readout = MultiPoseReadout(VinaScore(), 'free_energy')
    figure = plot_poses(explain(readout, MproMoonshot('test')[0]))
    figure.savefig(PICTURE, dpi=150)


if __name__ == '__main__':
    main()
