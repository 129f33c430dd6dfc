r"""How far a ligand reaches into its receptor, layer by layer."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from pyg_multipose.nn.messages.reach_kernel import Found, find_reached
from pyg_multipose.nn.sharing.reach_search import (
    degrees,
    find_at_once,
    ranges,
    where,
)

#: The place of atoms that are not there.
_GONE = -2


class Incoming(NamedTuple):
    r"""All edges that arrive at atoms that differ.

    Rows are those of ligand atoms, of reached atoms (before or after the
    layer, whichever are more), and of :obj:`others`.

    Args:
        edge_index: Sources and targets :math:`(2, E^{\prime})`.
        touching: Which edges that touch a ligand come first.
        within: Which edges of the receptor follow.
        others: The receptor atoms of the last rows, which are as in the
            receptor alone, each once for all poses.
    """

    edge_index: Tensor
    touching: Tensor
    within: Tensor
    others: Tensor


class Reach:
    r"""Which atoms of a receptor differ between poses, after which layer.

    A receptor atom of a pose is *reached* after :math:`l` layers if at most
    :math:`l` edges lead to it from the ligand. Pairs of a pose and a reached
    atom are sorted by that distance, so those of every layer come first in
    those of the next one.
    Atoms of the receptor that are elsewhere in a pose are rows of the pose,
    and count as its ligand here. Where they have gone from, they send nothing,
    so what they sent to is reached after one layer, too.
    It holds integers only.

    Args:
        pose_size: Atoms of every pose of its own :math:`(B)`.
        ligand_edges: Edges that touch a ligand :math:`(2, E)`, in rows of the
            receptor and then of all ligands.
        receptor_edges: Edges of the receptor, sorted by source.
        size: Atoms of the receptor.
        num_layers: Number of layers :math:`L`.
        ligand_only: Whether only ligand atoms are read out, and all edges go
            both ways, so that of layer :math:`l` only atoms matter that are
            at most :math:`L - l` edges away.
        by_target: How the edges of the receptor are sorted by target.
            (default: :obj:`None`, found where it is needed)
        gone: The receptor atoms that are not there: pose times size of the
            receptor plus atom. (default: :obj:`None`, none)
        num_ligand: Atoms of all poses together.
            (default: :obj:`None`, which has to be asked)
    """

    def __init__(
        self,
        pose_size: Tensor,
        ligand_edges: Tensor,
        receptor_edges: Tensor,
        size: int,
        num_layers: int,
        ligand_only: bool,
        by_target: Tensor | None = None,
        gone: Tensor | None = None,
        num_ligand: int | None = None,
    ) -> None:
        number = pose_size.numel()
        self._by_target = by_target
        #: Receptor atoms that are not there in a pose, :obj:`None`: none.
        self.gone = gone
        self.number = number
        self.ligand_edges = ligand_edges
        self._size, self._receptor_edges = size, receptor_edges
        #: The pose of every ligand atom.
        self.pose = torch.arange(
            number, device=pose_size.device
        ).repeat_interleave(pose_size, output_size=num_ligand)
        self._num_ligand = self.pose.numel()
        source, target = ligand_edges
        # Numbers of the edges into the receptor, and out of it:
        outside = ligand_edges >= size
        self._into, self._out_of = where(
            torch.stack([outside[0] > outside[1], outside[0] < outside[1]])
        )
        self._into_pair = (
            target[self._into] + size * (self.pose[source[self._into] - size])
        )
        self._atom_out_of = source[self._out_of]
        self._out_of_pair = (
            self._atom_out_of + size * (self.pose[target[self._out_of] - size])
        )

        #: How far atoms count after each number of layers.
        self._depth = [
            min(layer, num_layers - layer) if ligand_only else layer
            for layer in range(num_layers + 1)
        ]
        senders = [
            self._depth[layer]
            for layer in range(num_layers)
            if self._depth[layer + 1]
        ]
        self._find(number, max(self._depth), max(senders, default=0))

    def _find(self, number: int, most: int, most_senders: int) -> None:
        found = None
        if self.gone is None:
            on_cpu = self._into_pair.is_cpu
            found = (find_reached if on_cpu else find_at_once)(
                self._into_pair,
                self._receptor_edges,
                number,
                self._size,
                most,
                most_senders,
                self._num_ligand,
            )
        if found is None:
            found = self._search(number, most, most_senders)
        #: Pose times size of the receptor plus atom, of every reached atom.
        self.pairs = found.pairs
        self._place, self._num_pairs = found.place, found.num_pairs
        self._atom = self.pairs % max(self._size, 1)
        # Edges out of reached atoms, once for all layers:
        self._edge, self._num_edges = found.edge, found.num_edges
        self._within = found.within

    def _search(self, number: int, most: int, most_senders: int) -> Found:
        """As the kernel, by torch."""
        source, target = self._receptor_edges
        degree = degrees(source, self._size)
        start = degree.cumsum(0) - degree
        place = source.new_full((number * self._size,), -1)
        pairs, edges, senders = [], [], []
        num_pairs, num_edges = [0], [0]
        new = self._into_pair
        if self.gone is not None:
            place[self.gone] = _GONE
            atom = self.gone % max(self._size, 1)
            sender, edge = ranges(start[atom], degree[atom])
            into = (self.gone - atom)[sender] + target[edge]
            kept = (place[into] != _GONE).nonzero().squeeze(1)
            self._gone = atom[sender[kept]], edge[kept], into[kept]
            new = torch.cat([new, into[kept]])
        for depth in range(most):
            # Each newly reached atom once, in the order of the table.
            mark = torch.zeros_like(place, dtype=torch.bool)
            mark[new] = True
            new = (mark & (place == -1)).nonzero().squeeze(1)
            done = num_pairs[-1]
            place[new] = torch.arange(
                done, done + new.numel(), device=place.device
            )
            pairs.append(new)
            num_pairs.append(done + new.numel())
            if depth + 1 > most_senders:
                break
            atom = new % self._size
            sender, edge = ranges(start[atom], degree[atom])
            new = (new - atom)[sender] + target[edge]
            if self.gone is not None:
                kept = (place[new] != _GONE).nonzero().squeeze(1)
                sender, edge, new = sender[kept], edge[kept], new[kept]
            edges.append(edge)
            senders.append(sender + done)
            num_edges.append(num_edges[-1] + edge.numel())
        empty = [source.new_empty(0)]
        pair, edge, sender = (
            torch.cat(parts or empty) for parts in (pairs, edges, senders)
        )
        first = pair - pair % max(self._size, 1)
        receiver = place[first[sender] + target[edge]] + self._num_ligand
        within = torch.stack([sender, receiver])
        return Found(place, pair, num_pairs, edge, within, num_edges)

    def atoms(self, layer: int) -> Tensor:
        r"""The receptor atoms that differ, pair by pair.

        Args:
            layer: After how many layers.
        """
        return self._atom[: self._num_pairs[self._depth[layer]]]

    def around_ligand(self, layer: int) -> tuple[Tensor, Tensor | None]:
        r"""The edges that touch a ligand.

        Args:
            layer: Number of the layer, from 0.

        Returns:
            Edges :math:`(2, E^{\prime})` from rows of ligand atoms, reached
            atoms and the receptor to rows of ligand atoms and reached atoms;
            and which of the edges these are, :obj:`None`: all.
        """
        before = self._num_pairs[self._depth[layer]]
        after = self._num_pairs[self._depth[layer + 1]]
        edges, place = self._around
        edges = edges.clone()
        alone = self._atom_out_of + before
        row = torch.where(place < before, place, alone) + self._num_ligand
        edges[0].index_copy_(0, self._out_of, row)
        if after:
            return edges, None
        kept = self._not_into
        return edges[:, kept], kept

    @cached_property
    def _around(self) -> tuple[Tensor, Tensor]:
        """Edges that touch a ligand, where they are the same for all layers.

        Also the rows of the atoms that send out of the receptor.
        """
        edges = self.ligand_edges - self._size
        into = self._place[self._into_pair] + self._num_ligand
        edges[1].index_copy_(0, self._into, into)
        place = self._place[self._out_of_pair]
        return edges, place.masked_fill(place < 0, self._place.numel())

    @cached_property
    def _not_into(self) -> Tensor:
        """The edges that do not lead into the receptor."""
        kept = torch.ones_like(self.ligand_edges[0], dtype=torch.bool)
        kept.index_fill_(0, self._into, False)
        count = kept.numel() - self._into.numel()
        return where(kept.unsqueeze(0), [count])[0]

    @property
    def edges(self) -> Tensor:
        r"""Numbers of the receptor's edges along which something differs."""
        return self._edge

    def within_receptor(
        self, layer: int, table: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        r"""The edges of the receptor whose message differs.

        Args:
            layer: Number of the layer, from 0.
            table: A number for each of :attr:`edges`, to be returned
                instead. (default: :obj:`None`)

        Returns:
            Edges from reached atoms before the layer to rows of ligand atoms
            and of atoms reached after it :math:`(2, E^{\prime})`, and their
            numbers among the receptor's.
        """
        count = self._num_edges[self._depth[layer]]
        numbers = self._edge if table is None else table
        if layer in self._arrive:
            kept = self._arrive[layer]
            return self._within[:, kept], numbers[kept]
        return self._within[:, :count], numbers[:count]

    @cached_property
    def _arrive(self) -> dict[int, Tensor]:
        """The edges of layers after which not all atoms they lead to count."""
        layers = [
            layer
            for layer, (depth, after) in enumerate(pairwise(self._depth))
            if 0 < after <= depth
        ]
        if not layers:
            return {}
        row = self._within[1] - self._num_ligand
        number = torch.arange(row.numel(), device=row.device)
        masks = [
            (number < self._num_edges[self._depth[layer]])
            & (row >= 0)
            & (row < self._num_pairs[self._depth[layer + 1]])
            for layer in layers
        ]
        return dict(zip(layers, where(torch.stack(masks)), strict=True))

    def no_longer(self, layer: int) -> tuple[Tensor, Tensor, Tensor] | None:
        r"""The messages that atoms send no more from where they have gone.

        Args:
            layer: Number of the layer, from 0.

        Returns:
            The receptor atoms that sent, the rows of ligand atoms and of atoms
            reached after the layer to which, and the numbers of the edges;
            :obj:`None` if no atom has gone.
        """
        if self.gone is None:
            return None
        sender, edge, into = self._gone
        receiver = self._place[into]
        kept = receiver < self._num_pairs[self._depth[layer + 1]]
        receiver = receiver[kept] + self._num_ligand
        return sender[kept], receiver, edge[kept]

    def incoming(self, layer: int) -> Incoming:
        r"""All edges into ligand atoms and atoms reached after a layer.

        Args:
            layer: Number of the layer, from 0.
        """
        before = self._num_pairs[self._depth[layer]]
        after = self._num_pairs[self._depth[layer + 1]]
        receiver, edge, count = self._arriving
        most = int(count[:after].sum())
        receiver, edge = receiver[:most], edge[:most]
        (source, target), _ = self._around
        source = source.clone()
        kept = torch.full_like(source, True, dtype=torch.bool)
        kept[self._into] = bool(after)
        kept = kept.nonzero().squeeze(1)

        # Receptor atoms that send: in rows of their own if reached.
        atom = self._receptor_edges[0][edge]
        pair = (self.pairs - self._atom)[receiver] + atom
        pair = torch.cat([self._out_of_pair, pair])
        atom = torch.cat([self.ligand_edges[0][self._out_of], atom])
        place, rows = self._place[pair], max(before, after)
        alone = (place < 0) | (place >= rows)
        mark = torch.zeros(self._size, dtype=torch.bool, device=atom.device)
        mark[atom[alone]] = True
        row = torch.where(alone, rows + mark.cumsum(0)[atom] - 1, place)
        row = row + self._num_ligand
        first = self._out_of_pair.numel()
        source[self._out_of] = row[:first]
        edge_index = torch.stack(
            [
                torch.cat([source[kept], row[first:]]),
                torch.cat([target[kept], receiver + self._num_ligand]),
            ]
        )
        return Incoming(edge_index, kept, edge, mark.nonzero().squeeze(1))

    @cached_property
    def _arriving(self) -> tuple[Tensor, Tensor, Tensor]:
        """The receptor's edges into every pair; how many each has."""
        target = self._receptor_edges[1]
        degree = degrees(target, self._size)
        start = degree.cumsum(0) - degree
        count = degree[self._atom]
        receiver, number = ranges(start[self._atom], count)
        by_target = self._by_target
        if by_target is None:
            by_target = target.argsort(stable=True)
        edge = by_target[number]
        if self.gone is not None:
            pose = (self.pairs - self._atom)[receiver]
            sender = self._place[pose + self._receptor_edges[0][edge]]
            kept = (sender != _GONE).nonzero().squeeze(1)
            receiver, edge = receiver[kept], edge[kept]
            count = torch.bincount(receiver, minlength=count.numel())
        return receiver, edge, count
