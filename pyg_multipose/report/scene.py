"""Poses and the pocket around them as numbers for the 3-D view."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet

#: Residues of the receptor with an atom within so many Angstrom of a pose.
AROUND = 5.0
#: The most atoms of a pocket, and of a pose, that a page draws smoothly.
MOST_ATOMS, MOST_OF_POSE = 1500, 300
#: The most poses of a set in the view, those of the largest weights.
MOST_POSES = 40
#: Covalent radii in Angstrom by atomic number; atoms within the sum and a
#: tolerance are bonded.
_RADII = {
    1: 0.31, 5: 0.84, 6: 0.76, 7: 0.71, 8: 0.66, 9: 0.57, 14: 1.11, 15: 1.07,
    16: 1.05, 17: 1.02, 34: 1.20, 35: 1.20, 53: 1.39,
}  # fmt: skip
_OTHER, _TOLERANCE = 1.4, 0.4


def scene(pose_set: PoseSet, weights: Any) -> dict[str, Any] | None:
    r"""What the 3-D view of a set needs, or nothing if it has no atoms.

    Args:
        pose_set: The set.
        weights: The weight of each pose.

    Returns:
        Elements, coordinates in Angstrom from the middle of the poses, and
        bonds: of the pocket, and of each pose with its number.
    """
    if 'z' not in pose_set or 'pos' not in pose_set:
        return None
    ligands = pose_set.ligands()
    order = np.argsort(-np.abs(np.asarray(weights)), kind='stable')
    shown = sorted(order[:MOST_POSES].tolist())
    drawn = {n: ligands[n] for n in shown}
    if max(one.num_nodes or 0 for one in drawn.values()) > MOST_OF_POSE:
        return None
    places = torch.cat([one.pos for one in drawn.values()])
    middle = places.mean(dim=0)
    receptor = pose_set.receptor
    return {
        'pocket': None if receptor is None else _pocket(
            receptor, places, middle
        ),
        'poses': [
            {'pose': n, **_molecule(one, middle)} for n, one in drawn.items()
        ],
    }  # fmt: skip


def _pocket(
    receptor: Data, places: torch.Tensor, middle: torch.Tensor
) -> dict[str, Any]:
    tree = cKDTree(places.double().numpy())
    distance, _ = tree.query(receptor.pos.double().numpy())
    near = distance <= AROUND
    if 'residue' in receptor:  # whole ones
        number = receptor.residue.flatten().numpy()
        near = np.isin(number, number[near])
    if near.sum() > MOST_ATOMS:
        near = np.zeros(len(near), dtype=bool)
        near[np.argsort(distance, kind='stable')[:MOST_ATOMS]] = True
    keep = torch.from_numpy(near)
    return _molecule(
        Data(z=receptor.z[keep], pos=receptor.pos[keep]), middle
    )  # fmt: skip


def _molecule(data: Data, middle: torch.Tensor) -> dict[str, Any]:
    z = data.z.flatten().tolist()
    pos = (data.pos - middle).double().numpy()
    if 'bond_index' in data and data.bond_index.numel():
        first, second = data.bond_index.numpy()
        once = first < second  # bonds are there in both directions
        bonds = np.stack([first[once], second[once]], axis=1)
    else:
        bonds = _bonds(z, pos)
    # Hundredths of an Angstrom, as whole numbers.
    return {
        'z': z,
        'xyz': (100 * pos).round().astype(int).flatten().tolist(),
        'bonds': bonds.flatten().tolist(),
    }


def _bonds(z: list[int], pos: np.ndarray) -> np.ndarray:
    """Pairs of atoms that are as near as bonded ones."""
    if len(z) < 2:
        return np.empty((0, 2), dtype=int)
    radius = np.array([_RADII.get(one, _OTHER) for one in z])
    pairs = cKDTree(pos).query_pairs(
        2 * radius.max() + _TOLERANCE, output_type='ndarray'
    )
    length = np.linalg.norm(pos[pairs[:, 0]] - pos[pairs[:, 1]], axis=1)
    return pairs[length < radius[pairs].sum(axis=1) + _TOLERANCE]
