"""Whether poses share the evaluation of their receptor, or why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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
    :obj:`forward_poses(poses, state)`, and may say itself why it cannot
    (:obj:`cannot_share`). Whether these give what the model
    gives is for the :class:`Verdict` to see.

    Args:
        model: The single-pose model.
        inputs: The attributes that the model is called with, if it is.
            (default: :obj:`None`)
    """
    own = getattr(model, 'cannot_share', '')
    if own:
        return own
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


def deny(verdict: Verdict, asked: bool | str, reason: str) -> None:
    r"""Shares no more: not when it was looked at, but now there is a reason.

    Args:
        verdict: What was seen of the model.
        asked: What :obj:`share_receptor` is; :obj:`True` is refused.
        reason: Why it may not.
    """
    verdict.deny(reason)
    if asked is True:
        refuse_sharing(reason)


class Sharing(NamedTuple):
    r"""Whether poses share the evaluation of their receptor.

    Args:
        receptors: The receptors that are encoded once, or :obj:`None`.
        plan: Why, or why not.
        sharer: What encodes them.
        verdict: What was seen of it.
    """

    receptors: Receptors | None
    plan: str
    sharer: Any
    verdict: Verdict

    @property
    def whole_poses(self) -> bool:
        r"""Whether a pose takes as much as its whole complex."""
        composes = getattr(self.sharer, 'composes_poses', False)
        return self.receptors is None or composes


def shared_receptors(
    sharers: Sequence[nn.Module],
    modules: Sequence[nn.Module],
    asked: bool | str,
    layout: Layout,
    tables: Mapping[str, Any],
    pose_set: Data,
    verdict: Verdict,
    inputs: Sequence[str] | None = None,
) -> Sharing:
    r"""The receptors of a batch that are encoded once, and why or why not.

    Besides the methods of :func:`obstacle`, what shares may have
    :obj:`sharing_cost(poses)`, which returns what a pose costs beside a shared
    receptor, as a share of a whole complex;
    :obj:`sharing_bound(receptor_edges, pose_edges, moved)`, which is asked
    before, and returns what that is at most for a pose with so many edges
    besides its receptor's; and :obj:`composes_poses`, which says that poses
    are evaluated as whole complexes nevertheless. If its
    :obj:`runs_layers` is :obj:`True`, the share of the cost is also that of
    the atoms which it evaluates with a pose, and chunks are cut by it;
    otherwise it evaluates those of the ligand, and differences.

    Args:
        sharers: What may share, what saves most first: the single-pose model,
            or modules that hold it. The first that can is taken.
        modules: All modules of the single-pose model.
        asked: :obj:`True`, :obj:`False` or :obj:`"auto"`, which shares where
            a receptor has several poses, and these do not change so much
            of it that nothing is saved.
        layout: The layout of the batch.
        tables: Its values by key.
        pose_set: The batch.
        verdict: What was seen of the model.
        inputs: As above. (default: :obj:`None`)
    """
    reasons: list[str] = []
    if not asked:
        reasons = ['asked for']
    elif not layout.receptor_size.any():
        reasons = ['no set has a receptor']
        asked = 'auto'  # nothing to share is nothing to refuse
    for number, sharer in enumerate([] if reasons else sharers):
        way = verdict.way(number)
        found, reason = _found(
            sharer, modules, asked, layout, tables, pose_set, way, inputs
        )
        if found is not None:
            plan = f'{len(found.sets)} encoded, each once for all of its poses'
            if reasons:
                plan += f', which run as whole complexes: {reasons[0]}'
            return Sharing(found, plan, sharer, way)
        reasons.append(reason)
    if asked is True:
        refuse_sharing(reasons[-1])
    plan = f'whole complexes, composed chunk by chunk: {reasons[-1]}'
    return Sharing(None, plan, sharers[0], verdict)


def _found(
    sharer: nn.Module,
    modules: Sequence[nn.Module],
    asked: bool | str,
    layout: Layout,
    tables: Mapping[str, Any],
    pose_set: Data,
    verdict: Verdict,
    inputs: Sequence[str] | None,
) -> tuple[Receptors | None, str]:
    """The receptors that one way shares, or why it shares none."""
    reason = obstacle(sharer, inputs) or _mask(layout, tables)
    if layout.moved is not None and getattr(sharer, 'rigid_only', False):
        reason = reason or (
            f'atoms of the receptor have moved in '
            f'{int((layout.moved.count > 0).sum())} poses, so that the '
            f'receptor alone is another one in each'
        )
    if reason:
        return None, reason
    receptors = Receptors(layout, tables, pose_set)
    without: list[tuple[int, float]] = []
    weighs = getattr(sharer, 'runs_layers', False)
    for index in list(receptors.sets):
        poses = receptors.poses_of(index)
        each = None
        few = asked == 'auto' and len(poses) < MANY
        if len(poses) > 1 and (weighs or few):
            # What gains in any case need not be known.
            if not weighs:
                each = _bound(sharer, layout, index, int(poses[0]))
            if each is None or not _gains(len(poses), each):
                each = _cost(sharer, layout, tables, index, poses)
        if asked == 'auto' and not _gains(len(poses), each):
            without.append((len(poses), each or 1.0))
            receptors.drop(index)
        elif weighs and each is not None:
            receptors.weigh(index, each)
    reason = _no_gain(without)
    if receptors.sets:
        reason = verdict.reason(sharer, modules, layout, tables, receptors)
    return (None, reason) if reason else (receptors, '')


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
        if layout.moved is not None:
            expected[layout.moved.stands()] = False
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


def _bound(
    model: nn.Module, layout: Layout, index: int, pose: int
) -> float | None:
    """The most that it can cost, if that is known."""
    bound = getattr(model, 'sharing_bound', None)
    if bound is None or 'edge_index' not in layout.levels:
        return None
    receptor = layout.receptor_rows(index, 'edge')
    own = layout.pose_rows(pose, 'edge')
    moved = layout.moved is not None and layout.moved.count[pose] > 0
    try:
        edges = (rows.stop - rows.start for rows in (receptor, own))
        return float(bound(*edges, bool(moved)))
    except Exception:  # of any kind: the verdict will say why
        return None


def _gains(number: int, each: float | None) -> bool:
    """Whether sharing a receptor among its poses saves anything."""
    if number < 2:
        return False
    return each is None or number >= MANY or 1 + number * each <= number


def _no_gain(without: Sequence[tuple[int, float]]) -> str:
    """Why receptors are not shared: how many poses they have, and their cost.

    The receptor that would gain most speaks for all.
    """
    if not without:
        return ''
    several = [one for one in without if one[0] > 1]
    if not several:
        return 'no receptor has several poses'
    number, each = max(several, key=lambda one: one[0] * (1 - one[1]))
    return (
        f'its {number} poses change so much of a receptor that each would '
        f'cost {each:.0%} of a whole complex'
    )
