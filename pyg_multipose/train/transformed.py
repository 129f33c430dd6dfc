r"""Some of the sets of a dataset, with edges and a transform."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from pyg_multipose.data import PoseSet
from pyg_multipose.loader import DealtSets, set_costs, set_sizes
from pyg_multipose.transforms import RadiusGraph

#: What classes of datasets say of themselves whose sets are always the same;
#: others that are derived from them say it anew.
_CONSTANT = 'constant_sets'
#: How many bytes of sets are kept with their edges: to read a set and to
#: connect its atoms takes a fifth of a step.
_MOST_KEPT = 2**29


class TransformedSets(torch.utils.data.Dataset):
    r"""Some of the sets of a dataset, with a transform and edges.

    Sets of the datasets of this package stay in memory once they were read, as
    long as they are few (half a gigabyte), and unless a transform may change
    them.

    Args:
        sets: The sets, all of them.
        index: Which ones.
        transform: Applied at every access. (default: :obj:`None`)
        cutoff: The distance in Angstrom up to which atoms are connected, in
            sets without edges. (default: :obj:`None`, edges are as they are)
    """

    def __init__(
        self,
        sets: Sequence[PoseSet],
        index: Sequence[int],
        transform: Callable[[PoseSet], Any] | None = None,
        cutoff: float | None = None,
    ) -> None:
        self.sets, self.index = sets, list(index)
        self.change = transform
        self.edges = None if cutoff is None else RadiusGraph(cutoff)
        self._kept: dict[int, PoseSet] = {}
        same = vars(type(sets)).get(_CONSTANT, False) and transform is None
        same = same and getattr(sets, 'transform', None) is None
        self._keeps = bool(same)
        self._num_kept = 0  # bytes

    def __getstate__(self) -> dict[str, Any]:
        # What a process that loads sets needs not be sent.
        return {**self.__dict__, '_kept': {}, '_num_kept': 0}

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, number: int) -> PoseSet:
        if number not in self._kept:
            pose_set = self._read(number)
            # A process that loads sets ends with its epoch.
            if not self._keeps or get_worker_info() is not None:
                return pose_set
            size = _num_bytes(pose_set)
            if self._num_kept + size > _MOST_KEPT:
                return pose_set
            self._num_kept += size
            self._kept[number] = pose_set
        return self._kept[number].clone()

    def _read(self, number: int) -> PoseSet:
        pose_set = self.sets[self.index[number]]
        if not isinstance(pose_set, PoseSet):
            raise ValueError(
                f'Item {self.index[number]} of the dataset is a '
                f'{type(pose_set).__name__}, expected a PoseSet'
            )
        if self.change is not None:
            pose_set = self.change(pose_set)
        if self.edges is not None and 'edge_index' not in pose_set:
            pose_set = self.edges(pose_set)
        return pose_set

    def sizes(self, with_edges: bool) -> Tensor:
        r"""Nodes, edges and poses of each set.

        Args:
            with_edges: Whether edges matter; else the numbers of a dataset
                that knows them are taken, where there is no transform.

        Returns:
            A tensor of shape :obj:`[num_sets, 3]`.
        """
        if self.change is None and not with_edges:
            return set_sizes(_Some(self.sets, self.index))
        return set_sizes(self)

    def costs(self) -> Tensor:
        r"""Atoms of the poses of each set, as they are in the dataset."""
        return set_costs(_Some(self.sets, self.index))


def _num_bytes(pose_set: PoseSet) -> int:
    """The memory of a set; views of a larger tensor may hold more."""
    return sum(
        value.numel() * value.element_size()
        for store in pose_set.stores
        for value in store.values()
        if isinstance(value, Tensor)
    )


class _Some:
    """Some sets, which asks their dataset for sizes where it knows them."""

    def __init__(self, sets: Any, index: list[int]) -> None:
        self.sets, self.index = sets, index
        self.transform = getattr(sets, 'transform', None)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, number: int) -> PoseSet:
        return self.sets[self.index[number]]

    def __getattr__(self, name: str) -> Any:
        if name not in ('set_sizes', 'set_costs'):
            raise AttributeError(name)
        whole = getattr(self.sets, name)  # an AttributeError, if it has none
        return lambda: whole()[torch.tensor(self.index, dtype=torch.long)]


def cutoff_of(dataset: Any) -> float | None:
    r"""The distance up to which a dataset connects atoms, if it is known.

    Args:
        dataset: A dataset whose transform may hold a
            :class:`~pyg_multipose.transforms.RadiusGraph`.
    """
    if isinstance(dataset, TransformedSets):
        own = None if dataset.edges is None else dataset.edges.r
        return own if own is not None else cutoff_of(dataset.sets)
    if isinstance(dataset, (torch.utils.data.Subset, DealtSets)):
        return cutoff_of(dataset.dataset)
    transform = getattr(dataset, 'transform', None)
    found = [
        one
        for one in getattr(transform, 'transforms', [transform])
        if isinstance(one, RadiusGraph)
    ]
    if not found or found[-1].max_num_neighbors is not None or found[-1].loop:
        return None
    return found[-1].r
