"""What happens in a receptor alone, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor
from torch.nn import Module
from torch_geometric.data import Data

from pyg_multipose.gradient.receptors.unsuited import UnsuitedError
from pyg_multipose.nn.sharing.arguments import Graph, Leaves, names_of
from pyg_multipose.nn.sharing.decisions import Decisions
from pyg_multipose.nn.sharing.layer_calls import (
    found_edges,
    layers_of,
    replaced,
)
from pyg_multipose.nn.sharing.poolings import Poolings


class LayerRecord(NamedTuple):
    r"""A call of a layer.

    Args:
        name: Name of the layer.
        kinds: What it was called with, leaf by leaf
            (:meth:`~pyg_multipose.nn.sharing.arguments.Graph.kind`).
        atoms: The rows of atoms among that, by the number of the leaf.
        edges: The rows of edges, if they are needed.
        outputs: The rows of atoms that it returned.
    """

    name: str
    kinds: list[str]
    atoms: dict[int, Tensor]
    edges: dict[int, Tensor]
    outputs: list[Tensor]


class Recording(NamedTuple):
    r"""A call of a model on a receptor.

    Args:
        layers: The calls of its layers, in turn.
        pooled: The rows of atoms that were pooled, in turn.
        decisions: The truth values of tensors, in turn.
        edge_index: The edges of the receptor.
        order: How they are sorted by source.
        by_target: How these are sorted by target.
        prediction: What the model returned, if that is a tensor.
    """

    layers: list[LayerRecord]
    pooled: list[Tensor]
    decisions: list[bool]
    edge_index: Tensor
    order: Tensor
    by_target: Tensor
    prediction: Tensor | None


def record(
    call: Callable[[Data], Any], model: Module, receptor: Data, edges: bool
) -> Recording:
    r"""Calls a model on a receptor alone.

    Args:
        call: Calls it.
        model: The model.
        receptor: The receptor, as a graph.
        edges: Whether rows of edges are recorded too.

    Raises:
        UnsuitedError: If a layer does what cannot be followed.
    """
    edge_index = receptor.edge_index
    graph = Graph(edge_index, receptor.batch, 'the receptor')
    layers: list[LayerRecord] = []
    pooled: list[Tensor] = []

    def note(forward: Any, name: str, args: Any, kwargs: Any) -> Any:
        given = Leaves((args, kwargs))
        if any(value is graph.batch for value in given.values):
            raise UnsuitedError(f"'{name}' looks at the graph of each atom")
        names = names_of(forward, args, kwargs)
        with decisions.off():
            kinds = [
                graph.kind(value, name, argument)
                for value, argument in zip(given.values, names, strict=True)
            ]
        with poolings.off():
            result = forward(*args, **kwargs)
        returned = Leaves(result).values
        with decisions.off():
            found = {graph.kind(value, name) for value in returned}
        if found != {'atoms'}:
            raise UnsuitedError(f"'{name}' returns more than rows of atoms")
        rows = given.of_kind(kinds, 'edges') if edges else {}
        atoms = given.of_kind(kinds, 'atoms')
        layers.append(LayerRecord(name, kinds, atoms, rows, returned))
        return result

    def note_pooled(rows: Tensor, summed: bool) -> None:
        pooled.append(rows)

    poolings = Poolings(graph.batch, note_pooled)
    decisions = Decisions()
    with (
        replaced(layers_of(model), note),
        found_edges(model, edge_index),
        poolings,
        decisions,
    ):
        out = call(receptor)
    if not layers:
        raise UnsuitedError('the model calls no message-passing layer')
    order = edge_index[0].argsort(stable=True)
    by_target = edge_index[1, order].argsort(stable=True)
    out = out[0] if isinstance(out, (tuple, list)) and out else out
    return Recording(
        layers,
        pooled,
        decisions.seen,
        edge_index,
        order,
        by_target,
        out if isinstance(out, Tensor) else None,
    )
