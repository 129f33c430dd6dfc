"""Values of poses with their sets side by side."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_multipose.data import Layout
from pyg_multipose.data.transfer import to_device


def padded(
    values: Tensor, layout: Layout
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    r"""Puts sets side by side: sums along a row then do not mix them.

    (PyG's :obj:`to_dense_batch` finds out again what the layout knows, and
    takes longer than the rest of the mass rule.)

    Args:
        values: Values of shape :obj:`[num_poses, F]`.
        layout: Which pose is in which set.

    Returns:
        The values as :obj:`[num_sets, max_poses, F]`, padded with zeros, and
        the index that leads from there back to the poses.
    """
    sets = layout.pose_to_set
    start = to_device(layout.set_ptr, values.device)
    column = torch.arange(len(values), device=values.device) - start[sets]
    size = int(layout.set_size.max())
    dense = values.new_zeros(layout.num_sets, size, values.size(1))
    dense[sets, column] = values
    return dense, (sets, column)
