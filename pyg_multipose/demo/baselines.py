r"""What needs no network."""

from __future__ import annotations

import numpy as np

from pyg_multipose.demo.compounds import Compounds


def baselines(
    train: Compounds, others: dict[str, Compounds]
) -> dict[str, dict[str, np.ndarray]]:
    r"""Predictions of pIC50 by name and split, all fitted on train.

    Args:
        train: What constants and lines are fitted on.
        others: Splits to predict, by name.
    """
    lines = {
        'ligand size alone': 'heavy_atoms',
        'best Vina score': 'vina_best',
    }
    mean = train.pic50.mean()
    out = {
        'mean of training labels': {
            split: np.full(len(part.pic50), mean)
            for split, part in others.items()
        }
    }
    for name, column in lines.items():
        slope, intercept = np.polyfit(getattr(train, column), train.pic50, 1)
        out[name] = {
            split: slope * getattr(part, column) + intercept
            for split, part in others.items()
        }
    return out
