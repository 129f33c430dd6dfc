r"""A receptor that is computed once, and poses by what they change in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Data

from pyg_multipose.nn.messages.edges import is_symmetric
from pyg_multipose.nn.messages.interaction import (
    EdgeTensors,
    InteractionLayer,
    InteractionModel,
)
from pyg_multipose.nn.sharing.reach import Reach


class LayerState(NamedTuple):
    r"""What a layer does with the receptor alone.

    Args:
        x: Features of its atoms before the layer.
        source: What they send.
        aggregated: The sums of messages that arrive.
        filters: The filters of its edges.
    """

    x: Tensor
    source: Tensor
    aggregated: Tensor
    filters: EdgeTensors


class ReceptorState(NamedTuple):
    r"""The receptor alone, layer by layer.

    Args:
        layers: The layers, the first one first.
        contribution: What its atoms contribute to the prediction.
        edge_index: Its edges, sorted by source.
        rows: The row of the filters that each edge uses; :obj:`None`: its
            own.
        symmetric: Whether every edge has its reverse.
        tables: From which filters of other edges can be found; :obj:`None`:
            there are none.
    """

    layers: list[LayerState]
    contribution: Tensor
    edge_index: Tensor
    rows: Tensor | None
    symmetric: bool
    tables: list[Tensor] | None


class SharedReceptor(InteractionModel):
    r"""A model of atoms in layers that computes a receptor once.

    Messages are summed and linear in what their source sends, so a sum over
    edges may be taken in parts. With :math:`\mathbf{s}^{(l)}_j` for what atom
    :math:`j` sends in layer :math:`l`, and a superscript 0 for the receptor
    alone, the sum at receptor atom :math:`i` of a pose is
    (:eq:`eq-shared-receptor`, and :eq:`eq-moved-atoms` if some have moved)

    .. math::
        \mathbf{A}^{(l)}_i = \mathbf{A}^{0 (l)}_i + \sum_{j \in
        \mathrm{ligand}} \mathbf{m}_{ij} \bigl( \mathbf{s}^{(l)}_j \bigr) +
        \sum_{j \in \mathrm{reached}} \mathbf{m}_{ij} \bigl(
        \mathbf{s}^{(l)}_j - \mathbf{s}^{0 (l)}_j \bigr)

    where an atom is reached before layer :math:`l` if it is at most
    :math:`l - 1` edges away from the ligand; all others are as in the
    receptor alone.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.nn.models import SchNet
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> pose_set = RadiusGraph(4.5)(MproMoonshot('test')[0])
        >>> model = SchNet(8, 8, num_interactions=2, cutoff=4.5)
        >>> state = model.encode_receptor(pose_set.receptor)
        >>> shared = model.forward_poses(pose_set, state)
        >>> shared.shape
        torch.Size([8, 1])
        >>> whole = model(Batch.from_data_list(pose_set.to_poses()))
        >>> torch.allclose(shared, whole, atol=1e-3)
        True
        >>> cost = model.sharing_cost(pose_set)  # of whole complexes
        >>> edges = pose_set.receptor.num_edges
        >>> more = pose_set.num_edges - edges
        >>> cost < 0.5, cost < model.sharing_bound(edges, more // 8) < 1
        (True, True)
        >>> model.predict_receptor(state).shape  # alone
        torch.Size([1, 1])
    """

    #: How much of the work on an edge is its filters, as far as it is known.
    filter_share: float = 0.0

    def sharing_cost(self, poses: Data) -> float:
        r"""Returns what a pose costs, as a share of its whole complex.

        Filters are made for the edges that touch the ligand, messages for
        these and for those whose source differs.

        Args:
            poses: A pose set.
        """
        number = len(self.layers)
        receptor, reach = receptor_and_reach(
            poses, number, self.atoms == 'ligand'
        )
        touching = differing = 0
        for layer in range(number):
            touching += reach.around_ligand(layer)[0].size(1)
            if reach.atoms(layer + 1).numel():
                differing += reach.within_receptor(layer)[0].size(1)
                gone = reach.no_longer(layer)
                differing += 0 if gone is None else gone[0].numel()
        whole = poses.edge_index.size(1) + (reach.number - 1) * receptor
        work = touching + (1 - self.filter_share) * differing
        return work / max(whole * number, 1)

    def sharing_bound(
        self, receptor_edges: int, pose_edges: int, moved: bool = False
    ) -> float:
        r"""Returns what :meth:`sharing_cost` is at most, without a search.

        That is if every atom of the receptor were reached at once.

        Args:
            receptor_edges: The edges of the receptor.
            pose_edges: Those that a pose has besides.
            moved: Whether atoms of the receptor have moved in it.
                (default: :obj:`False`)
        """
        number = len(self.layers)
        # Before the first layer nothing differs but what is elsewhere.
        layers = number if moved else number - 1
        differing = receptor_edges * layers / max(number, 1)
        work = pose_edges + (1 - self.filter_share) * differing
        return work / max(receptor_edges + pose_edges, 1)

    def encode_receptor(self, receptor: Data) -> ReceptorState:
        r"""Evaluates the receptor alone.

        Args:
            receptor: It, as a graph.

        Returns:
            Tensors for :meth:`forward_poses`, differentiable.
        """
        edge_index = receptor.edge_index
        edge_index = edge_index[:, edge_index[0].argsort(stable=True)]
        size = receptor.z.size(0)
        edges, rows = self.distinct_edges(edge_index, size)
        tables = self.filter_tables(receptor.pos, edges)
        geometries = self.layer_geometries(receptor.pos, edges, tables)
        x = self.embed(receptor.z)
        states = []
        for layer, geometry in zip(self.layers, geometries, strict=True):
            source = layer.source(x)
            filters = layer.edge_filters(geometry)
            aggregated = layer.aggregate(
                source, edge_index, filters, size, rows
            )
            states.append(LayerState(x, source, aggregated, filters))
            x = layer.update(x, aggregated)
        contribution = self.readout(x, receptor.z)
        return ReceptorState(
            states,
            contribution,
            edge_index,
            rows,
            is_symmetric(edge_index, size),
            tables,
        )

    def predict_receptor(self, state: ReceptorState) -> Tensor:
        r"""Returns the prediction of the receptor alone.

        Args:
            state: What :meth:`encode_receptor` returned for it.
        """
        graph = state.edge_index.new_zeros(state.contribution.size(0))
        if self.atoms == 'ligand':  # it has none of these
            return self.pool_atoms(state.contribution, graph, 1, graph > 0)
        return self.pool_atoms(state.contribution, graph, 1)

    def forward_poses(self, poses: Any, state: ReceptorState) -> Tensor:
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
            len(state.layers),
            self.atoms == 'ligand' and state.symmetric,
        )
        edges, rows = self.distinct_edges(reach.ligand_edges, poses.z.size(0))
        geometries = self.layer_geometries(poses.pos, edges, state.tables)
        num_ligand = poses.z.size(0) - size
        filter_rows = None if state.rows is None else state.rows[reach.edges]
        x = self.embed(poses.z[size:])
        for depth, (layer, alone, geometry) in enumerate(
            zip(self.layers, state.layers, geometries, strict=True)
        ):
            before, after = reach.atoms(depth), reach.atoms(depth + 1)
            source = layer.source(x)
            to_ligand, kept = reach.around_ligand(depth)
            # Equations (eq-shared-receptor) and (eq-moved-atoms):
            aggregated = layer.add_messages(
                _below(alone.aggregated, after, num_ligand),
                source,
                alone.source,
                to_ligand,
                layer.edge_filters(geometry),
                _chosen(rows, kept),
            )
            if after.numel():
                within, row = reach.within_receptor(depth, filter_rows)
                if row.numel():
                    aggregated = layer.add_messages(
                        aggregated,
                        source[num_ligand:],
                        alone.source,
                        within,
                        alone.filters,
                        row,
                        before,
                    )
                aggregated = _without_gone(
                    layer, aggregated, reach, depth, alone, state.rows
                )
            first = alone.x.index_select(0, after[before.numel() :])
            x = torch.cat([x[: num_ligand + after.numel()], first])
            x = layer.update(x, aggregated)
        atoms = reach.atoms(len(state.layers))
        z = torch.cat([poses.z[size:], poses.z[atoms]])
        return pool_poses(
            self.readout(x, z),
            state.contribution,
            reach,
            poses.is_ligand[size:] if self.atoms == 'ligand' else None,
            self.pool_atoms,
        )


def receptor_and_reach(
    poses: Data, num_layers: int, ligand_only: bool
) -> tuple[int, Reach]:
    r"""How far the ligands of poses reach, of a receptor not encoded yet.

    Args:
        poses: A pose set.
        num_layers: Number of layers.
        ligand_only: Whether only ligand atoms are read out.

    Returns:
        How many edges the receptor has, and how far ligands reach.
    """
    edge_index, size = poses.edge_index, int(poses.receptor_size)
    edges = edge_index[:, _within(edge_index, size)]
    edges = edges[:, edges[0].argsort(stable=True)]
    ligand_only = ligand_only and is_symmetric(edges, size)
    reach = reach_of(poses, edges, size, num_layers, ligand_only)
    return edges.size(1), reach


def reach_of(
    poses: Any,
    receptor_edges: Tensor,
    size: int,
    num_layers: int,
    ligand_only: bool,
    by_target: Tensor | None = None,
) -> Reach:
    r"""How far the ligands of poses reach.

    Args:
        poses: A pose set: the receptor, then the ligand of every pose.
        receptor_edges: Edges of the receptor, sorted by source.
        size: Atoms of the receptor.
        num_layers: Number of layers.
        ligand_only: Whether only ligand atoms are read out, and the edges of
            the receptor are symmetric.
        by_target: How these are sorted by target.
            (default: :obj:`None`, found where it is needed)
    """
    edges = poses.edge_index[:, receptor_edges.size(1) :]
    gone = None
    if 'moved_index' in poses and poses.moved_index.size(1):
        atom, stands = poses.moved_index
        end = poses.pose_size.cumsum(0) + size
        gone = torch.searchsorted(end, stands, right=True) * size + atom
    return Reach(
        poses.pose_size,
        edges,
        receptor_edges,
        size,
        num_layers,
        ligand_only and is_symmetric(edges, poses.z.size(0)),
        by_target,
        gone,
        poses.z.size(0) - size,
    )


def pool_poses(
    contribution: Tensor,
    alone: Tensor,
    reach: Reach,
    is_ligand: Tensor | None,
    pool: Callable[[Tensor, Tensor, int], Tensor],
) -> Tensor:
    r"""Pools the contributions of poses.

    Args:
        contribution: Contributions of the poses' own atoms, then of reached
            atoms.
        alone: Those of the atoms of the receptor alone.
        reach: Which atoms are reached.
        is_ligand: Which of the poses' own atoms are the ligand's, if only
            these contribute; :obj:`None`: all atoms do.
        pool: A function of contributions, the pose of each, and the number
            of poses.

    Returns:
        Predictions, one row for each pose.
    """
    number, size = reach.number, alone.size(0)
    num_ligand = reach.pose.numel()
    ligand, changed = contribution[:num_ligand], contribution[num_ligand:]
    if is_ligand is not None:
        if reach.gone is None:
            return pool(ligand, reach.pose, number)
        return pool(ligand[is_ligand], reach.pose[is_ligand], number)
    receptors = alone.repeat(number, 1)
    receptors = receptors.index_copy(
        0, reach.pairs, changed.to(receptors.dtype)
    )
    every = torch.arange(number, device=reach.pose.device)
    every = every.repeat_interleave(size)
    if reach.gone is not None:
        there = torch.ones_like(every, dtype=torch.bool)
        there[reach.gone] = False
        receptors, every = receptors[there], every[there]
    return pool(
        torch.cat([ligand, receptors]),
        torch.cat([reach.pose, every]),
        number,
    )


def _within(edge_index: Tensor, size: int) -> Tensor:
    """Which edges are between the first atoms."""
    inside = edge_index < size
    return inside[0] & inside[1]


def _below(table: Tensor, rows: Tensor, zeros: int) -> Tensor:
    """Some rows of a table, below rows of zeros."""
    if torch.is_grad_enabled():
        chosen = table.index_select(0, rows)
        return torch.cat([table.new_zeros(zeros, table.size(1)), chosen])
    out = table.new_empty(zeros + rows.numel(), table.size(1))
    out[:zeros] = 0.0
    torch.index_select(table, 0, rows, out=out[zeros:])
    return out


def _without_gone(
    layer: InteractionLayer,
    aggregated: Tensor,
    reach: Reach,
    depth: int,
    alone: LayerState,
    rows: Tensor | None,
) -> Tensor:
    """Sums without what atoms sent from where they have gone."""
    gone = reach.no_longer(depth)
    if gone is None or not gone[0].numel():
        return aggregated
    sender, receiver, edge = gone
    return layer.add_messages(
        aggregated,
        -alone.source,
        alone.source[:0],
        torch.stack([sender, receiver]),
        alone.filters,
        edge if rows is None else rows[edge],
    )


def _chosen(rows: Tensor | None, kept: Tensor | None) -> Tensor | None:
    """The filter rows of some edges."""
    if kept is None:
        return rows
    return kept if rows is None else rows[kept]
