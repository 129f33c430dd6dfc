r"""Layers with any messages, and a receptor that is computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Module, ModuleList
from torch_geometric.data import Data

from pyg_multipose.nn.messages._checks import check_batch, check_choice
from pyg_multipose.nn.messages.edges import is_symmetric
from pyg_multipose.nn.messages.pooling import pool_atoms
from pyg_multipose.nn.sharing.shared_receptor import (
    pool_poses,
    reach_of,
    receptor_and_reach,
)


class LayersState(NamedTuple):
    r"""The receptor alone, layer by layer.

    Args:
        features: Features of its atoms before each layer.
        contribution: What its atoms contribute to the prediction.
        edge_index: Its edges, sorted by source.
        edge_attr: The attributes of its edges, if edges have any.
        symmetric: Whether every edge has its reverse.
    """

    features: list[Tensor]
    contribution: Tensor
    edge_index: Tensor
    edge_attr: Tensor | None
    symmetric: bool


class SharedLayers(Module):
    r"""A model of :pyg:`PyG` layers that computes a receptor once.

    Messages may depend on source and target in any way (attention, edge
    networks), and may be aggregated in any way:

    .. math::
        \mathbf{X}^{(0)} = \mathrm{embed}(\mathbf{z}), \qquad
        \mathbf{X}^{(l)} = \mathrm{layer}_l \bigl( \mathbf{X}^{(l - 1)},
        \mathrm{edges}, \mathrm{edge\_attr} \bigr), \qquad
        y = \sum_i \mathrm{readout} \bigl( \mathbf{x}^{(L)}_i \bigr)

    All that a layer may look at are the edges that arrive at an atom. Poses
    then differ in layer :math:`l` at ligand atoms and at receptor atoms that
    are at most :math:`l` edges away from the ligand. There the layer, as it
    is, runs with all of their incoming edges; everything else is as in the
    receptor alone.
    Models whose messages are linear in their source save more by
    :class:`~pyg_multipose.nn.sharing.shared_receptor.SharedReceptor`.

    The model is called as :obj:`model(batch)` and reads :obj:`z`,
    :obj:`pos`, :obj:`edge_index`, :obj:`batch` and, if
    :obj:`atoms="ligand"`, :obj:`is_ligand`, as
    :class:`~pyg_multipose.nn.models.EquivariantGNN` does.

    Args:
        embed: From atomic numbers :math:`(n)` to features :math:`(n, F)`,
            atom by atom.
        layers: Modules that are called as :obj:`layer(x, edge_index,
            edge_attr)`, or :obj:`layer(x, edge_index)` without
            :obj:`edge_attr`, such as :class:`torch_geometric.nn.GATv2Conv`
            or a :class:`torch_geometric.nn.Sequential`.
        readout: From features after the last layer to the contributions of
            atoms :math:`(n, C)`, atom by atom.
        edge_attr: From positions in Angstrom :math:`(n, 3)` and edges
            :math:`(2, E)` to attributes :math:`(E, D)`, edge by edge.
            (default: :obj:`None`, edges have none)
        pool: Whether the contributions of atoms are summed (:obj:`"sum"`) or
            averaged (:obj:`"mean"`). (default: :obj:`"sum"`)
        atoms: The atoms that contribute (:obj:`"all"` or :obj:`"ligand"`).
            Messages are exchanged by all. (default: :obj:`"all"`)

    Shapes:
        - **input:** a batch of :math:`P` graphs
        - **output:** :math:`(P, C)`

    Raises:
        ValueError: If an argument is invalid; in a call, if a key is missing
            or has a wrong type or shape, or if a graph has no atoms to
            average.
        TypeError: If the model is called with a pose set instead of a batch
            whose graphs are poses.

    Example:
        >>> import torch
        >>> from torch_geometric.nn import GATv2Conv
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.nn import MultiPoseReadout
        >>> from pyg_multipose.nn.models import SharedLayers
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> model = SharedLayers(
        ...     torch.nn.Embedding(100, 8),
        ...     [GATv2Conv(8, 8), GATv2Conv(8, 8)],
        ...     torch.nn.Linear(8, 1),
        ... )
        >>> pose_set = RadiusGraph(4.5)(MproMoonshot('test')[0])
        >>> MultiPoseReadout(model, 'mean')(pose_set).shape
        torch.Size([1])
    """

    #: Whether layers run on all atoms that differ.
    runs_layers = True

    def __init__(
        self,
        embed: Module,
        layers: Iterable[Module],
        readout: Module,
        edge_attr: Callable[[Tensor, Tensor], Tensor] | None = None,
        pool: str = 'sum',
        atoms: str = 'all',
    ) -> None:
        super().__init__()
        check_choice('pool', pool, ['sum', 'mean'])
        check_choice('atoms', atoms, ['all', 'ligand'])
        self.embed = embed
        self.layers = ModuleList(layers)
        self.readout = readout
        self.edge_attr = edge_attr
        self.pool = pool
        self.atoms = atoms

    def forward(self, batch: Any) -> Tensor:
        r"""Returns the prediction of every graph."""
        num_graphs = check_batch(
            batch,
            self.__class__.__name__,
            getattr(self.embed, 'num_embeddings', 1 << 31),
            'cutoff',
            is_ligand=self.atoms == 'ligand',
        )
        x, edge_index = self.embed(batch.z), batch.edge_index
        edge_attr = self._attributes(batch.pos, edge_index)
        for layer in self.layers:
            x = _call(layer, x, edge_index, edge_attr)
        index = getattr(batch, 'batch', None)
        if index is None:
            index = edge_index.new_zeros(batch.z.size(0))
        is_ligand = batch.is_ligand if self.atoms == 'ligand' else None
        return pool_atoms(
            self.readout(x), index, num_graphs, self.pool, is_ligand
        )

    def sharing_cost(self, poses: Data) -> float:
        r"""Returns what a pose costs, as a share of its whole complex.

        Args:
            poses: A pose set.
        """
        receptor, reach = receptor_and_reach(
            poses, len(self.layers), self.atoms == 'ligand'
        )
        edges = [
            reach.incoming(number).edge_index.size(1)
            for number in range(len(self.layers))
        ]
        whole = poses.edge_index.size(1) + (reach.number - 1) * receptor
        return sum(edges) / max(whole * len(edges), 1)

    def encode_receptor(self, receptor: Data) -> LayersState:
        r"""Evaluates the receptor alone.

        Args:
            receptor: It, as a graph.

        Returns:
            Tensors for :meth:`forward_poses`, differentiable.
        """
        edge_index = receptor.edge_index
        edge_index = edge_index[:, edge_index[0].argsort(stable=True)]
        edge_attr = self._attributes(receptor.pos, edge_index)
        features = [self.embed(receptor.z)]
        for layer in self.layers:
            features.append(_call(layer, features[-1], edge_index, edge_attr))
        return LayersState(
            features[:-1],
            self.readout(features[-1]),
            edge_index,
            edge_attr,
            is_symmetric(edge_index, receptor.z.size(0)),
        )

    def predict_receptor(self, state: LayersState) -> Tensor:
        r"""Returns the prediction of the receptor alone.

        Args:
            state: What :meth:`encode_receptor` returned for it.
        """
        graph = state.edge_index.new_zeros(state.contribution.size(0))
        none = graph > 0 if self.atoms == 'ligand' else None
        return pool_atoms(state.contribution, graph, 1, self.pool, none)

    def forward_poses(self, poses: Any, state: LayersState) -> Tensor:
        r"""Evaluates poses by what they change.

        Args:
            poses: A pose set: the receptor, then the ligand of every pose.
            state: What :meth:`encode_receptor` returned for the receptor.

        Returns:
            Predictions, one row for each pose.
        """
        size = state.contribution.size(0)
        reach = reach_of(
            poses,
            state.edge_index,
            size,
            len(state.features),
            self.atoms == 'ligand' and state.symmetric,
        )
        of_ligand = self._attributes(poses.pos, reach.ligand_edges)
        x = self.embed(poses.z[size:])
        for depth, (layer, alone) in enumerate(
            zip(self.layers, state.features, strict=True)
        ):
            before, after = reach.atoms(depth), reach.atoms(depth + 1)
            step = reach.incoming(depth)
            unchanged = torch.cat([after[before.numel() :], step.others])
            edge_attr = None
            if of_ligand is not None and state.edge_attr is not None:
                edge_attr = torch.cat(
                    [of_ligand[step.touching], state.edge_attr[step.within]]
                )
            x = torch.cat([x, alone.index_select(0, unchanged)])
            x = _call(layer, x, step.edge_index, edge_attr)
            x = x[: reach.pose.numel() + after.numel()]
        return pool_poses(
            self.readout(x),
            state.contribution,
            reach,
            poses.is_ligand[size:] if self.atoms == 'ligand' else None,
            self._pool,
        )

    def _attributes(self, pos: Tensor, edge_index: Tensor) -> Tensor | None:
        if self.edge_attr is None:
            return None
        return self.edge_attr(pos, edge_index)

    def _pool(
        self, contribution: Tensor, index: Tensor, number: int
    ) -> Tensor:
        return pool_atoms(contribution, index, number, self.pool)


def _call(
    layer: Callable[..., Tensor],
    x: Tensor,
    edge_index: Tensor,
    edge_attr: Tensor | None,
) -> Tensor:
    if edge_attr is None:
        return layer(x, edge_index)
    return layer(x, edge_index, edge_attr)
