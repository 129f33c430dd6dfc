"""The edges of a pose set: the receptor's once, the ligand's per pose."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet
from pyg_multipose.data.layout import Layout
from pyg_multipose.transforms.neighbors import neighbor_search, radius_graph
from pyg_multipose.transforms.search import NeighborSearch, exact


class Segments:
    r"""The runs of rows in a pose set's node table, in the table's order.

    Set by set, a segment is the receptor (which may have no rows) or one of
    the poses.

    Args:
        layout: The layout of a pose set or a batch.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        first_pose = layout.set_ptr[:-1]
        sets, poses = np.arange(layout.num_sets), np.arange(layout.num_poses)
        #: The segments of receptors, by set, and of poses, by pose.
        self.receptors = first_pose + sets
        self.poses = poses + layout.set_of_pose + 1
        #: The number of rows of each segment, and the first of them.
        self.size = np.insert(
            layout.pose_size, first_pose, layout.receptor_size
        )
        self.start = np.cumsum(self.size) - self.size
        #: The set of each segment, and the segment of each row.
        self.of_set = np.insert(layout.set_of_pose, first_pose, sets)
        self.of_row = np.repeat(np.arange(len(self.size)), self.size)

    def rows(self, segments: np.ndarray) -> np.ndarray:
        r"""The rows of some segments, in the table's order."""
        chosen = np.zeros(len(self.size), dtype=bool)
        chosen[segments] = True
        return np.flatnonzero(chosen[self.of_row])

    def atom_name(self, row: int) -> str:
        r"""How messages call the atom of a row."""
        segment = self.of_row[row]
        index = int(self.of_set[segment])
        if segment == self.receptors[index]:
            owner = f'{self.layout.set_name(index)}, receptor'
        else:
            owner = self.layout.pose_name(int(segment) - index - 1)
        return f'{owner}: atom {row - self.start[segment]}'


