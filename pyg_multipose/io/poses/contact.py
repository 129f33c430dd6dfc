"""Poses that are nowhere near the receptor: in a frame of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from torch_geometric.data import Data

from pyg_multipose.io.poses.compound import Compound
from pyg_multipose.io.report import Phase, Report

#: Angstrom, between the nearest heavy atoms. It is no judgement on a docking:
#: no pose of that receptor is further away.
FAR = 10.0


@dataclass
class Contact:
    r"""Poses that are far away from their receptor.

    Args:
        far: How many there are. (default: :obj:`0`)
        distance: How far away the furthest is, in Angstrom.
            (default: :obj:`0.0`)
        where: Which one that is. (default: :obj:`""`)
    """

    far: int = 0
    distance: float = 0.0
    where: str = ''

    def add(self, far: int, distance: float, where: str) -> None:
        r"""Adds poses that are far away.

        Args:
            far: How many there are.
            distance: How far away the furthest is.
            where: Which one that is.
        """
        self.far += far
        self.distance, self.where = max(
            (self.distance, self.where), (distance, where)
        )

    def warnings(self, num_poses: int) -> list[str]:
        r"""What to warn of.

        Args:
            num_poses: How many poses there are.
        """
        if not self.far:
            return []
        return [
            f'{self.far} of {num_poses} poses have no contact with the '
            f'receptor, the furthest, {self.where}, is {self.distance:.1f} '
            f'Angstrom away from it: they are in another frame, or of another '
            f'receptor. Superpose them, or leave them out'
        ]


def check_contact(
    receptor: Data,
    compounds: Sequence[Compound],
    report: Report,
    numbers: Sequence[int],
) -> Contact:
    r"""Flags poses without any contact with the receptor.

    Samples of co-folding, and files that were prepared one by one, may have
    frames of their own. A model would see such a ligand in empty space.

    Args:
        receptor: The receptor.
        compounds: The poses.
        report: Where to flag them.
        numbers: The place of each compound.
    """
    out = Contact()
    pos = receptor['pos'][receptor['z'] != 1].detach().cpu().double().numpy()
    if not len(pos) or not compounds:
        return out
    tree = cKDTree(pos)
    # Of most poses any atom is near enough.
    first, _ = tree.query(np.concatenate([c.pos[:, 0] for c in compounds]))
    row = -1
    for number, compound in zip(numbers, compounds, strict=True):
        report.at = (Phase.CONTACT, number)
        for pose, pos in zip(compound.poses, compound.pos, strict=True):
            row += 1
            if first[row] <= FAR:
                continue
            heavy = pos[: len(compound.molecule.atoms)].astype(np.float64)
            distance = float(tree.query(heavy)[0].min())
            if distance <= FAR:
                continue
            report.flag(
                pose.file,
                pose.record,
                pose.title,
                'no contact with the receptor',
                f'{distance:.1f} Angstrom away from it: in another frame?',
            )
            out.add(1, distance, f'{pose.file}, record {pose.record}')
    return out
