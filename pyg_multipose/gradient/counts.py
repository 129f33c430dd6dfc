"""Counts of what a call did."""

from dataclasses import dataclass


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
