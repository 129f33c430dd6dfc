"""Poses in 3-D, in a notebook."""

from __future__ import annotations

from typing import Any

from pyg_multipose.data import PoseSet
from pyg_multipose.explain.attribution import Attribution
from pyg_multipose.explain.scene import scene


def view_poses(
    attribution: Attribution,
    pose_set: PoseSet,
    width: int = 640,
    height: int = 480,
) -> Any:
    r"""Shows the poses of a set in its receptor, coloured by weight.

    Args:
        attribution: As in :func:`scene`.
        pose_set: As in :func:`scene`.
        width: In pixels. (default: :obj:`640`)
        height: In pixels. (default: :obj:`480`)

    Returns:
        A :obj:`py3Dmol.view`, which a notebook shows. The page loads 3Dmol
        from the internet.

    Raises:
        ImportError: If py3Dmol is not installed.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.explain import Attribution, view_poses
        >>> from pyg_multipose.nn import MeanCombination
        >>> z = torch.tensor([6])
        >>> poses = [Data(z=z, pos=torch.full((1, 3), x)) for x in (0.0, 1.0)]
        >>> pose_set = PoseSet.from_poses(poses, name='a')
        >>> energy, energies = torch.tensor([-8.0]), torch.tensor([-9.0, -7.0])
        >>> outputs = energy, energies, torch.tensor([0.5, 0.5])
        >>> mean = MeanCombination()
        >>> explained = Attribution.from_outputs(mean, pose_set, *outputs)

        >>> view_poses(explained, pose_set)  # doctest: +SKIP
    """
    models = scene(attribution, pose_set)
    try:
        import py3Dmol
    except ImportError as error:
        raise ImportError(
            "3-D views need py3Dmol: pip install 'pyg_multipose[view]'"
        ) from error
    view = py3Dmol.view(width=width, height=height)
    for number, model in enumerate(models):
        view.addModel(model.text, model.format)
        view.setStyle({'model': number}, model.style)
    poses = range(len(models) - pose_set.num_poses, len(models))
    view.zoomTo({'model': list(poses)})
    return view
