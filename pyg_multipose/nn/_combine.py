"""From the predictions of poses to those of sets, and weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from pyg_multipose.gradient import Evaluation


def combine(
    combination: nn.Module, poses: Tensor, evaluation: Evaluation
) -> Tensor:
    r"""The combined predictions.

    Args:
        combination: An aggregation.
        poses: The predictions of the poses.
        evaluation: The call, which knows their sets, and which are left out.
    """
    index = evaluation.layout.pose_to_set
    if not evaluation.finite.all():
        kept = torch.from_numpy(evaluation.finite).to(poses.device)
        poses, index = poses[kept], index[kept]
    out = combination(
        poses if poses.dim() > 1 else poses.unsqueeze(1),
        index=index,
        dim_size=evaluation.layout.num_sets,
        dim=-2,
    )
    return out.squeeze(1) if out.size(-1) == 1 else out


def weighted(
    combination: nn.Module,
    poses: Tensor,
    evaluation: Evaluation,
    combined: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Combined predictions, and their derivatives by those of the poses.

    Args:
        combination: As above.
        poses: As above.
        evaluation: As above.
        combined: What a running form gave already. (default: :obj:`None`)
    """
    if combined is None and poses.requires_grad:
        # One call serves both: it may draw, or count what it is given.
        each = poses.view_as(poses)
        combined = combine(combination, each, evaluation)
        (weights,) = torch.autograd.grad(
            combined.sum(), each, retain_graph=True
        )
        return combined, weights
    graph = torch.is_grad_enabled()
    with torch.inference_mode(False), torch.enable_grad():
        each = poses.detach().clone().requires_grad_()
        if combined is not None:  # that was the call
            combination = copy.deepcopy(combination)
        again = combine(combination, each, evaluation)
        own = graph and any(p.requires_grad for p in combination.parameters())
        (weights,) = torch.autograd.grad(again.sum(), each, retain_graph=own)
    if combined is None:
        combined = again if own else again.detach()
    return combined, weights
