"""Which settings of a readout go together."""

from __future__ import annotations

from typing import Any

from torch import nn

from pyg_multipose.gradient.model.requirements import (
    check_inputs,
    check_model,
    input_names,
)
from pyg_multipose.gradient.plan.plan import MODES
from pyg_multipose.gradient.receptors.sharing import obstacle, refuse_sharing
from pyg_multipose.nn._arguments import check_choice, check_count
from pyg_multipose.nn.sharing.sharer import sharers_of

_NONFINITE = ('raise', 'mask')


def check_settings(
    model: nn.Module,
    combination: nn.Module,
    gradient: str,
    inputs: str | None,
    max_nodes_per_chunk: int | None,
    memory_budget: int | None,
    tolerance: float | None,
    backward_poses: int | None,
    best_first: str | None,
    share_receptor: bool | str,
    nonfinite: str,
) -> None:
    r"""Refuses settings that are unknown, or do not go together.

    Args:
        model: As of :class:`~pyg_multipose.nn.MultiPoseReadout`, like all.
        combination: An instance.
        gradient: As above.
        inputs: As above.
        max_nodes_per_chunk: As above.
        memory_budget: As above.
        tolerance: As above.
        backward_poses: As above.
        best_first: As above.
        share_receptor: As above.
        nonfinite: As above.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"'model' is a {type(model).__name__}, expected a torch.nn.Module"
        )
    check_choice('gradient', gradient, MODES)
    check_choice('nonfinite', nonfinite, _NONFINITE)
    check_choice('share_receptor', share_receptor, (True, False, 'auto'))
    check_count('max_nodes_per_chunk', max_nodes_per_chunk)
    check_count('memory_budget', memory_budget)
    check_count('backward_poses', backward_poses)
    if tolerance is not None and not (
        isinstance(tolerance, (int, float)) and 0 <= tolerance < 1
    ):
        raise ValueError(
            f'tolerance={tolerance!r} is not a share of the mass; '
            f'expected a number from 0 up to, but not, 1'
        )
    if best_first is not None and not isinstance(best_first, str):
        raise ValueError(
            f'best_first={best_first!r} is a {type(best_first).__name__}, '
            f"expected the key of a score of poses such as 'vina_score'"
        )
    check_model(model)
    check_inputs(model, inputs)
    if gradient == 'stream':
        check_running_form(combination)
    if gradient == 'stream' and backward_poses is not None:
        raise ValueError(
            f'backward_poses={backward_poses} does not go with '
            f"gradient='stream', which takes the gradients of poses in "
            f'forward, before the loss says which poses matter. Use '
            f"gradient='recompute' or 'auto'"
        )
    if share_receptor is True:
        names = input_names(inputs)
        reasons = [obstacle(one, names) for one in sharers_of(model, names)]
        refuse_sharing(reasons[0] if all(reasons) else '')
    if share_receptor is True and gradient == 'store':
        raise ValueError(
            "share_receptor=True does not go with gradient='store', "
            'which would store the gradient of what is shared for '
            "every pose. Use gradient='recompute' or 'auto'"
        )


def check_transform(gradient: str, share_receptor: bool | str) -> None:
    r"""Refuses what does not go with a transform of :mod:`torch.func`.

    Args:
        gradient: As above.
        share_receptor: As above.
    """
    if gradient not in ('auto', 'full'):
        raise RuntimeError(
            f"gradient='{gradient}' does not go with transforms of torch.func "
            f'(grad, vjp, ...), which need plain autograd: use '
            f"MultiPoseReadout(..., gradient='full')"
        )
    if share_receptor is True:
        raise RuntimeError(
            'share_receptor=True does not go with transforms of torch.func '
            '(grad, vjp, ...), within which a model cannot be looked at: use '
            "MultiPoseReadout(..., gradient='full', share_receptor=False)"
        )


def check_running_form(combination: Any) -> None:
    r"""Refuses a combination that :obj:`gradient="stream"` cannot serve.

    Args:
        combination: An aggregation.
    """
    if has_running_form(combination):
        return
    reason = getattr(combination, 'running_obstacle', '')
    if not reason and _learns(combination):
        reason = 'its parameters require grad, which would get none'
    raise ValueError(
        f"gradient='stream' needs a combination with a running form, and "
        f'{combination} has none{f" ({reason})" if reason else ""}. Use '
        f"gradient='recompute', which serves any combination"
    )


def has_running_form(combination: Any) -> bool:
    r"""Whether :obj:`gradient="stream"` can serve a combination.

    Not one that learns: nothing is held that its parameters' gradient could
    come from.

    Args:
        combination: An aggregation.
    """
    form = getattr(combination, 'has_running_form', False)
    return bool(form) and not _learns(combination)


def _learns(combination: Any) -> bool:
    return any(p.requires_grad for p in combination.parameters())
