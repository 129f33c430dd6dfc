"""What a layer is called with: rows of atoms, edges, rows of edges."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from pyg_multipose.gradient.receptors.unsuited import UnsuitedError


class Graph(NamedTuple):
    r"""The graph that a model is called with.

    Args:
        edge_index: Its edges :math:`(2, E)`.
        batch: The graph of every atom :math:`(n)`.
        where: How messages call it.
    """

    edge_index: Tensor
    batch: Tensor
    where: str

    def kind(self, value: Any, layer: str, name: str = '') -> str:
        r"""What a value is.

        Rows of :obj:`"atoms"` or of :obj:`"edges"`, the :obj:`"edge_index"`
        itself, or :obj:`"other"`.

        Args:
            value: A leaf of the arguments or results of a layer.
            layer: How messages call the layer.
            name: Name of the argument, which tells rows of edges where there
                are as many of them as atoms. (default: :obj:`""`)

        Raises:
            UnsuitedError: If that cannot be told, or the edges are others
                than those of the graph.
        """
        if not isinstance(value, Tensor) or not value.dim():
            return 'other'
        atoms, edges = self.batch.numel(), self.edge_index.size(1)
        if not value.is_floating_point() and value.shape == (2, edges):
            same = value is self.edge_index
            if same or torch.equal(value, self.edge_index):
                return 'edge_index'
            raise UnsuitedError(f'{layer} is called with edges of its own')
        if atoms == edges == value.size(0):
            return 'edges' if name.startswith('edge') else 'atoms'
        rows = {atoms: 'atoms', edges: 'edges'}
        if value.size(0) in rows:
            return rows[value.size(0)]
        raise UnsuitedError(
            f'{layer} takes or returns shape {list(value.shape)}, which is '
            f'neither of the {atoms} atoms nor of the {edges} edges of '
            f'{self.where}'
        )

    def check(self, values: list[Any], kinds: list[str], layer: str) -> None:
        r"""Raises if values are not of the kinds that were seen.

        Args:
            values: The leaves of the arguments of a layer.
            kinds: What each of them is.
            layer: How messages call the layer.
        """
        sizes = {
            'atoms': self.batch.numel(),
            'edges': self.edge_index.size(1),
            'edge_index': 2,
        }
        for value, kind in zip(values, kinds, strict=True):
            if kind != 'other' and len(value) != sizes[kind]:
                raise UnsuitedError(f'{layer} is called in another way')


class Leaves:
    r"""The leaves of the arguments, or results, of a layer.

    Args:
        tree: Any nesting.
    """

    def __init__(self, tree: Any) -> None:
        self.values, self.spec = pytree.tree_flatten(tree)

    def of_kind(self, kinds: list[str], kind: str) -> dict[int, Tensor]:
        r"""The leaves of a kind, by their number.

        Args:
            kinds: What each leaf is.
            kind: The kind.
        """
        pairs = zip(self.values, kinds, strict=True)
        return {n: v for n, (v, its) in enumerate(pairs) if its == kind}

    def changed(self, change: Callable[[int, Any], Any]) -> Any:
        r"""The nesting, with other leaves.

        Args:
            change: From the number of a leaf and the leaf to the new one.
        """
        return pytree.tree_unflatten(
            [change(number, leaf) for number, leaf in enumerate(self.values)],
            self.spec,
        )


def names_of(
    forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[str]:
    r"""The argument that each leaf belongs to.

    Args:
        forward: The function.
        args: What it is called with.
        kwargs: And by name.
    """
    known = [*inspect.signature(forward).parameters]
    names = [*known[: len(args)], *[''] * (len(args) - len(known)), *kwargs]
    return [
        name
        for name, value in zip(names, [*args, *kwargs.values()], strict=True)
        for _ in pytree.tree_leaves(value)
    ]
