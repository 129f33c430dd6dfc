r"""A readout whose poses are dealt to ranks."""

from __future__ import annotations

import inspect
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch_geometric.utils import scatter

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.data.transfer import to_device
from pyg_multipose.distributed.gather import Own, gathered
from pyg_multipose.distributed.ranks import num_ranks, this_rank
from pyg_multipose.distributed.shares import shares_of, taken
from pyg_multipose.gradient import Counts, Evaluation, Gate, Plan, draw
from pyg_multipose.gradient.model.requirements import device_of
from pyg_multipose.gradient.modes.refusals import within_transform
from pyg_multipose.gradient.replay.checksum import checksums
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn._combine import combine, take_pose_values, weighted
from pyg_multipose.nn._settings import has_running_form


class ShardedReadout(nn.Module):
    r"""A readout whose ranks have some of the poses of each set.

    For sets that are too large for one device: every rank has the same
    batch, evaluates its share of the poses, gets the predictions of the
    others, and combines them all. In backward, each rank differentiates its
    own poses by the gradient mode of the readout, so that memory falls with
    the number of ranks:

    .. math::
        \frac{\partial L}{\partial \theta} = \frac{1}{R} \sum_r
        \Big( R \sum_{i \in r} \frac{\partial L}{\partial y_i}
        \frac{\partial y_i}{\partial \theta} \Big)

    The outer mean is that of
    :class:`~torch.nn.parallel.DistributedDataParallel` around this module or
    around one that holds it, over all :math:`R` ranks; by hand, average the
    gradients. What follows the predictions of poses, a loss and a combination
    that learns, is computed by all ranks alike. Without a process group, this
    is the readout itself.

    Poses are dealt evenly by their atoms. A rank may have none. Poses whose
    coefficient is negligible in the whole set get no backward pass, as in one
    process; :obj:`gradient="stream"` judges by the poses of its own rank.
    Ranks that fail, or that have another batch, stop the others with an
    error.

    Args:
        readout: The readout; its settings are those of this module.
        group: The process group.
            (default: :obj:`None`, all processes)

    Raises:
        ValueError: In a call of several ranks, if the batch requires grad
            (each rank has a part of it, which nobody adds up), or for
            :obj:`nonfinite="mask"` (a set may be left without poses on a
            rank), or :obj:`gradient="stream"` with a combination that needs
            numbers of poses.
        RuntimeError: If another rank failed or has another batch, and under
            :obj:`create_graph=True`.

    Shapes:
        - **input:** as of :class:`~pyg_multipose.nn.MultiPoseReadout`
        - **output:** the same

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.distributed import ShardedReadout
        >>> from pyg_multipose.nn import MultiPoseReadout
        >>> from pyg_multipose.nn.models import SchNet
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> pose_set = RadiusGraph(4.5)(MproMoonshot('test')[0])
        >>> model = SchNet(8, 8, num_interactions=2, cutoff=4.5)
        >>> readout = ShardedReadout(MultiPoseReadout(model, 'max'))
        >>> # under torchrun: DistributedDataParallel(readout)
        >>> readout(pose_set).shape
        torch.Size([1])
    """

    def __init__(
        self,
        readout: MultiPoseReadout,
        group: dist.ProcessGroup | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(readout, MultiPoseReadout):
            raise ValueError(
                f"'readout' is a {type(readout).__name__}, expected a "
                f'MultiPoseReadout'
            )
        self.readout, self.group = readout, group
        # What evaluates the own poses, and the settings that it is of; in a
        # list, for its modules are those of the readout.
        self._engine: list[Any] = []

    @property
    def last_plan(self) -> Plan | None:
        r"""The plan of the last call on this rank, for its own poses."""
        if num_ranks(self.group) == 1:
            return self.readout.last_plan
        return self._engine[1].last_plan if self._engine else None

    @torch.compiler.disable
    def forward(
        self,
        batch: PoseSet,
        return_poses: bool = False,
        return_weights: bool = False,
    ) -> Tensor | tuple[Tensor, ...]:
        r"""Predicts every set of a batch, the same one on all ranks.

        Args:
            batch: As of :class:`~pyg_multipose.nn.MultiPoseReadout`, all of
                it on every rank.
            return_poses: As above. (default: :obj:`False`)
            return_weights: As above. (default: :obj:`False`)
        """
        ranks = num_ranks(self.group)
        if ranks == 1:
            return self.readout(batch, return_poses, return_weights)
        values = self.readout.model.parameters()
        whole = _Whole(batch, device_of(batch, list(values)))
        shares = shares_of(whole.layout, ranks)
        poses = shares[this_rank(self.group)]
        told = partial(
            gathered,
            shares=shares,
            checksum=whole.checksum(),
            device=whole.layout.device,
            group=self.group,
        )
        mine = None
        try:
            self._check(whole)
            if len(poses):
                mine = self._evaluated(batch, poses, return_poses)
        except Exception:
            with suppress(RuntimeError):
                told(None)  # the others would wait for this rank
            raise
        own = torch.zeros(0) if mine is None else mine[2]
        out = self._combined(told(own), mine, poses, whole, return_weights)
        combined, every, weights = out
        chosen = [combined]
        if return_poses:
            chosen.append(every)
        if weights is not None:
            chosen.append(weights)
        return chosen[0] if len(chosen) == 1 else tuple(chosen)

    # Inside ##################################################################

    def _check(self, whole: _Whole) -> None:
        readout = self.readout
        if within_transform():
            raise RuntimeError(
                'Poses over ranks do not go with transforms of torch.func, '
                'which cannot look into other processes. Use the readout '
                'itself, on one rank'
            )
        asking = [
            key
            for key, value in whole.tables.items()
            if isinstance(value, Tensor) and value.requires_grad
        ]
        if asking and torch.is_grad_enabled():
            raise ValueError(
                f'{asking} of the batch require grad, of which each rank '
                f'would have a part: poses over ranks sum gradients of '
                f'parameters only. Use the readout itself, on one rank'
            )
        if readout.nonfinite == 'mask':
            raise ValueError(
                "nonfinite='mask' does not go with poses over ranks: a rank "
                'may be left without any pose of a set. Leave such poses out '
                'beforehand, or use the readout itself, on one rank'
            )
        take_pose_values(readout.combination, whole)  # type: ignore[arg-type]
        if readout.gradient == 'stream' and whole.pose_values:
            raise ValueError(
                f"gradient='stream' with poses over ranks does not go with "
                f'{readout.combination}, which needs {list(whole.pose_values)}'
                f" of all poses. Use gradient='recompute'"
            )

    def _evaluated(
        self, batch: PoseSet, poses: np.ndarray, return_poses: bool
    ) -> tuple[Evaluation, Tensor | None, Tensor]:
        """The own poses, as a batch of their own."""
        readout = self.readout
        streams = (
            readout.backward_poses is None
            and has_running_form(readout.combination)
            and not getattr(readout.combination, 'pose_keys', ())
        )
        settings = {
            name: getattr(readout, name)
            for name in inspect.signature(MultiPoseReadout).parameters
        }
        if not streams:  # what is done with the poses is not its concern
            settings.update(combination='mean', backward_poses=None)
        if not self._engine or self._engine[0] != settings:
            self._engine = [settings, MultiPoseReadout(**settings)]
        share = taken(batch, Layout(batch), poses)
        evaluation, (combined, own) = self._engine[1]._evaluated(
            share, return_poses or not streams
        )
        return evaluation, combined, own

    def _combined(
        self,
        every: Tensor,
        mine: Any,
        poses: np.ndarray,
        whole: Any,
        return_weights: bool,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Combined predictions, those of all poses, and weights."""
        readout, layout = self.readout, whole.layout
        ranks = num_ranks(self.group)
        anchors: list[Tensor] = []
        if mine is None and torch.is_grad_enabled():
            anchors = [
                p for p in readout.model.parameters() if p.requires_grad
            ]
        evaluation: Any
        own: Any
        evaluation, of_sets, own = mine or (None, None, None)
        joined = Own.apply(every, poses, ranks, own, *anchors)
        weights = None
        if of_sets is None:
            if joined.requires_grad:
                number, generator = readout.backward_poses, readout.generator
                draws = draw(layout, number, generator)
                numbers = [np.arange(layout.num_poses)]
                joined = Gate.apply(
                    layout,
                    readout.tolerance,
                    draws,
                    whole.counts,
                    numbers,
                    joined,
                )
            if return_weights:
                combined, weights = weighted(
                    readout.combination, joined, whole
                )
            else:
                combined = combine(readout.combination, joined, whole)
            return combined, joined, weights
        combined, shares = weighted(readout.combination, every, whole)
        _, local = weighted(
            readout.combination, own.detach(), evaluation, of_sets.detach()
        )
        rows = to_device(poses, shares.device)
        index = evaluation.layout.pose_to_set
        # In proportion within a set, by the contract of a running form.
        part = _sums(shares[rows], index) / _sums(local, index)
        sets = np.unique(layout.set_of_pose[poses])
        out = Own.apply(combined.detach(), sets, part * ranks, of_sets)
        return out, joined, shares if return_weights else None


class _Whole:
    """What is asked of the evaluation of a whole batch, which none is."""

    def __init__(self, batch: PoseSet, device: torch.device | None) -> None:
        self.layout = Layout(batch, device)
        self.tables = dict(batch.stores[0].items())
        self.pose_values: dict[str, Tensor] = {}
        self.finite = np.ones(self.layout.num_poses, dtype=bool)
        self.counts = Counts(self.layout.num_poses)

    def checksum(self) -> int:
        """What tells the batch from others."""
        found = [v for v in self.tables.values() if isinstance(v, Tensor)]
        return int(checksums([checksums(found)]))


def _sums(values: Tensor, index: Tensor) -> Tensor:
    return scatter(values, index, 0, reduce='sum')
