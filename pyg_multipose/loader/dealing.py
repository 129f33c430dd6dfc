r"""The sets of one batch dealt to ranks, evenly by what they cost."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.data import PoseSet


@dataclass(frozen=True)
class StandIn:
    r"""A set for a rank that has none of a batch; its label must not count.

    No integer, so that no dataset takes it for a set like others.

    Args:
        index: The number of the set.
    """

    index: int


def deal(costs: Sequence[float] | np.ndarray, ranks: int) -> list[list[int]]:
    r"""Deals things to ranks, the dearest first, each to who has least.

    The same on every rank: equal costs go by their order.

    Args:
        costs: What each thing costs.
        ranks: The number of ranks.

    Returns:
        The numbers of the things of each rank, in their order.
    """
    values = np.asarray(costs, dtype=np.float64)
    shares: list[list[int]] = [[] for _ in range(ranks)]
    total = np.zeros(ranks)
    count = np.zeros(ranks)
    for thing in np.argsort(-values, kind='stable').tolist():
        # Of ranks with as much, that with fewer: costs may be zero.
        rank = int(np.lexsort((count, total))[0])
        shares[rank].append(thing)
        total[rank] += values[thing]
        count[rank] += 1
    return [sorted(share) for share in shares]


def share_of(
    batch: Sequence[int], costs: np.ndarray, ranks: int, rank: int
) -> list[int | StandIn]:
    r"""The sets of a batch that a rank has.

    Args:
        batch: Numbers of sets.
        costs: What each set of the dataset costs.
        ranks: The number of ranks.
        rank: The number of this rank.

    Returns:
        Their numbers, or the cheapest set as a :class:`StandIn`, if the batch
        has fewer sets than there are ranks.
    """
    sets = np.asarray(batch)
    share = deal(costs[sets], ranks)[rank]
    if share:
        return [int(sets[place]) for place in share]
    return [StandIn(int(sets[np.argmin(costs[sets])]))]


class DealtSets(torch.utils.data.Dataset):
    r"""A dataset whose sets are dealt to ranks: stand-ins have no label.

    In :class:`~pyg_multipose.loader.PoseSetSampler` with
    :obj:`deal="sets"`, a rank for which a batch has no set gets the cheapest
    one of the batch beside the rank that has it: so every rank goes forward
    and backward, as :class:`~torch.nn.parallel.DistributedDataParallel`
    wants it. That set must not count twice, so its label is taken away here,
    and the losses of :mod:`pyg_multipose.nn.loss` leave it out: floats become
    NaN, integers -1, booleans false.

    Args:
        dataset: A dataset, or a list, of pose sets.
        labels: The keys of what losses are computed with.
            (default: :obj:`("y",)`)

    Raises:
        ValueError: If a stand-in has none of the labels.

    Example:
        >>> from torch_geometric.loader import DataLoader
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.loader import DealtSets, PoseSetSampler
        >>> dataset = MproMoonshot('test')[:3]
        >>> sampler = PoseSetSampler(
        ...     dataset, max_poses=64, deal='sets', num_replicas=4, rank=3
        ... )
        >>> loader = DataLoader(DealtSets(dataset), batch_sampler=sampler)
        >>> [batch.y for batch in loader]  # there are only three sets
        [tensor([nan])]
    """

    def __init__(self, dataset: Any, labels: Sequence[str] = ('y',)) -> None:
        self.dataset, self.labels = dataset, tuple(labels)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int | StandIn) -> PoseSet:
        if not isinstance(index, StandIn):
            return self.dataset[index]
        return self._without_label(self.dataset[index.index])

    def _without_label(self, pose_set: PoseSet) -> PoseSet:
        out = copy.copy(pose_set)
        found = [key for key in self.labels if key in out]
        if not found:
            raise ValueError(
                f"Set '{out.get('name')}' has none of the labels "
                f'{list(self.labels)}, so that it cannot stand for no set on '
                f'a rank without one; name its labels, '
                f'DealtSets(dataset, labels=...)'
            )
        for key in found:
            value = out[key]
            missing = value
            if isinstance(value, Tensor):
                missing = torch.full_like(value, _missing(value))
            elif isinstance(value, float):
                missing = float('nan')
            else:
                raise ValueError(
                    f"The label '{key}' is a {type(value).__name__}, expected "
                    f'a tensor, which can say that there is none'
                )
            out[key] = missing
        return out


def _missing(value: Tensor) -> float | int | bool:
    if value.is_floating_point():
        return float('nan')
    return False if value.dtype == torch.bool else -1
