"""Which gradient mode runs, in which chunks, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from pyg_multipose.gradient.evaluation import Counts

Mode = Literal['full', 'store', 'stream', 'recompute', 'auto']
MODES: tuple[str, ...] = get_args(Mode)

#: The most bytes that `auto` spends on sums of gradients, one per set.
STREAM_BYTES = 2**28


@dataclass
class Plan:
    r"""What a call of a readout does, in numbers and words.

    Args:
        mode: The gradient mode, or :obj:`"none"` if nothing asks for a
            gradient.
        reason: Why this mode.
        num_sets: Sets of the batch.
        num_poses: Poses of the batch.
        num_chunks: Model calls of the first pass.
        max_nodes: Atoms of the largest chunk.
        receptor: How receptors are evaluated, and why.
        counts: Poses that went forward and backward, up to now.
    """

    mode: str
    reason: str
    num_sets: int
    num_poses: int
    num_chunks: int
    max_nodes: int
    receptor: str
    counts: Counts = field(default_factory=Counts)

    def __str__(self) -> str:
        held = {
            'none': 'nothing but the predictions',
            'full': "every pose's graph",
            'store': 'one gradient of the parameters per pose',
            'stream': 'one gradient of the parameters per set',
            'recompute': 'the inputs and the predictions',
        }[self.mode]
        return (
            f'{self.num_poses} poses in {self.num_sets} sets, '
            f'{self.num_chunks} chunks of at most {self.max_nodes} atoms\n'
            f"gradient '{self.mode}': {self.reason}\n"
            f'held until backward: {held}\n'
            f'receptor: {self.receptor}'
        )
