"""Whether poses share the evaluation of their receptor, or why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch_geometric.data import Data

from pyg_multipose.data import Layout
from pyg_multipose.gradient.receptors import Receptors

#: What a model that can has.
METHODS = ('encode_receptor', 'forward_poses')


def obstacle(
    model: nn.Module,
    pose_set: Data | None = None,
    inputs: Sequence[str] | None = None,
) -> str:
    r"""Why a model cannot share a receptor; empty if it can.

    Besides :obj:`encode_receptor(receptor)` and :obj:`forward_poses(poses,
    state)`, a model may have :obj:`sharing_obstacle(pose_set)`, which returns
    a reason why it cannot now (in training mode with dropout, say), or an
    empty string.

    Args:
        model: The single-pose model.
        pose_set: The batch. (default: :obj:`None`, not known yet)
        inputs: The attributes that the model is called with, if it is.
            (default: :obj:`None`)
    """
    missing = [name for name in METHODS if not hasattr(model, name)]
    if missing:
        return f'{type(model).__name__} has no {" and no ".join(missing)}'
    if inputs is not None:
        return (
            "the model is called with attributes ('inputs'), not with a batch"
        )
    tell = getattr(model, 'sharing_obstacle', None)
    return '' if tell is None or pose_set is None else tell(pose_set)


def check_sharing(
    model: nn.Module,
    asked: bool | str,
    pose_set: Data | None = None,
    inputs: Sequence[str] | None = None,
) -> None:
    r"""Refuses :obj:`share_receptor=True` where it is not possible.

    Args:
        model: The single-pose model.
        asked: :obj:`True`, :obj:`False` or :obj:`"auto"`.
        pose_set: The batch. (default: :obj:`None`, not known yet)
        inputs: As above. (default: :obj:`None`)
    """
    reason = obstacle(model, pose_set, inputs) if asked is True else ''
    if reason:
        raise ValueError(
            f'share_receptor=True is not possible: {reason}. Use '
            f"share_receptor='auto'"
        )


def shared_receptors(
    model: nn.Module,
    asked: bool | str,
    layout: Layout,
    tables: Mapping[str, Any],
    pose_set: Data,
    inputs: Sequence[str] | None = None,
) -> tuple[Receptors | None, str]:
    r"""The receptors of a batch that are encoded once, and why or why not.

    Args:
        model: The single-pose model.
        asked: :obj:`True`, :obj:`False` or :obj:`"auto"`, which shares where
            a receptor has several poses.
        layout: The layout of the batch.
        tables: Its values by key.
        pose_set: The batch.
        inputs: As above. (default: :obj:`None`)
    """
    check_sharing(model, asked, pose_set, inputs)
    why_not = obstacle(model, pose_set, inputs) if asked else 'asked for'
    if not why_not:
        receptors = Receptors(layout, tables, pose_set)
        count, poses = len(receptors.sets), int((receptors.of_pose >= 0).sum())
        if not count:
            why_not = 'no set has a receptor'
        elif asked == 'auto' and poses < 2 * count:
            why_not = 'no receptor has several poses'
        else:
            return receptors, (
                f'{count} encoded, each once for all of its poses'
            )
    return None, f'whole complexes, composed chunk by chunk: {why_not}'
