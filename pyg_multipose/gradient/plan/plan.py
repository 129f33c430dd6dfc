"""Which gradient mode runs, in which chunks, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from pyg_multipose.gradient.plan.counts import Counts

Mode = Literal['full', 'store', 'stream', 'recompute', 'auto']
MODES: tuple[str, ...] = get_args(Mode)


@dataclass
class Plan:
    r"""What a call of a readout does, in numbers and words.

    Args:
        mode: The gradient mode, or :obj:`"none"` if nothing asks for a
            gradient.
        reason: Why this mode.
        num_sets: Sets of the batch.
        num_chunks: Model calls of the first pass.
        max_nodes: Atoms of the largest chunk.
        receptor: How receptors are evaluated, and why.
        keep: Chunks whose graphs are held, if they are counted.
        bytes: What is held until backward, about, if it is known.
        counts: Poses that went forward and backward, up to now.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.nn import SumAggregation
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.nn import MultiPoseReadout
        >>> poses = [Data(x=torch.ones(2, 1)) for _ in range(3)]
        >>> readout = MultiPoseReadout(SumAggregation(), inputs='x, batch')
        >>> plan = readout.plan(PoseSet.from_poses(poses))
        >>> plan.mode, plan.reason
        ('none', 'nothing requires grad')
        >>> plan.num_sets, plan.num_chunks, plan.max_nodes
        (1, 1, 6)
    """

    mode: str
    reason: str
    num_sets: int
    num_chunks: int
    max_nodes: int
    receptor: str
    keep: int | None = None
    bytes: int | None = None
    counts: Counts = field(default_factory=Counts)

    def __str__(self) -> str:
        held = {
            'none': 'nothing but the predictions',
            'full': "every pose's graph",
            'mixed': f'the graphs of {self.keep} chunks',
            'store': 'one gradient of the parameters per pose',
            'stream': 'one gradient of the parameters per set',
            'recompute': 'the inputs and the predictions',
        }[self.mode]
        if self.bytes:
            held += f', about {self.bytes:,} bytes'
        return (
            f'{self.counts.poses} poses in {self.num_sets} sets, '
            f'{self.num_chunks} chunks of at most {self.max_nodes} atoms\n'
            f"gradient '{self.mode}': {self.reason}\n"
            f'held until backward: {held}\n'
            f'receptor: {self.receptor}'
        )
