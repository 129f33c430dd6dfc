"""Which poses matter: the only place that decides what may be dropped."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.data import Layout
from pyg_multipose.data.transfer import to_device
from pyg_multipose.gradient.modes.padding import padded
from pyg_multipose.gradient.modes.refusals import is_transformed
from pyg_multipose.gradient.modes.sampling import sampled
from pyg_multipose.gradient.plan.counts import Counts


def negligible(
    coefficients: Tensor, layout: Layout, tolerance: float | None = None
) -> Tensor:
    r"""The poses whose gradient may be dropped (mass rule).

    Per set, the smallest :math:`|c_i|` are dropped while their sum stays at
    most :obj:`tolerance` times :math:`\sum_i |c_i|`: equation
    :eq:`eq-mass-rule`.
    The error of the set's gradient is then, by :eq:`eq-mass-bound`, at most
    :math:`\mathrm{tolerance} \cdot \sum_i |c_i| \cdot \max_i
    \lVert \partial y_i / \partial \theta \rVert` over the dropped poses.
    A coefficient that is not finite is never dropped; one that is zero
    always is.

    Args:
        coefficients: :math:`c_i = \partial L / \partial y_i` of shape
            :obj:`[num_poses]`, or :obj:`[num_poses, F]`: a pose is then
            dropped if that holds for each feature by itself.
        layout: Which pose is in which set.
        tolerance: The share of the mass that may be dropped.
            (default: :obj:`None`, the epsilon of the coefficients' dtype,
            float32 or wider)

    Returns:
        A mask of shape :obj:`[num_poses]`.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import Layout, PoseSet
        >>> from pyg_multipose.gradient import negligible
        >>> poses = [Data(pos=torch.eye(2, 3)) for _ in range(3)]
        >>> layout = Layout(PoseSet.from_poses(poses))
        >>> negligible(torch.tensor([0.75, 1e-9, 0.25]), layout)
        tensor([False,  True, False])
    """
    if all_matter(coefficients, layout, tolerance):
        return torch.zeros(len(coefficients), dtype=torch.bool)
    if tolerance is None:
        tolerance = epsilon(coefficients.dtype)
    weight = coefficients.detach().double().abs()
    weight = weight.view(len(weight), -1)  # poses, features
    dense, pose = padded(weight, layout)
    ordered, order = dense.sort(dim=1)
    mass = ordered.cumsum(dim=1)
    drop = mass <= tolerance * mass[:, -1:]
    drop |= ordered == 0
    drop &= ordered.isfinite()
    mask = torch.zeros_like(drop).scatter_(1, order, drop)
    return mask[pose].all(dim=1)


def all_matter(
    coefficients: Tensor, layout: Layout, tolerance: float | None = None
) -> bool:
    r"""Whether the mass rule drops nothing, if that is seen at a glance.

    It is where the smallest :math:`|c_i|` is more than the tolerance times
    what a set has at most. Only on a CPU: elsewhere, to look is to wait.

    Args:
        coefficients: As of :func:`negligible`.
        layout: Which pose is in which set.
        tolerance: As of :func:`negligible`. (default: :obj:`None`)
    """
    if not coefficients.is_cpu or not coefficients.numel():
        return False
    if tolerance is None:
        tolerance = epsilon(coefficients.dtype)
    least, most = coefficients.detach().abs().aminmax()
    largest = max(layout.set_size.tolist())
    return least.item() > tolerance * largest * most.item()


def epsilon(dtype: torch.dtype) -> float:
    r"""The epsilon of the dtype that combinations compute in.

    Args:
        dtype: That of predictions; half precision is combined in float32.
    """
    return torch.finfo(torch.promote_types(dtype, torch.float32)).eps


class Gate(torch.autograd.Function):
    r"""The vector of all predictions; its backward lets through what matters.

    Args:
        layout: Which pose is in which set.
        tolerance: The share of the mass that may be dropped.
        draws: Uniform random numbers of shape :obj:`[num_sets, K]`, by which
            at most :math:`K` poses of a set are let through, for all that
            matter. (:obj:`None`: all that matter)
        counts: Where to note how many poses mattered.
        poses: The numbers of the poses of each piece.
        pieces: Predictions, each piece made by one gradient mode.

    Example:
        >>> import numpy as np
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import Layout, PoseSet
        >>> from pyg_multipose.gradient import Counts, Gate
        >>> poses = [Data(pos=torch.eye(2, 3)) for _ in range(3)]
        >>> layout, counts = Layout(PoseSet.from_poses(poses)), Counts(3)
        >>> y = torch.tensor([-8.0, -7.0, -9.0], requires_grad=True)
        >>> out = Gate.apply(layout, None, None, counts, [np.arange(3)], y)
        >>> out.backward(torch.tensor([0.75, 1e-9, 0.25]))
        >>> y.grad, counts.mattered
        (tensor([0.7500, 0.0000, 0.2500]), 2)
    """

    @staticmethod
    def forward(
        ctx: Any,
        layout: Layout,
        tolerance: float | None,
        draws: Tensor | None,
        counts: Counts,
        poses: list[np.ndarray],
        *pieces: Tensor,
    ) -> Tensor:
        """Puts the pieces in the order of the poses."""
        ctx.layout, ctx.tolerance, ctx.counts = layout, tolerance, counts
        ctx.draws = draws
        ctx.poses = poses
        order = to_device(np.concatenate(poses), pieces[0].device)
        ctx.pieces = order.split([len(of_piece) for of_piece in poses])
        out = pieces[0].new_empty(len(order), *pieces[0].shape[1:])
        out[order] = torch.cat(pieces)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        """Zeroes what does not matter; a piece without rest gets nothing."""
        if ctx.draws is not None and torch.is_grad_enabled():
            raise RuntimeError(
                'backward_poses draws poses by the coefficients of the loss, '
                'so its gradient cannot be differentiated again '
                '(create_graph=True, for example forces in the loss). Use '
                "MultiPoseReadout(..., gradient='full') without "
                'backward_poses'
            )
        if torch.is_grad_enabled() or is_transformed(grad):
            # A coefficient may be zero and its derivative not; and the bound
            # of what is dropped is one of first derivatives.
            ctx.tolerance = 0.0
            pieces = [grad[rows] for rows in ctx.pieces]
            return None, None, None, None, None, *pieces
        drop = negligible(grad, ctx.layout, ctx.tolerance)
        matters = [~drop]
        mask = drop if grad.dim() == 1 else drop.unsqueeze(1)
        kept = torch.where(mask, torch.zeros_like(grad), grad)
        if ctx.draws is not None:
            factor = sampled(kept, ctx.layout, ctx.draws)
            matters.append(~drop & (factor != 0))
            factor = factor if grad.dim() == 1 else factor.unsqueeze(1)
            kept = (kept * factor).to(grad.dtype)
        # All that the host has to know, in one transfer.
        known = torch.stack(matters).cpu().numpy()
        ctx.counts.mattered = int(known[0].sum())
        out: list[Tensor | None] = [
            kept[rows] if known[-1][poses].any() else None
            for rows, poses in zip(ctx.pieces, ctx.poses, strict=True)
        ]
        if out and all(part is None for part in out):
            # Zeros, not None, as plain autograd has it.
            out[-1] = torch.zeros_like(kept[ctx.pieces[-1]])
        return None, None, None, None, None, *out
