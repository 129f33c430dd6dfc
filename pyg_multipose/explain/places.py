"""Where each pose is, in a few numbers that tell poses apart."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch_geometric.utils import scatter

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.data.rows import ligand_rows

#: How far apart two places of one pose may be, in Angstrom.
NEAR = 0.01


def pose_of_row(layout: Layout) -> np.ndarray:
    r"""The pose of each atom of a batch, -1 for atoms of a receptor.

    Args:
        layout: The layout of the batch.
    """
    first = layout.set_ptr[:-1]
    size = np.insert(layout.pose_size, first, layout.receptor_size)
    number = np.insert(np.arange(layout.num_poses), first, -1)
    return np.repeat(number, size)


def places_of(batch: PoseSet, layout: Layout) -> Tensor:
    r"""Where the ligand of each pose is.

    The number of its heavy atoms, their mean position and their standard
    deviation along each axis. They do not depend on the order of atoms, nor
    on the receptor or the edges.

    Args:
        batch: A :class:`~pyg_multipose.data.PoseSet` or a batch of them.
        layout: Its layout.

    Returns:
        Shape :math:`(P, 7)` in float64, on the CPU; NaN where there are no
        :obj:`z` and :obj:`pos`.
    """
    if 'pos' not in batch or 'z' not in batch:
        return torch.full((layout.num_poses, 7), torch.nan).double()
    pose = torch.from_numpy(pose_of_row(layout))
    heavy = batch.z.detach().cpu().flatten() > 1
    rows = (pose >= 0) & heavy & ligand_rows(batch).cpu()
    pos = batch.pos.detach().cpu().double()[rows]
    return _places(pos, pose[rows], layout.num_poses)


def place_of(pos: Tensor) -> Tensor:
    r"""The place of one pose from its heavy atoms, shape :math:`(7)`.

    Args:
        pos: Their positions in Angstrom, shape :math:`(n, 3)`.
    """
    index = torch.zeros(pos.size(0), dtype=torch.long)
    return _places(pos.double(), index, 1)[0]


def same_place(first: Tensor, second: Tensor) -> Tensor:
    r"""Which places are equal, up to rounding; unknown ones always are.

    Args:
        first: Places, shape :math:`(*, 7)`.
        second: Places, shape :math:`(*, 7)`.
    """
    near = (first - second).abs() <= NEAR
    return (near | first.isnan() | second.isnan()).all(dim=-1)


def _places(pos: Tensor, index: Tensor, num_poses: int) -> Tensor:
    count = torch.bincount(index, minlength=num_poses).unsqueeze(1)
    mean = scatter(pos, index, 0, num_poses, reduce='sum') / count
    square = (pos - mean[index]).square()
    var = scatter(square, index, 0, num_poses, reduce='sum') / count
    return torch.cat([count, mean, var.sqrt()], dim=1)
