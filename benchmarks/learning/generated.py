"""Pose sets of compounds that nobody docked: placed at random."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from torch import Tensor, from_numpy
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet

#: Standard deviations of the angle of a step, in radian, and of its shift
#: along each axis, in Angstrom; and how many steps a walk has.
TURN, SHIFT, STEPS = 0.25, 0.3, 40
#: No atom comes closer to the receptor, in Angstrom: as close as docked ones.
CLASH = 2.6
#: At least this share of the atoms has a neighbour within :obj:`REACH`
#: Angstrom, as docked ones have: what left the pocket is no pose.
TOUCHING, REACH = 0.6, 4.5
#: Poses of a set are apart by so much, root mean square, as docked ones are.
APART = 1.0
#: How many walks are tried for a pose before there is one less.
TRIES = 20


def generated_set(
    docked: PoseSet, num_poses: int, rng: np.random.Generator
) -> PoseSet:
    r"""Poses of a compound, by random walks from its docked ones.

    A walk starts at a docked pose, which gives it a conformer, and turns and
    shifts it in small steps; one after which atoms clash with the receptor,
    or too few touch it, is not made.

    Args:
        docked: A set of the bundled dataset.
        num_poses: How many poses there should be. There are fewer where no
            walk ends far enough from the others, but at least two.
        rng: Where random numbers come from.

    Raises:
        RuntimeError: If there are not even two.
    """
    receptor = docked.receptor
    assert receptor is not None and docked.pos is not None
    tree = cKDTree(receptor.pos.numpy())
    poses = docked.to_poses()
    z: Tensor = poses[0].z[poses[0].is_ligand]
    starts = [pose.pos[pose.is_ligand].double().numpy() for pose in poses]
    found: list[np.ndarray] = []
    for _ in range(num_poses):
        for _ in range(TRIES):
            pos = _walk(starts[rng.integers(len(starts))], tree, rng)
            if all(_rmsd(pos, other) >= APART for other in found):
                found.append(pos)
                break
    if len(found) < 2:
        raise RuntimeError(
            f'{docked.name}: {num_poses * TRIES} walks end in {len(found)} '
            f'distinct poses'
        )
    like = docked.pos.dtype
    return PoseSet.from_complex(
        Data(z=receptor.z, pos=receptor.pos),
        [Data(z=z, pos=from_numpy(pos).to(like)) for pos in found],
        name=docked.name,
    )


def _walk(
    pos: np.ndarray, tree: cKDTree, rng: np.random.Generator
) -> np.ndarray:
    for _ in range(STEPS):
        moved = _moved(pos, rng)
        if _fits(moved, tree):
            pos = moved
    return pos


def _moved(pos: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    turn = Rotation.from_rotvec(rng.normal() * TURN * axis)
    center = pos.mean(axis=0)
    return turn.apply(pos - center) + center + rng.normal(size=3) * SHIFT


def _fits(pos: np.ndarray, tree: cKDTree) -> bool:
    distance, _ = tree.query(pos)
    close = (distance < REACH).mean() >= TOUCHING
    return bool(distance.min() >= CLASH and close)


def _rmsd(pos: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.square(pos - other).sum(axis=1).mean()))
