"""From the predictions of poses to those of sets, and weights."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pyg_multipose.gradient import Evaluation
from pyg_multipose.nn.combination import Combination


def take_pose_values(combination: nn.Module, evaluation: Evaluation) -> None:
    r"""Notes the numbers of poses that a combination asks for.

    Args:
        combination: An aggregation.
        evaluation: The call, before anything runs.

    Raises:
        ValueError: If there is no such key, or if its numbers will not do.
    """
    if not isinstance(combination, Combination):
        return
    layout = evaluation.layout
    for key in combination.pose_keys:
        value = evaluation.tables.get(key)
        if (
            layout.levels.get(key) != 'pose'
            or not isinstance(value, Tensor)
            or value.numel() != layout.num_poses
        ):
            raise ValueError(
                f'{combination} needs one number for each pose under the key '
                f"'{key}' (got {_got(value)}); the keys of poses are "
                f'{layout.levels.on("pose")}. Name it in pose_attrs when the '
                f'set is built, or add it by '
                f"PoseSet.put('{key}', value, 'pose')"
            )
        value = value.reshape(-1).to(layout.device)
        evaluation.pose_values[key] = value
    check_pose_values(combination, evaluation)


def _got(value: Any) -> str:
    if isinstance(value, Tensor):
        return f'a tensor of shape {list(value.shape)}'
    return 'none' if value is None else f'a {type(value).__name__}'


def check_pose_values(combination: nn.Module, evaluation: Evaluation) -> None:
    r"""Refuses such numbers by the names of sets and poses.

    Args:
        combination: As above.
        evaluation: The call, which knows which poses are left out.
    """
    if not evaluation.pose_values:
        return
    assert isinstance(combination, Combination)
    layout = evaluation.layout
    rows = np.flatnonzero(evaluation.finite)
    kept = torch.from_numpy(rows).to(layout.device)
    combination.check_values(
        [value[kept] for value in evaluation.pose_values.values()],
        layout.pose_to_set[kept],
        layout.num_sets,
        lambda row: layout.pose_name(int(rows[row])),
        layout.set_name,
    )


def completed(
    combination: nn.Module,
    poses: Tensor,
    evaluation: Evaluation,
    combined: Tensor | None,
    return_weights: bool,
) -> tuple[Tensor, Tensor | None]:
    r"""The combined predictions and, if asked for, weights.

    Args:
        combination: As above.
        poses: The predictions of the poses.
        evaluation: As above.
        combined: What a running form gave already.
        return_weights: Whether weights are asked for.
    """
    if not evaluation.finite.all():  # some were left out since
        check_pose_values(combination, evaluation)
    weights = None
    if return_weights:
        combined, weights = weighted(combination, poses, evaluation, combined)
    elif combined is None:
        combined = combine(combination, poses, evaluation)
    evaluation.pose_values = {}  # a graph may hold the evaluation
    return combined, weights


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
    values = evaluation.pose_values
    if not evaluation.finite.all():
        kept = torch.from_numpy(evaluation.finite).to(poses.device)
        poses, index = poses[kept], index[kept]
        values = {key: value[kept] for key, value in values.items()}
    more: dict[str, Any] = {'pose_values': values} if values else {}
    out = combination(
        poses if poses.dim() > 1 else poses.unsqueeze(1),
        index=index,
        dim_size=evaluation.layout.num_sets,
        dim=-2,
        **more,
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
