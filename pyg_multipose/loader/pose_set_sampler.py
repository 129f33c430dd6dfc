r"""A batch sampler with budgets in nodes, edges and poses."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Sampler

from pyg_multipose.loader.packing import Strata, in_order
from pyg_multipose.loader.sizes import check_sizes, set_sizes


class PoseSetSampler(Sampler[list[int]]):
    r"""Batches of whole pose sets, within budgets of nodes, edges and poses.

    **What a batch holds.**
    As many sets as fit; no set is split, repeated or left out.
    A set that is larger than a budget goes alone: the gradient modes of
    :class:`~pyg_multipose.nn.MultiPoseReadout` cut it into chunks.

    **How long an epoch is.**
    The number of batches depends on the sizes alone, so :obj:`len` is the
    same in every epoch, as schedulers of learning rates need it.
    Shuffled batches are drawn by strata: sets are sorted by size, and each
    batch gets one of the largest sets, one of the next, and so on, at random.
    Batches are so of similar size, too.

    **Order.**
    Without :obj:`shuffle`, batches follow the order of the dataset; with it,
    they depend on :obj:`seed` and epoch, and on nothing else.
    Call :meth:`set_epoch` before every epoch, or all of them are alike (as
    with :class:`torch.utils.data.DistributedSampler`).

    **Ranks.**
    All ranks get the same number of batches, and every set goes to one rank,
    in training as in evaluation: the number of batches is rounded up to a
    multiple of the number of ranks by making batches smaller.
    If that takes more batches than there are sets, some batches hold two sets
    beyond the budget, with a warning.
    Fewer sets than ranks are an error.
    Rank :math:`r` of :math:`R` has batches :math:`r, r + R, \dots`

    **Lightning** shuffles by calling :meth:`set_epoch` of :attr:`sampler`.
    Use :obj:`Trainer(use_distributed_sampler=False)`, since ranks are dealt
    with here.

    Args:
        dataset: A dataset, or a list, of pose sets.
        max_nodes: How many rows the node table of a batch may have; each set
            counts its receptor once. (default: :obj:`None`, any number)
        max_edges: How many rows :obj:`edge_index` may have.
            (default: :obj:`None`, any number)
        max_poses: How many poses a batch may have.
            (default: :obj:`None`, any number)
        shuffle: Whether to draw batches at random. (default: :obj:`False`)
        seed: What the random numbers depend on, besides the epoch; the same
            on all ranks. (default: :obj:`0`)
        sizes: What :func:`~pyg_multipose.loader.set_sizes` gives for the
            dataset. (default: :obj:`None`, it is called)
        num_replicas: The number of ranks. (default: :obj:`None`, that of
            :mod:`torch.distributed` when the sampler is used, else 1)
        rank: The number of this rank. (default: :obj:`None`, that of
            :mod:`torch.distributed`, else 0)
        max_sets: How many sets a batch may have.
            (default: :obj:`None`, any number)

    Raises:
        ValueError: If there is no budget or one is not positive, if a rank
            is out of range, if :obj:`sizes` do not fit the dataset, or if
            there are fewer sets than ranks.

    Example:
        >>> from torch_geometric.loader import DataLoader
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.loader import PoseSetSampler
        >>> dataset = MproMoonshot('test')
        >>> sampler = PoseSetSampler(dataset, max_nodes=8000, shuffle=True)
        >>> sampler
        PoseSetSampler(40 sets in 4 batches, max_nodes=8000, shuffle=True)
        >>> loader = DataLoader(dataset, batch_sampler=sampler)
        >>> for epoch in range(2):
        ...     sampler.set_epoch(epoch)
        ...     print([batch.num_graphs for batch in loader])
        [10, 10, 10, 10]
        [10, 10, 10, 10]
    """

    def __init__(
        self,
        dataset: Any,
        max_nodes: int | None = None,
        max_edges: int | None = None,
        max_poses: int | None = None,
        shuffle: bool = False,
        seed: int = 0,
        sizes: Tensor | None = None,
        num_replicas: int | None = None,
        rank: int | None = None,
        max_sets: int | None = None,
    ) -> None:
        limits = {
            'max_nodes': max_nodes,
            'max_edges': max_edges,
            'max_poses': max_poses,
            'max_sets': max_sets,
        }
        self._budgets = {
            name: limit for name, limit in limits.items() if limit is not None
        }
        columns = [
            column
            for column, limit in enumerate(limits.values())
            if limit is not None
        ]
        _check_budgets(self._budgets)
        _check_ranks(num_replicas, rank)
        if sizes is None:
            sizes = set_sizes(dataset)
        size = functional.pad(check_sizes(sizes, dataset), (0, 1), value=1)
        self._size = size[:, columns].numpy()
        self._budget = np.array(list(self._budgets.values()))
        self.shuffle, self.seed, self.epoch = shuffle, seed, 0
        self._num_replicas, self._rank = num_replicas, rank
        self._plans: dict[int, Strata | list[list[int]]] = {}

    def __iter__(self) -> Iterator[list[int]]:
        ranks, rank = self._ranks()
        plan = self._plan(ranks)
        if isinstance(plan, Strata):
            plan = plan.draw(np.random.default_rng([self.seed, self.epoch]))
        yield from plan[rank::ranks]

    def __len__(self) -> int:
        ranks, _ = self._ranks()
        plan = self._plan(ranks)
        count = plan.count if isinstance(plan, Strata) else len(plan)
        return count // ranks

    def set_epoch(self, epoch: int) -> None:
        r"""Chooses the epoch whose batches come next.

        Args:
            epoch: Its number, from 0 on; the same on all ranks.
        """
        self.epoch = epoch

    @property
    def sampler(self) -> PoseSetSampler:
        r"""Itself: Lightning looks here for :meth:`set_epoch`."""
        return self

    def __repr__(self) -> str:
        budgets = ', '.join(f'{k}={v}' for k, v in self._budgets.items())
        return (
            f'{self.__class__.__name__}({len(self._size)} sets in '
            f'{len(self)} batches, {budgets}, shuffle={self.shuffle})'
        )

    # Inside ##################################################################

    def _ranks(self) -> tuple[int, int]:
        """Asked late: samplers are often made before the process group."""
        ranks, rank = self._num_replicas, self._rank
        if ranks is None or rank is None:
            distributed = dist.is_available() and dist.is_initialized()
            found = dist.get_world_size() if distributed else 1
            ranks = found if ranks is None else ranks
            if rank is None:
                rank = dist.get_rank() if distributed else 0
            _check_ranks(ranks, rank)
        return ranks, rank

    def _plan(self, ranks: int) -> Strata | list[list[int]]:
        if ranks in self._plans:
            return self._plans[ranks]
        if 0 < len(self._size) < ranks:
            raise ValueError(
                f'{len(self._size)} sets cannot be dealt to {ranks} ranks, '
                f'each of which needs one; use fewer ranks or more sets'
            )
        plan: Strata | list[list[int]]
        if self.shuffle:
            plan = Strata(self._size, self._budget, ranks)
            exceeds, count = plan.exceeds, plan.count
        else:
            plan, exceeds = in_order(self._size, self._budget, ranks)
            count = len(plan)
        if exceeds:
            warnings.warn(
                f'{len(self._size)} sets go one by one in budgets of '
                f'{self._budgets}, and cannot be dealt evenly to {ranks} '
                f'ranks: {len(self._size) - count} of {count} batches hold '
                f'two sets and may exceed the budgets',
                stacklevel=3,
            )
        self._plans[ranks] = plan
        return plan


def _check_budgets(budgets: dict[str, int]) -> None:
    if not budgets:
        raise ValueError(
            'A batch needs a budget: give max_nodes, max_edges, max_poses or '
            'max_sets'
        )
    for name, limit in budgets.items():
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ValueError(
                f"'{name}' has to be a positive integer, or None for any "
                f'number, got {limit!r}'
            )


def _check_ranks(ranks: int | None, rank: int | None) -> None:
    if ranks is not None and ranks < 1:
        raise ValueError(f"'num_replicas' has to be at least 1, got {ranks}")
    if rank is not None and not 0 <= rank < (ranks or rank + 1):
        raise ValueError(
            f"'rank' has to be at least 0 and below the number of ranks "
            f'({ranks}), got {rank}'
        )
