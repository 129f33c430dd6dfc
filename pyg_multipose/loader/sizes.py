r"""How many nodes, edges and poses each set of a dataset has."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from pyg_multipose.data import PoseSet

#: The columns of a table of sizes.
COLUMNS = ('nodes', 'edges', 'poses')


def set_sizes(dataset: Any, progress: bool = True) -> Tensor:
    r"""Nodes, edges and poses of each set, as a batch will hold them.

    A dataset that knows them, by a method :meth:`set_sizes` of its own, is
    asked, unless it has a transform, which may change them.
    Otherwise each set is loaded once.
    For a large dataset with a transform, keep the result
    (:func:`torch.save`) and give it to
    :class:`~pyg_multipose.loader.PoseSetSampler`.

    Args:
        dataset: A dataset, or a list, of pose sets.
        progress: Whether to show a progress bar, on standard error, if the
            sets have to be loaded. (default: :obj:`True`)

    Returns:
        The rows of the node table (a receptor counts once), those of
        :obj:`edge_index` and the poses, shape :obj:`[num_sets, 3]`.

    Raises:
        ValueError: If an item is no pose set, or the dataset's own table does
            not have this shape.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.loader import set_sizes
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> dataset = MproMoonshot('test', transform=RadiusGraph(4.5))
        >>> set_sizes(dataset[:2], progress=False)  # nodes, edges, poses
        tensor([[  743, 12112,     8],
                [  694, 11226,     9]])
    """
    known = getattr(dataset, 'set_sizes', None)
    if callable(known) and getattr(dataset, 'transform', None) is None:
        return check_sizes(known(), dataset)
    return _looked_at(dataset, progress)[:, :3]


def set_costs(dataset: Any, progress: bool = True) -> Tensor:
    r"""Atoms of all poses of each set: what a set costs beside others.

    The receptor is left out, since it is evaluated once, or not at all.
    As :func:`set_sizes`, this asks a dataset that knows them, by a method
    :meth:`set_costs` of its own, and else loads each set once. Of a dataset
    that knows its sizes only, it takes the nodes.

    Args:
        dataset: A dataset, or a list, of pose sets.
        progress: As of :func:`set_sizes`. (default: :obj:`True`)

    Returns:
        The numbers of atoms, shape :obj:`[num_sets]`.

    Raises:
        ValueError: If an item is no pose set.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.loader import set_costs
        >>> set_costs(MproMoonshot('test')[:2], progress=False)
        tensor([256, 207])
    """
    known = getattr(dataset, 'set_costs', None)
    if getattr(dataset, 'transform', None) is None:
        if callable(known):
            return check_costs(known(), dataset)
        if callable(getattr(dataset, 'set_sizes', None)):
            return set_sizes(dataset)[:, 0]
    return _looked_at(dataset, progress)[:, 3]


def sizes_and_costs(dataset: Any) -> tuple[Tensor, Tensor]:
    r"""Both, and each set is loaded once at most.

    Args:
        dataset: A dataset, or a list, of pose sets.
    """
    known = hasattr(dataset, 'set_sizes')
    if known and getattr(dataset, 'transform', None) is None:
        return set_sizes(dataset), set_costs(dataset)
    found = _looked_at(dataset, True)
    return found[:, :3], found[:, 3]


def _looked_at(dataset: Any, progress: bool) -> Tensor:
    """Sizes and costs of sets that have to be loaded."""
    rows = []
    bar = tqdm(
        range(len(dataset)),
        desc='Sizes of pose sets',
        disable=None if progress else True,
    )
    for index in bar:
        item = dataset[index]
        if not isinstance(item, PoseSet):
            raise ValueError(
                f'Item {index} of the dataset is a {type(item).__name__}, '
                f'expected a PoseSet'
            )
        sizes = item.num_nodes, item.num_edges, item.num_poses
        rows.append([*sizes, int(item.pose_size.sum())])
    return torch.tensor(rows, dtype=torch.long).view(-1, len(COLUMNS) + 1)


def check_sizes(sizes: Any, dataset: Sized) -> Tensor:
    r"""Refuses what is no table of sizes of a dataset.

    Args:
        sizes: The table.
        dataset: What it must fit.

    Returns:
        The table.
    """
    expected = [len(dataset), len(COLUMNS)]
    if (
        not isinstance(sizes, Tensor)
        or list(sizes.shape) != expected
        or sizes.dtype != torch.long
    ):
        got = type(sizes).__name__
        if isinstance(sizes, Tensor):
            got = f'shape {list(sizes.shape)} and {sizes.dtype}'
        raise ValueError(
            f'The sizes of sets are a tensor of shape {expected} ({COLUMNS}) '
            f'and torch.int64, got {got}; pyg_multipose.loader.set_sizes '
            f'makes it'
        )
    if len(sizes) and (sizes < 0).any():
        row = int((sizes < 0).any(dim=1).nonzero()[0])
        raise ValueError(
            f'Set {row} has sizes {sizes[row].tolist()} ({COLUMNS}); a size '
            f'cannot be negative'
        )
    return sizes


def check_costs(costs: Any, dataset: Sized) -> Tensor:
    r"""Refuses what does not say what each set of a dataset costs.

    Args:
        costs: The costs.
        dataset: What they must fit.

    Returns:
        The costs.
    """
    expected = [len(dataset)]
    if not isinstance(costs, Tensor) or list(costs.shape) != expected:
        got = type(costs).__name__
        if isinstance(costs, Tensor):
            got = f'shape {list(costs.shape)}'
        raise ValueError(
            f'The costs of sets are a tensor of shape {expected}, got {got}; '
            f'pyg_multipose.loader.set_costs makes it'
        )
    if len(costs) and not bool((costs.isfinite() & (costs >= 0)).all()):
        raise ValueError(
            'The costs of sets have to be finite numbers of at least 0, got '
            f'{costs.min().item()} to {costs.max().item()}'
        )
    return costs
