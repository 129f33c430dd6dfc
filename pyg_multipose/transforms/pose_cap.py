"""A cap on the neighbours in a pose set, counted in every pose."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_multipose.data import PoseSet
from pyg_multipose.data.rebuilt import rebuilt
from pyg_multipose.transforms.neighbors import nearest, warn_cut
from pyg_multipose.transforms.pose_edges import Segments, set_pose_edges

_UNSHARED = (
    '. Receptor edges now differ from pose to pose, so {} stored pose by '
    'pose, which costs memory and time; without a cap the receptor is shared'
)


def keep_nearest(
    data: PoseSet, segments: Segments, count: Tensor, max_num_neighbors: int
) -> PoseSet:
    r"""Keeps the nearest neighbours of each atom in each pose, and warns.

    Args:
        data: A pose set or a batch with all of its edges.
        segments: Where its rows lie.
        count: The number of edges of each segment.
        max_num_neighbors: How many neighbours an atom of a pose may have.

    Returns:
        The pose set. Sets with a receptor whose edges were cut are in the
        form of :meth:`~pyg_multipose.data.PoseSet.from_poses`.

    Raises:
        ValueError: If such a set is in a batch that cannot be taken apart.
    """
    owner = torch.repeat_interleave(count)
    cut_sets = _cut_sets(data.edge_index, owner, segments, max_num_neighbors)
    if not cut_sets.any():
        return data
    layout = segments.layout
    shared = layout.receptor_size > 0
    cut_atoms = np.zeros(layout.num_poses, dtype=np.int64)

    flat = cut_sets & ~shared
    if flat.any():
        chosen = torch.from_numpy(flat[segments.of_set]).to(owner.device)
        chosen = chosen[owner].nonzero().view(-1)
        few, many = nearest(
            data.edge_index[:, chosen], data.pos, max_num_neighbors
        )
        keep = torch.ones_like(owner, dtype=torch.bool)
        keep[chosen] = few
        left = torch.bincount(owner[keep], minlength=len(count))
        set_pose_edges(data, data.edge_index[:, keep], left, segments)
        rows = many.nonzero().view(-1).cpu().numpy()
        cut_atoms += np.bincount(
            segments.of_row[rows], minlength=len(segments.size)
        )[segments.poses]

    note = ''
    apart = np.flatnonzero(cut_sets & shared).tolist()
    if apart:
        sets, follow_batch = _taken_apart(data, layout.set_name(apart[0]))
        for index in list(apart):
            poses, cut = _pose_by_pose(sets[index], max_num_neighbors)
            if not any(cut):  # its neighbours are absent wherever they count
                apart.remove(index)
                continue
            sets[index] = poses
            first = layout.set_ptr[index]
            cut_atoms[first : first + len(cut)] = cut
    if apart:
        data = sets[0]
        if follow_batch is not None:
            data = Batch.from_data_list(sets, follow_batch)
        names = [layout.set_name(index) for index in apart]
        note = _UNSHARED.format(
            f'{names[0]} is'
            if len(names) == 1
            else f'{names[0]} and {len(names) - 1} more sets are'
        )
    warn_cut(
        max_num_neighbors,
        [(layout.pose_name(i), int(n)) for i, n in enumerate(cut_atoms)],
        note,
    )
    return data


def _cut_sets(
    edge_index: Tensor, owner: Tensor, segments: Segments, cap: int
) -> np.ndarray:
    """Which sets have an atom with more neighbours than the cap in a pose."""
    others = edge_index[0] != edge_index[1]
    target, owner = edge_index[1, others], owner[others]
    num_nodes = len(segments.of_row)
    is_receptor = torch.zeros(len(segments.size), dtype=torch.bool)
    is_receptor[torch.from_numpy(segments.receptors)] = True
    within = is_receptor.to(owner.device)[owner]
    fixed = torch.bincount(target[within], minlength=num_nodes)
    # In a pose, an atom of the receptor has those and some of the ligand.
    atoms, degree = torch.unique(
        owner[~within] * num_nodes + target[~within], return_counts=True
    )
    atoms = atoms % max(num_nodes, 1)
    many = torch.cat(
        [
            atoms[degree + fixed[atoms] > cap],
            (fixed > cap).nonzero().view(-1),
        ]
    )
    out = np.zeros(len(segments.receptors), dtype=bool)
    out[segments.of_set[segments.of_row[many.cpu().numpy()]]] = True
    return out


def _pose_by_pose(pose_set: PoseSet, cap: int) -> tuple[PoseSet, list[int]]:
    """Stores whole poses, and counts the atoms that lost neighbours."""
    poses, cut = pose_set.to_poses(), []
    for pose in poses:
        source, target = pose.edge_index
        edge_index = pose.edge_index[
            :, torch.argsort(target * pose.num_nodes + source)
        ]
        keep, many = nearest(edge_index, pose.pos, cap)
        pose.edge_index = edge_index[:, keep]
        cut.append(int(many.sum()))
    return rebuilt(pose_set, poses, same_atoms=False), cut


def _taken_apart(
    data: PoseSet, name: str
) -> tuple[list[PoseSet], list[str] | None]:
    """The sets of a batch, and what it follows; None for a single set."""
    if not isinstance(data, Batch):
        return [data], None
    follow_batch = [
        key[: -len('_batch')] for key in data.keys() if key.endswith('_batch')
    ]
    known = set(getattr(data, '_slice_dict', ()))
    known.update(('batch', 'ptr'))
    known.update(f'{key}_batch' for key in follow_batch)
    known.update(f'{key}_ptr' for key in follow_batch)
    lost = [key for key in data.keys() if key not in known]
    if lost:
        raise ValueError(
            f'A cap on neighbours cuts edges of the receptor of {name}, so '
            f'the batch has to be taken apart and put together again, but it '
            f'does not know how to slice {lost}. Apply RadiusGraph before '
            f'batching, remove these keys, or leave out max_num_neighbors'
        )
    return data.to_data_list(), follow_batch
