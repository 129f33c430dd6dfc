"""A call of a model on changed atoms only, with a recording for the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch_geometric.data import Data

from pyg_multipose.gradient.receptors.unsuited import UnsuitedError
from pyg_multipose.nn.sharing.arguments import Graph, Leaves
from pyg_multipose.nn.sharing.changed_atoms import ChangedAtoms
from pyg_multipose.nn.sharing.decisions import Decisions
from pyg_multipose.nn.sharing.layer_calls import (
    found_edges,
    layers_of,
    replaced,
)
from pyg_multipose.nn.sharing.poolings import Poolings
from pyg_multipose.nn.sharing.recording import Recording


def replay(
    call: Callable[[Data], Any],
    model: Module,
    atoms: ChangedAtoms,
    recording: Recording,
) -> Any:
    r"""Calls a model on changed atoms.

    A layer runs where its rows differ from the receptor alone; other rows of
    what it returns, and of what is pooled, are those of the recording.

    Args:
        call: Calls the model.
        model: The model.
        atoms: The atoms.
        recording: What happened in the receptor alone.

    Returns:
        What the model returns, of every pose and of a last graph that stands
        for nothing.

    Raises:
        UnsuitedError: If the model does not go the same way as in the
            receptor alone.
    """
    graph = atoms.graph()
    out = _Replay(atoms, recording, graph.batch)
    poolings = Poolings(graph.batch, out.pooled)

    def layer(forward: Any, name: str, args: Any, kwargs: Any) -> Any:
        with poolings.off():
            return out.layer(forward, name, args, kwargs)

    with (
        replaced(layers_of(model), layer),
        found_edges(model, atoms.edge_index),
        poolings,
        Decisions(recording.decisions),
    ):
        result = call(graph)
    out.check()
    return result


class _Replay:
    def __init__(
        self, atoms: ChangedAtoms, recording: Recording, batch: Tensor
    ) -> None:
        self._atoms, self._recording = atoms, recording
        self._graph = Graph(atoms.edge_index, batch, 'the poses')
        self._layers = self._poolings = 0

    def check(self) -> None:
        """Raises if something of the recording did not happen."""
        done = self._layers, self._poolings
        if done != (len(self._recording.layers), len(self._recording.pooled)):
            raise UnsuitedError('the model calls fewer layers for poses')

    def layer(self, forward: Any, name: str, args: Any, kwargs: Any) -> Any:
        """A layer, where its rows differ."""
        number, atoms = self._layers, self._atoms
        self._layers += 1
        if number == len(atoms.steps):
            raise UnsuitedError(f"'{name}' is called for poses only")
        known, step = self._recording.layers[number], atoms.steps[number]
        given = Leaves((args, kwargs))
        if name != known.name or len(given.values) != len(known.kinds):
            raise UnsuitedError(f"'{name}' is called in another way for poses")
        self._graph.check(given.values, known.kinds, name)

        def local(place: int, value: Any) -> Any:
            kind = known.kinds[place]
            if kind == 'edge_index':
                return step.edge_index
            if kind == 'atoms':
                recorded = known.atoms[place].index_select(0, step.others)
                return torch.cat([value[: step.first], recorded])
            if kind == 'edges':
                value = value[: step.number]
                if step.edges.numel():
                    more = known.edges[place].index_select(0, step.edges)
                    value = torch.cat([value, more])
            return value

        rest = atoms.receptor[step.first - atoms.num_ligand :]

        def whole(place: int, value: Any) -> Any:
            recorded = known.outputs[place].index_select(0, rest)
            return torch.cat([value[: step.first], recorded])

        args, kwargs = given.changed(local)
        return Leaves(forward(*args, **kwargs)).changed(whole)

    def pooled(self, rows: Tensor, summed: bool) -> tuple[Tensor, Tensor]:
        """What is left out of each pose: its sum, or the rows themselves."""
        number, atoms = self._poolings, self._atoms
        self._poolings += 1
        if number == len(self._recording.pooled):
            raise UnsuitedError('atoms are pooled more often for poses')
        known = self._recording.pooled[number]
        device = rows.device
        if summed:
            left = known.sum(0).expand(atoms.number, *known.shape[1:])
            changed = known.index_select(0, atoms.reached)
            left = left.index_add(0, atoms.pose, changed, alpha=-1)
            if atoms.gone is not None:
                pose, atom = atoms.gone // atoms.size, atoms.gone % atoms.size
                gone = known.index_select(0, atom)
                left = left.index_add(0, pose, gone, alpha=-1)
            return left, torch.arange(atoms.number, device=device)
        out = torch.ones(
            atoms.number * atoms.size, dtype=torch.bool, device=device
        )
        out[atoms.pairs] = False
        if atoms.gone is not None:
            out[atoms.gone] = False
        place = out.nonzero().squeeze(1)
        size = max(atoms.size, 1)
        return known.index_select(0, place % size), place // size
