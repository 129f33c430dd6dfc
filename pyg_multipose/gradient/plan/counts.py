"""Counts of what a call did."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass
class Counts:
    r"""How often the model ran, for reports, tests and the planner.

    Args:
        poses: Poses of the batch.
        forward: Poses evaluated, each pass counted.
        backward: Poses that got a backward pass.
        encoded: Receptors encoded; not those that an earlier call had.
        mattered: Poses whose coefficient was not negligible, as far as it is
            known.
        most_nodes: The most atoms of a chunk of the second pass, if that ran
            out of memory with more.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.nn import SumAggregation
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.nn import MultiPoseReadout
        >>> poses = [Data(x=torch.full((2, 1), -x)) for x in (1.0, 3.0, 2.0)]
        >>> pose_set = PoseSet.from_poses(poses)
        >>> _ = pose_set.x.requires_grad_()
        >>> readout = MultiPoseReadout(
        ...     SumAggregation(), 'max', 'recompute', inputs='x, batch'
        ... )
        >>> readout(pose_set).sum().backward()
        >>> readout.last_plan.counts  # one of three matters
        Counts(poses=3, forward=4, backward=1, encoded=0, mattered=1,
               most_nodes=None)
    """

    poses: int = 0
    forward: int = 0
    backward: int = 0
    encoded: int = 0
    mattered: int | None = None
    most_nodes: int | None = None

    def note_backward(self, gradient: Tensor | None) -> None:
        r"""Counts a backward pass of some poses, as a hook of autograd.

        Args:
            gradient: That of their predictions, or :obj:`None` if autograd
                skips them.
        """
        if gradient is not None:
            self.backward += len(gradient)