def pose_edges(
    pos: Tensor, segments: Segments, r: float, loop: bool
) -> tuple[Tensor, Tensor]:
    r"""Connects the atoms of every pose with each other and the receptor.

    Args:
        pos: Coordinates in Angstrom, shape :obj:`[num_nodes, 3]`.
        segments: Where they lie.
        r: The distance in Angstrom.
        loop: Whether each atom is connected to itself.

    Returns:
        The edges, shape :obj:`[2, num_edges]`, segment by segment, and the
        number of edges of each segment.
    """
    device = pos.device

    def tensor(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(device)

    of_row = tensor(segments.of_row)
    set_of_row = tensor(segments.of_set)[of_row]
    ligand = tensor(segments.rows(segments.poses))
    inner = radius_graph(pos[ligand], r, of_row[ligand], loop)
    touching = [ligand[inner]]
    fixed = ligand.new_empty(2, 0)
    if segments.size[segments.receptors].any():
        first = _first_equal(pos, segments)
        distinct = np.unique(segments.receptors[first])
        rows = tensor(segments.rows(distinct))
        one = len(distinct) == 1
        if one and device.type == 'cpu':
            content = exact(pos[rows]).numpy().tobytes()
            search, graph = _searched(content, float(r), loop)
        else:
            batch = None if one else set_of_row[rows]
            search = neighbor_search(pos[rows], r, batch)
            graph = search.graph(loop)
        # From the rows of a receptor to those of an equal one.
        start = segments.start[segments.receptors]
        shift = tensor(start - start[first])
        first_of = tensor(first)

        fixed = rows[graph]
        if len(distinct) < len(first):
            count = torch.bincount(set_of_row[fixed[1]], minlength=len(first))
            begin = (count.cumsum(0) - count)[first_of]
            count = count[first_of]
            fixed = fixed.index_select(1, _ranges(begin, count))
            fixed += torch.repeat_interleave(shift, count)

        of_ligand = set_of_row[ligand]
        groups = None if one else first_of[of_ligand]
        near, found = search.query(pos[ligand], groups)
        ends = torch.stack(
            [rows[found] + shift[of_ligand[near]], ligand[near]]
        )
        if segments.layout.moved is not None:
            # Where they would be if they had not moved.
            gone = tensor(segments.layout.moved.keys())
            size = segments.layout.num_nodes
            ends = ends[:, ~torch.isin(of_row[ends[1]] * size + ends[0], gone)]
        touching += [ends, ends.flip(0)]
    edges, owner = _sorted(torch.cat(touching, dim=1), of_row, segments)

    edges = torch.cat([fixed, edges], dim=1)

    # Segment by segment: the receptors' edges go in between.
    num_segments = len(segments.size)
    of_poses = torch.bincount(owner, minlength=num_segments)
    of_receptors = torch.bincount(of_row[fixed[1]], minlength=num_segments)
    count = of_poses + of_receptors
    if len(segments.receptors) > 1:
        begin = torch.where(
            of_poses > 0,
            fixed.size(1) + of_poses.cumsum(0) - of_poses,
            of_receptors.cumsum(0) - of_receptors,
        )
        edges = edges.index_select(1, _ranges(begin, count))
    return edges, count


# The sets of a campaign, one after the other, have few receptors.
@lru_cache(maxsize=4)
def _searched(
    content: bytes, r: float, loop: bool
) -> tuple[NeighborSearch, Tensor]:
    """A receptor, prepared for finding neighbours, and its own edges."""
    pos = torch.from_numpy(np.frombuffer(content).reshape(-1, 3).copy())
    search = neighbor_search(pos, r)
    return search, search.graph(loop)


def set_pose_edges(
    data: PoseSet, edge_index: Tensor, count: Tensor, segments: Segments
) -> None:
    r"""Puts edges into a pose set or a batch, so that it can be taken apart.

    Args:
        data: The pose set or batch, changed in place.
        edge_index: The edges.
        count: The number of edges of each segment.
        segments: Where the rows of the pose set lie.
    """
    data.edge_index = edge_index
    if hasattr(data, '_slice_dict'):
        per_set = np.add.reduceat(count.cpu().numpy(), segments.receptors)
        start = segments.start[segments.receptors]
        set_slices(data, torch.from_numpy(per_set), torch.from_numpy(start))


def set_slices(data: Data, count: Tensor, start: Tensor) -> None:
    r"""Tells a batch which edges belong to which of its elements.

    Args:
        data: The batch, changed in place.
        count: The number of edges of each element.
        start: The first node of each element.
    """
    # New dictionaries: the old ones belong to the original, too.
    slices = torch.nn.functional.pad(count.cpu().cumsum(0), (1, 0))
    data._slice_dict = {**data._slice_dict, 'edge_index': slices}
    data._inc_dict = {**data._inc_dict, 'edge_index': start.cpu()}


def _first_equal(pos: Tensor, segments: Segments) -> np.ndarray:
    """The first set with the same receptor coordinates, for every set."""
    sets = np.arange(len(segments.receptors))
    if len(sets) == 1 or pos.device.type != 'cpu':
        return sets  # elsewhere comparing costs more than searching
    table = pos.detach().double().numpy()
    seen: dict[bytes, int] = {}
    for index, segment in enumerate(segments.receptors):
        start = segments.start[segment]
        content = table[start : start + segments.size[segment]].tobytes()
        sets[index] = seen.setdefault(content, index)
    return sets


def _sorted(
    edges: Tensor, of_row: Tensor, segments: Segments
) -> tuple[Tensor, Tensor]:
    """Sorts by pose, target and source; the pose is that of the ligand end."""
    owner = of_row[edges.amax(dim=0)]
    per_set = np.add.reduceat(segments.size, segments.receptors)
    width = int(per_set.max())
    first = segments.start[segments.receptors][segments.of_set]
    start = torch.from_numpy(first).to(edges.device)
    source, target = edges - start[owner]
    order = torch.argsort((owner * width + target) * width + source)
    return edges.index_select(1, order), owner[order]


def _ranges(start: Tensor, size: Tensor) -> Tensor:
    """Concatenates the numbers from each start on."""
    before = size.cumsum(0) - size
    shift = torch.repeat_interleave(start - before, size)
    return shift + torch.arange(len(shift), device=shift.device)
