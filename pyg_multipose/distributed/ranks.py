r"""How many ranks there are, and which one this is."""

from __future__ import annotations

import torch.distributed as dist


def is_distributed() -> bool:
    r"""Whether there is a process group."""
    return dist.is_available() and dist.is_initialized()


def num_ranks(group: dist.ProcessGroup | None = None) -> int:
    r"""The number of ranks, 1 without a process group.

    Args:
        group: The process group. (default: :obj:`None`, all processes)
    """
    return dist.get_world_size(group) if is_distributed() else 1


def this_rank(group: dist.ProcessGroup | None = None) -> int:
    r"""The number of this rank, 0 without a process group.

    Args:
        group: As above. (default: :obj:`None`)
    """
    return dist.get_rank(group) if is_distributed() else 0
