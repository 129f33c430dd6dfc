"""Whether poses share the evaluation of their receptor, or why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch_geometric.data import Data

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient.receptors.receptors import Receptors

#: What a model that can has.
METHODS = ('encode_receptor', 'forward_poses')
#: With as many poses, the receptor itself is a small part of the work.
MANY = 16


def obstacle(
    model: nn.Module,
    pose_set: Data | None = None,
    inputs: Sequence[str] | None = None,
) -> str:
    r"""Why a model cannot share a receptor; empty if it can.

    Besides :obj:`encode_receptor(receptor)` and :obj:`forward_poses(poses,
    state)`, a model may have :obj:`sharing_obstacle(pose_set)`, which returns
    a reason why it cannot now (in training mode with dropout, say), or an
    empty string; and :obj:`sharing_cost(poses)`, which returns what a pose
    costs beside a shared receptor, as a share of a whole complex.

    Args:
        model: The single-pose model.
        pose_set: The batch, or one pose of it if the batch is not where the
            model is. (default: :obj:`None`, not known yet)
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
    inputs: Sequence[str] | None = None,
) -> None:
    r"""Refuses :obj:`share_receptor=True` where it is not possible.

    Args:
        model: The single-pose model.
        asked: :obj:`True`, :obj:`False` or :obj:`"auto"`.
        inputs: As above. (default: :obj:`None`)
    """
    if asked is True:
        _refuse(obstacle(model, inputs=inputs))


def _refuse(reason: str) -> None:
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
            a receptor has several poses, and these do not change so much
            of it that nothing is saved.
        layout: The layout of the batch.
        tables: Its values by key.
        pose_set: The batch.
        inputs: As above. (default: :obj:`None`)
    """
    why_not = '' if asked else 'asked for'
    if asked == 'auto' and not layout.receptor_size.any():
        why_not = 'no set has a receptor'
    if not why_not:
        looked_at = pose_set
        if pose_set['pose_size'].device != layout.device:
            # The batch stays on the host; the model may run to tell.
            looked_at = PoseSet(**layout.select(tables, [0]))
        why_not = obstacle(model, looked_at, inputs)
        if asked is True:
            _refuse(why_not)
    if not why_not:
        receptors = Receptors(layout, tables, pose_set)
        if not receptors.sets:
            why_not = 'no set has a receptor'
        reasons = []
        for index in list(receptors.sets) if asked == 'auto' else []:
            poses = receptors.poses_of(index)
            reasons.append(_no_gain(model, layout, tables, index, poses))
            if reasons[-1]:
                receptors.drop(index)
        if receptors.sets:
            return receptors, (
                f'{len(receptors.sets)} encoded, each once for all of its '
                f'poses'
            )
        why_not = why_not or '; '.join(sorted(set(reasons)))
    return None, f'whole complexes, composed chunk by chunk: {why_not}'


def _no_gain(
    model: nn.Module,
    layout: Layout,
    tables: Mapping[str, Any],
    index: int,
    poses: np.ndarray,
) -> str:
    """Why sharing a receptor saves nothing; empty if it does."""
    number = len(poses)
    if number < 2:
        return 'no receptor has several poses'
    cost = getattr(model, 'sharing_cost', None)
    if cost is None or number >= MANY:
        return ''
    with torch.no_grad():
        one = PoseSet(**layout.select(tables, poses[:1], index))
        each = float(cost(one))
    if 1 + number * each <= number:
        return ''
    return (
        f'its {number} poses change so much of a receptor that each would '
        f'cost {each:.0%} of a whole complex'
    )
