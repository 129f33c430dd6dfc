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
