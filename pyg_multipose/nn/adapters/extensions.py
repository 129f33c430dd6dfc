r"""Functions of PyG that need a compiled extension, without it."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import torch
import torch_geometric.nn.models.dimenet
import torch_geometric.nn.pool
from torch import Tensor, nn

from pyg_multipose.transforms.neighbors import (
    check_cap,
    nearest,
    warn_cut_graphs,
)
from pyg_multipose.transforms.neighbors import radius_graph as _all_neighbors


class without_extensions:
    r"""Lets models run that need a compiled extension of :pyg:`PyG`.

    :pyg:`PyG`'s :obj:`radius_graph` needs :obj:`pyg-lib`, and
    :obj:`triplets`, which DimeNet uses, needs :obj:`torch-sparse`; pip has no
    binaries of either. This puts functions in their place that need nothing,
    by name, in the Python modules that define the classes of the given models.
    No model is changed, so weights, copies and pickles are as ever; a process
    that loads a model has to call this too.

    Like :class:`torch.set_grad_enabled`, it works from the call on, and undoes
    it at the end of a :obj:`with` block, or by :meth:`undo`. Undo it after the
    backward pass, which may call the model again.

    .. code-block:: python

        without_extensions(model)  # from now on

        with without_extensions(model):  # here only
            readout(batch).sum().backward()

    The numbers are those of :pyg:`PyG`, except where
    :obj:`max_num_neighbors` cuts: the *nearest* neighbours are kept, an atom
    is no neighbour of itself, and a warning tells how many were cut.

    Args:
        *models: Models, or Python modules such as :obj:`torch_geometric.nn`
            (for code that says :obj:`torch_geometric.nn.radius_graph`).

    Raises:
        ValueError: If nothing that is given uses these functions.

    Example:
        >>> from pyg_multipose.nn.adapters import without_extensions
        >>> import torch
        >>> from torch_geometric.nn.models import ViSNet
        >>> model = ViSNet(num_layers=1, hidden_channels=8)
        >>> z, pos = torch.tensor([6, 8]), torch.eye(2, 3)
        >>> with without_extensions(model):
        ...     energy, _ = model(z, pos, torch.zeros(2, dtype=torch.long))
        >>> energy.shape
        torch.Size([1, 1])
        >>> own = without_extensions(model)  # until it is undone
        >>> own.undo()
    """

    def __init__(self, *models: nn.Module | ModuleType) -> None:
        self._before: list[tuple[ModuleType, str, Any]] = []
        found = False
        for home in dict.fromkeys(
            h for model in models for h in _homes(model)
        ):
            for name, value in list(vars(home).items()):
                own = _OWN.get(name)
                if own is None or not (value is own[0] or value is own[1]):
                    continue
                found = True
                if value is own[0]:
                    self._before.append((home, name, value))
        if not found:
            given = ', '.join(_name(model) for model in models) or 'nothing'
            raise ValueError(
                f'No code of {given} names {sorted(_OWN)} of PyG, so there is '
                f'nothing to replace. If it says torch_geometric.nn.'
                f'radius_graph, give torch_geometric.nn'
            )
        for home, name, _ in self._before:
            setattr(home, name, _OWN[name][1])

    def undo(self) -> None:
        r"""Puts back what was there before."""
        for home, name, value in self._before:
            setattr(home, name, value)
        self._before = []

    def __enter__(self) -> without_extensions:
        return self

    def __exit__(self, *_: Any) -> None:
        self.undo()


def radius_graph(
    x: Tensor,
    r: float,
    batch: Tensor | None = None,
    loop: bool = False,
    max_num_neighbors: int | None = 32,
    flow: str = 'source_to_target',
    num_workers: int = 1,
    batch_size: int | None = None,
) -> Tensor:
    r"""All pairs of atoms within a distance, with the arguments of PyG's.

    Args:
        x: Coordinates.
        r: The distance.
        batch: The graph of each atom. (default: :obj:`None`)
        loop: Whether an atom is connected to itself.
            (default: :obj:`False`)
        max_num_neighbors: How many others an atom is connected to at most,
            the nearest. (default: :obj:`32`)
        flow: Whether targets or sources come second.
            (default: :obj:`"source_to_target"`)
        num_workers: Without meaning. (default: :obj:`1`)
        batch_size: Without meaning. (default: :obj:`None`)
    """
    edge_index = _edges(x, r, batch, loop, check_cap(max_num_neighbors))
    return edge_index if flow == 'source_to_target' else edge_index.flip(0)


@torch.compiler.disable
def _edges(
    x: Tensor, r: float, batch: Tensor | None, loop: bool, cap: int | None
) -> Tensor:
    edge_index = _all_neighbors(x, r, batch, loop)
    if cap is None:
        return edge_index
    keep, cut = nearest(edge_index, x, cap)
    warn_cut_graphs(cap, cut, batch)
    return edge_index[:, keep]


def triplets(edge_index: Tensor, num_nodes: int) -> tuple[Tensor, ...]:
    r"""Pairs of edges :math:`k \to j \to i` with :math:`k \ne i`.

    Args:
        edge_index: Edges :math:`j \to i`.
        num_nodes: How many nodes there are.

    Returns:
        As PyG's: :math:`i` and :math:`j` of every edge; :math:`i`, :math:`j`
        and :math:`k` of every triplet, and its edges :math:`k \to j` and
        :math:`j \to i`.
    """
    source, target = edge_index
    order = source.argsort(stable=True)
    order = order[target[order].argsort(stable=True)]
    degree = torch.bincount(target, minlength=num_nodes)
    first = degree.cumsum(0) - degree
    count = degree[source]
    edges = torch.arange(len(source), device=source.device)
    ji = edges.repeat_interleave(count)
    rank = torch.arange(len(ji), device=source.device)
    rank = rank - (count.cumsum(0) - count)[ji]
    kj = order[first[source[ji]] + rank]
    other = source[kj] != target[ji]
    ji, kj = ji[other], kj[other]
    return target, source, target[ji], source[ji], source[kj], kj, ji


#: By name: the function of PyG, and the one in its place.
_OWN: dict[str, tuple[Any, Any]] = {
    'radius_graph': (torch_geometric.nn.pool.radius_graph, radius_graph),
    'triplets': (torch_geometric.nn.models.dimenet.triplets, triplets),
}


def _homes(model: nn.Module | ModuleType) -> list[ModuleType]:
    """The Python modules that define the classes of a model."""
    if isinstance(model, ModuleType):
        return [model]
    if not isinstance(model, nn.Module):
        raise ValueError(
            f'Got a {type(model).__name__}, expected a torch.nn.Module or a '
            f'Python module'
        )
    kinds = dict.fromkeys(
        kind for module in model.modules() for kind in type(module).__mro__
    )
    homes = [sys.modules.get(kind.__module__) for kind in kinds]
    return [home for home in homes if home is not None]


def _name(model: nn.Module | ModuleType) -> str:
    if isinstance(model, ModuleType):
        return model.__name__
    return type(model).__name__
