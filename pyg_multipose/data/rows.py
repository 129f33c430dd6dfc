"""Pose sets of some of the atoms of another."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from pyg_multipose.data.layout import Layout
from pyg_multipose.data.levels import RELATIONS
from pyg_multipose.data.runs import offsets


def take_rows(pose_set: Any, keep: Tensor) -> Any:
    r"""Keeps some rows of the node table, and the edges among them.

    Args:
        pose_set: A :class:`PoseSet`, or a batch whose parts are only to be
            composed.
        keep: Which rows, shape :obj:`[num_nodes]`.

    Returns:
        A shallow copy with new tables and counts.

    Raises:
        ValueError: If a pose is left without atoms.
    """
    layout = Layout(pose_set)
    new_row = keep.cumsum(0) - 1
    kept = {'node': keep}
    for name in RELATIONS:
        if f'{name}_index' in pose_set:
            kept[name] = keep[pose_set[f'{name}_index']].all(dim=0)
    out = copy.copy(pose_set)
    for key, level in layout.levels.items():
        if key == f'{level}_index':
            out[key] = new_row[pose_set[key][:, kept[level]]]
        elif level in kept:
            out[key] = pose_set[key][kept[level]]
    size = np.insert(
        layout.pose_size, layout.set_ptr[:-1], layout.receptor_size
    )
    kept_before = offsets(keep.cpu().numpy())
    count = np.diff(kept_before[offsets(size)])
    receptors = layout.set_ptr[:-1] + np.arange(layout.num_sets)
    out['receptor_size'] = torch.from_numpy(count[receptors]).to(keep.device)
    of_poses = np.delete(count, receptors)
    out['pose_size'] = torch.from_numpy(of_poses).to(keep.device)
    if not of_poses.all():
        pose = int((of_poses == 0).argmax())
        raise ValueError(f'{layout.pose_name(pose)} is left without atoms')
    if 'num_nodes' in out.stores[0]:
        out.num_nodes = int(kept_before[-1])
    return out


def ligand_rows(pose_set: Data) -> Tensor:
    r"""Which atoms are the ligand's, shape :obj:`[num_nodes]`.

    All of them in a set that has neither a receptor nor :obj:`is_ligand`.

    Args:
        pose_set: A :class:`PoseSet` or a batch.
    """
    if 'is_ligand' in pose_set:
        return pose_set['is_ligand']
    keep = torch.ones(
        pose_set.num_nodes,
        dtype=torch.bool,
        device=pose_set['pose_size'].device,
    )
    layout = Layout(pose_set)
    for index in range(layout.num_sets):
        keep[layout.receptor_rows(index)] = False
    return keep


def ligands(pose_set: Data) -> list[Data]:
    r"""The ligand of every pose, see :meth:`PoseSet.ligands`.

    Args:
        pose_set: A :class:`PoseSet` or a batch.
    """
    graphs = take_rows(pose_set, ligand_rows(pose_set)).to_poses()
    for graph in graphs:
        graph.pop('is_ligand', None)
    return graphs
