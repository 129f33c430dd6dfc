"""A picture of the poses of a set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyg_multipose.explain.attribution import Attribution

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BAR, _POSE, _SET = '#1f77b4', '#444444', '#d1495b'


def plot_poses(
    attribution: Attribution,
    unit: str = 'kT',
    figure: Figure | None = None,
) -> Figure:
    r"""Draws the weight of each pose of a set above its prediction.

    Args:
        attribution: Of one set, such as :obj:`attribution["name"]`.
        unit: The unit of the predictions, for the axis.
            (default: :obj:`"kT"`)
        figure: An empty figure to draw on. (default: :obj:`None`, a new one)

    Returns:
        The figure.

    Raises:
        ValueError: If it is of several sets.
        ImportError: If matplotlib is not installed.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.explain import Attribution, plot_poses
        >>> from pyg_multipose.nn import MeanCombination
        >>> z = torch.tensor([6])
        >>> poses = [Data(z=z, pos=torch.full((1, 3), x)) for x in (0.0, 1.0)]
        >>> pose_set = PoseSet.from_poses(poses, name='a')
        >>> energy, energies = torch.tensor([-8.0]), torch.tensor([-9.0, -7.0])
        >>> outputs = energy, energies, torch.tensor([0.5, 0.5])
        >>> mean = MeanCombination()
        >>> explained = Attribution.from_outputs(mean, pose_set, *outputs)

        >>> figure = plot_poses(explained)
        >>> len(figure.axes)
        2
    """
    if len(attribution) != 1:
        raise ValueError(
            f'Expected the attribution of one set, got that of '
            f"{len(attribution)}; take one by attribution['name']"
        )
    try:
        from matplotlib import figure as figures
    except ImportError as error:
        raise ImportError(
            "Pictures need matplotlib: pip install 'pyg_multipose[viz]'"
        ) from error
    if figure is None:
        figure = figures.Figure(figsize=(6, 3.6), layout='constrained')
    top, bottom = figure.subplots(2, 1, sharex=True)
    pose = np.arange(attribution.num_poses)
    top.bar(pose, attribution.weight.numpy(), color=_BAR)
    top.axhline(0, color='#999999', lw=0.8)
    top.set_ylabel('weight')
    effective = float(attribution.num_effective)
    top.set_title(
        f'{attribution.names[0] or "a set"}: '
        + (
            f'{effective:.2f} of {len(pose)} poses count'
            if np.isfinite(effective)
            else 'weights are no distribution'
        )
    )
    combined = float(attribution.prediction)
    bottom.plot(
        pose, attribution.pose_prediction.numpy(), 'o', color=_POSE,
        label='pose',
    )  # fmt: skip
    bottom.axhline(combined, color=_SET, lw=1.2, label='combined')
    bottom.set(xlabel='pose', ylabel=f'prediction ({unit})')
    bottom.set_xticks(pose if len(pose) <= 20 else pose[:: len(pose) // 10])
    bottom.legend(frameon=False, ncols=2, fontsize='small')
    for ax in (top, bottom):
        ax.spines[['top', 'right']].set_visible(False)
    return figure
