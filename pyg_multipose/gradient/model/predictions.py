"""What a single-pose model returns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pyg_multipose.data import Layout
from pyg_multipose.data.layout import Poses


def checked(out: Any, layout: Layout, poses: Poses) -> Tensor:
    r"""Predictions in the shape :obj:`[num_poses]` or :obj:`[num_poses, F]`.

    Args:
        out: What the model returned.
        layout: Where the poses lie.
        poses: Their numbers.
    """
    if isinstance(out, (tuple, list)) and len(out):
        out = out[0]
    if not isinstance(out, Tensor) or not out.is_floating_point():
        got = out.dtype if isinstance(out, Tensor) else type(out).__name__
        raise ValueError(
            f'The single-pose model returned {got}, expected a floating '
            f'point tensor (or a tuple that begins with one) with one '
            f'row per pose'
        )
    # A copy: a model may return what it will write to again.
    out = out.clone()
    if out.dim() == 2 and out.size(1) == 1:
        out = out.squeeze(1)
    if out.dim() not in (1, 2) or out.size(0) != len(poses):
        first = layout.pose_name(int(poses[0]))
        raise ValueError(
            f'The single-pose model returned shape {list(out.shape)} for '
            f'{len(poses)} poses (from {first} on), expected '
            f'[{len(poses)}], [{len(poses)}, 1] or [{len(poses)}, F]. '
            f'Does it pool with batch.batch and batch.num_graphs?'
        )
    return out


def joined(predictions: list[Tensor]) -> Tensor:
    r"""Predictions of all chunks in one tensor.

    Args:
        predictions: One tensor per chunk.
    """
    if len(predictions) == 1:
        return predictions[0]
    widths = {tuple(p.shape[1:]) for p in predictions}
    if len(widths) > 1:
        raise ValueError(
            f'The single-pose model returned different widths from chunk to '
            f'chunk: {sorted(widths)}; expected one width for all poses'
        )
    return torch.cat(predictions)
