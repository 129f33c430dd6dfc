"""The atoms of poses that a model is called with, and their edges."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_multipose.data.levels import Levels
from pyg_multipose.nn.sharing.recording import Recording
from pyg_multipose.nn.sharing.shared_receptor import reach_of


class Step(NamedTuple):
    r"""What a layer is called with.

    Rows are those of ligand atoms, of the atoms that are reached after it,
    and of :obj:`others`.

    Args:
        edge_index: Edges, those of the poses first.
        first: How many rows are the poses' own.
        others: The receptor atoms of the other rows, which are as in the
            receptor alone.
        number: How many edges are the poses'.
        edges: Numbers of the receptor's edges that follow.
    """

    edge_index: Tensor
    first: int
    others: Tensor
    number: int
    edges: Tensor


class ChangedAtoms:
    r"""Ligand atoms, atoms that they reach, and atoms that send to these.

    Args:
        poses: A pose set: the receptor, then the ligand of every pose.
        recording: What happened in the receptor alone.
        margin: How many edges further than a layer reaches its message
            depends on an atom: 1 if it reads degrees of sources, else 0.
    """

    def __init__(self, poses: Any, recording: Recording, margin: int) -> None:
        self._poses, self._recording = poses, recording
        self._margin = margin
        number = len(recording.layers)
        #: Atoms of the receptor.
        self.size = int(poses.receptor_size)
        edges = recording.edge_index[:, recording.order]
        self._reach = reach_of(
            poses,
            edges,
            self.size,
            number + margin,
            False,
            recording.by_target,
        )
        #: How many poses.
        self.number = self._reach.number
        self.num_ligand = self._reach.pose.numel()
        #: What each layer is called with.
        self.steps = [self._step(layer + margin) for layer in range(number)]
        #: The reached atoms of all poses.
        self.reached = self._reach.atoms(number + margin)
        #: Pose times size of the receptor plus atom, of each of them.
        self.pairs = self._reach.pairs
        #: The same of atoms that are not there; :obj:`None`: all are.
        self.gone = self._reach.gone
        #: The pose of each of them.
        self.pose = (self.pairs - self.reached) // max(self.size, 1)
        #: The receptor atoms among the rows, which come after the ligands'.
        self.receptor = torch.cat([self.reached, self._last.others])
        #: The edges of all rows.
        self.edge_index = self._last.edge_index

    def _step(self, layer: int) -> Step:
        step = self._last = self._reach.incoming(layer)
        number, others = step.edge_index.size(1), step.others
        first = self.num_ligand + self._reach.atoms(layer + 1).numel()
        if not self._margin:
            return Step(step.edge_index, first, others, number, others[:0])
        # Sources need all of their edges, from rows as in the receptor alone.
        source, target = self._recording.edge_index
        rows = first + others.numel()
        place = target.new_full((self.size,), -1)
        place[others] = torch.arange(first, rows, device=target.device)
        edges = (place[target] >= 0).nonzero().squeeze(1)
        atoms, row = source[edges].unique(return_inverse=True)
        more = torch.stack([rows + row, place[target[edges]]])
        return Step(
            torch.cat([step.edge_index, more], dim=1),
            first,
            torch.cat([others, atoms]),
            number,
            edges,
        )

    def graph(self) -> Batch:
        r"""All rows as a batch.

        Each pose is a graph, and so are the atoms that only send: the last.
        """
        poses, last = self._poses, self._last
        ligand = torch.arange(self.num_ligand, device=self.receptor.device)
        rows = torch.cat([self.size + ligand, self.receptor])
        edges = torch.cat(
            [
                last.touching + self._recording.edge_index.size(1),
                self._recording.order[last.within],
            ]
        )
        out = Batch()
        for key, level in Levels.of(poses).items():
            value = poses[key]
            if not isinstance(value, Tensor):
                continue
            if key == 'edge_index':
                out[key] = self.edge_index
            elif level == 'node':
                out[key] = value.index_select(0, rows)
            elif level == 'edge':
                out[key] = value.index_select(0, edges)
            elif level == 'pose':
                out[key] = torch.cat([value, value[:1]])
        senders = last.others.new_full((last.others.numel(),), self.number)
        out.batch = torch.cat([self._reach.pose, self.pose, senders])
        out._num_graphs = self.number + 1
        return out
