"""Whether poses share the evaluation of their receptor, or why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient.receptors.receptors import Receptors
from pyg_multipose.gradient.receptors.verdict import Verdict

#: What a model that can has.
METHODS = ('encode_receptor', 'forward_poses')
#: With as many poses, the receptor itself is a small part of the work.
MANY = 16


def obstacle(
    model: nn.Module, inputs: Sequence[str] | str | None = None
) -> str:
    r"""Why a model cannot share a receptor at all; empty if it might.

    It needs the methods :obj:`encode_receptor(receptor)` and
    :obj:`forward_poses(poses, state)`. Whether these give what the model
    gives is for the :class:`Verdict` to see.

    Args:
        model: The single-pose model.
        inputs: The attributes that the model is called with, if it is.
            (default: :obj:`None`)
    """
    missing = [name for name in METHODS if not hasattr(model, name)]
    if missing:
        return f'{type(model).__name__} has no {" and no ".join(missing)}'
    if inputs is not None and getattr(model, 'inputs', None) != inputs:
        return (
            "the model is called with attributes ('inputs'), not with a batch"
        )
    return ''


def refuse_sharing(reason: str) -> None:
    r"""Refuses :obj:`share_receptor=True` if there is a reason.

    Args:
        reason: Why sharing is not possible; empty if it is.
    """
    if reason:
        raise ValueError(
            f'share_receptor=True is not possible: {reason}. Use '
            f"share_receptor='auto'"
        )


def shared_receptors(
    model: nn.Module,
    modules: Sequence[nn.Module],
    asked: bool | str,
    layout: Layout,
    tables: Mapping[str, Any],
    pose_set: Data,
    verdict: Verdict,
    inputs: Sequence[str] | None = None,
) -> tuple[Receptors | None, str]:
    r"""The receptors of a batch that are encoded once, and why or why not.

    Besides the methods of :func:`obstacle`, a model may have
    :obj:`sharing_cost(poses)`, which returns what a pose costs beside a shared
    receptor, as a share of a whole complex. If its :obj:`runs_layers` is
    :obj:`True`, that share is how many atoms it evaluates with a pose, and
    chunks are cut by it; otherwise it evaluates those of the ligand, and
    differences.

    Args:
        model: The single-pose model.
        modules: All of its modules.
        asked: :obj:`True`, :obj:`False` or :obj:`"auto"`, which shares where
            a receptor has several poses, and these do not change so much
            of it that nothing is saved.
        layout: The layout of the batch.
        tables: Its values by key.
        pose_set: The batch.
        verdict: What was seen of the model.
        inputs: As above. (default: :obj:`None`)
    """
    reason = '' if asked else 'asked for'
    if not reason and not layout.receptor_size.any():
        reason = 'no set has a receptor'
        asked = 'auto'  # nothing to share is nothing to refuse
    reason = reason or obstacle(model, inputs) or _mask(layout, tables)
    receptors = None
    if not reason:
        receptors = Receptors(layout, tables, pose_set)
        reasons = set()
        weighs = getattr(model, 'runs_layers', False)
        for index in list(receptors.sets):
            poses = receptors.poses_of(index)
            each = None
            if weighs or (asked == 'auto' and 1 < len(poses) < MANY):
                each = _cost(model, layout, tables, index, poses)
            no_gain = _no_gain(len(poses), each) if asked == 'auto' else ''
            if no_gain:
                reasons.add(no_gain)
                receptors.drop(index)
            elif weighs and each is not None:
                receptors.weigh(index, each)
        reason = '; '.join(sorted(reasons))
        if receptors.sets:
            reason = verdict.reason(model, modules, layout, tables, receptors)
    if asked is True:
        refuse_sharing(reason)
    if receptors is not None and receptors.sets and not reason:
        return receptors, (
            f'{len(receptors.sets)} encoded, each once for all of its poses'
        )
    return None, f'whole complexes, composed chunk by chunk: {reason}'


def _mask(layout: Layout, tables: Mapping[str, Any]) -> str:
    """Whether two definitions of the ligand contradict each other."""
    mask = tables.get('is_ligand')
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        return ''
    marked = mask.detach().reshape(-1).cpu().numpy()
    expected = marked.copy()
    for index in layout.receptor_size.nonzero()[0].tolist():
        rows = layout.receptor_rows(index)
        first = layout.set_ptr[index : index + 2]
        ligands = int(layout.pose_size[first[0] : first[1]].sum())
        expected[rows] = False
        expected[rows.stop : rows.stop + ligands] = True
        if (expected != marked).any():
            return (
                f"'is_ligand' of {layout.set_name(index)} marks other "
                f'atoms than those of its poses'
            )
    return ''


def _cost(
    model: nn.Module,
    layout: Layout,
    tables: Mapping[str, Any],
    index: int,
    poses: np.ndarray,
) -> float | None:
    """What a pose costs, as a share of a whole complex, if that is known."""
    cost = getattr(model, 'sharing_cost', None)
    if cost is None:
        return None
    with torch.no_grad():
        one = PoseSet(**layout.select(tables, poses[:1], index))
        try:
            return float(cost(one))
        except Exception:  # of any kind: the verdict will say why
            return None


def _no_gain(number: int, each: float | None) -> str:
    """Why sharing a receptor saves nothing; empty if it does."""
    if number < 2:
        return 'no receptor has several poses'
    if each is None or number >= MANY or 1 + number * each <= number:
        return ''
    return (
        f'its {number} poses change so much of a receptor that each would '
        f'cost {each:.0%} of a whole complex'
    )
