"""Poses that are nowhere near the receptor: in a frame of their own."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree
from torch_geometric.data import Data

from pyg_multipose.io.poses.compound import Compound
from pyg_multipose.io.report import Report

#: Angstrom, between the nearest heavy atoms. It is no judgement on a docking:
#: no pose of that receptor is further away.
FAR = 10.0


def check_contact(
    receptor: Data, compounds: Sequence[Compound], report: Report
) -> None:
    r"""Flags and warns of poses without any contact with the receptor.

    Samples of co-folding, and files that were prepared one by one, may have
    frames of their own. A model would see such a ligand in empty space.

    Args:
        receptor: The receptor.
        compounds: The poses.
        report: Where to flag them.
    """
    pos = receptor['pos'][receptor['z'] != 1].detach().cpu().double().numpy()
    if not len(pos):
        return
    tree = cKDTree(pos)
    far: list[tuple[float, str]] = []
    for compound in compounds:
        size = len(compound.molecule.atoms)
        heavy = compound.pos[:, :size].astype(np.float64)
        # Of most poses any atom is near enough.
        first, _ = tree.query(heavy[:, 0])
        for row in np.where(first > FAR)[0].tolist():
            distance = float(tree.query(heavy[row])[0].min())
            pose = compound.poses[row]
            if distance <= FAR:
                continue
            report.flag(
                pose.file,
                pose.record,
                pose.title,
                'no contact with the receptor',
                f'{distance:.1f} Angstrom away from it: in another frame?',
            )
            far.append((distance, f'{pose.file}, record {pose.record}'))
    if far:
        distance, where = max(far)
        num_poses = sum(len(compound.poses) for compound in compounds)
        warnings.warn(
            f'{len(far)} of {num_poses} poses have no contact with the '
            f'receptor, the furthest, {where}, is {distance:.1f} Angstrom '
            f'away from it: they are in another frame, or of another '
            f'receptor. Superpose them, or leave them out',
            UserWarning,
            stacklevel=3,
        )
