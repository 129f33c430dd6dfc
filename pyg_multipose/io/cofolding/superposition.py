"""One frame for the samples of a complex: that of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from pyg_multipose.io.report import Rejected

#: Residues that a pocket needs at least, so that a rotation is determined.
MIN_RESIDUES = 3
#: The backbone of a residue, of amino acids and of nucleotides.
BACKBONES = (('N', 'CA', 'C'), ("C3'", "C4'", "C5'"))
#: Angstrom; backbone atoms closer to one line than this determine no rotation.
_LINE = 0.1


@dataclass(frozen=True, eq=False)
class Frame:
    r"""How to move a sample, and how well it then fits.

    Args:
        rotation: Shape :obj:`[3, 3]`.
        shift: Added after the rotation, shape :obj:`[3]`.
        rmsd: Of the atoms that were superposed, in Angstrom.
    """

    rotation: np.ndarray
    shift: np.ndarray
    rmsd: float

    def place(self, pos: np.ndarray) -> np.ndarray:
        r"""Moves positions.

        Args:
            pos: Positions in Angstrom, shape :obj:`[..., 3]`.
        """
        return pos @ self.rotation.T + self.shift


def superpose(mobile: np.ndarray, target: np.ndarray) -> Frame:
    r"""The rotation and shift that bring points closest to others (Kabsch).

    Args:
        mobile: The points to move, shape :obj:`[num_points, 3]`.
        target: Where they should be.

    Raises:
        Rejected: If the points lie on a line.
    """
    centre, there = mobile.mean(axis=0), target.mean(axis=0)
    left, values, right = np.linalg.svd((mobile - centre).T @ (target - there))
    if values[1] < _LINE**2 * len(mobile):
        raise Rejected(
            'no pocket', 'its backbone atoms lie on a line; no frame'
        )
    # A reflection is no motion.
    sign = np.sign(np.linalg.det(left @ right))
    rotation = (left * [1.0, 1.0, sign]) @ right
    moved = (mobile - centre) @ rotation
    off = moved - (target - there)
    return Frame(
        rotation.T,
        there - centre @ rotation,
        float(np.sqrt((off**2).sum(axis=1).mean())),
    )


def pocket(
    names: Sequence[str],
    residues: Sequence[int],
    pos: np.ndarray,
    ligand: np.ndarray,
    distance: float,
) -> list[int]:
    r"""The backbone atoms of the residues around a ligand.

    A residue is one of them if an atom of its backbone (N, CA, C; C3', C4',
    C5' of nucleotides) is within the distance of an atom of the ligand.

    Args:
        names: The name of each atom of the receptor.
        residues: The residue of each.
        pos: Where they are in Angstrom, shape :obj:`[num_atoms, 3]`.
        ligand: The heavy atoms of the ligand, shape :obj:`[num_atoms, 3]`.
        distance: In Angstrom.

    Raises:
        Rejected: If these are too few residues.
    """
    rows: dict[int, dict[str, int]] = {}
    for row, (name, residue) in enumerate(zip(names, residues, strict=True)):
        rows.setdefault(residue, {})[name] = row
    tree = cKDTree(ligand)
    out: list[list[int]] = []
    nearest = np.inf
    for of_residue in rows.values():
        for wanted in BACKBONES:
            if all(name in of_residue for name in wanted):
                backbone = [of_residue[name] for name in wanted]
                off = float(tree.query(pos[backbone])[0].min())
                nearest = min(nearest, off)
                if off <= distance:
                    out.append(backbone)
                break
    if len(out) < MIN_RESIDUES:
        raise Rejected(
            'no pocket',
            f'{len(out)} residues have backbone atoms within {distance:g} '
            f'Angstrom of the ligand, expected at least {MIN_RESIDUES}; the '
            f'nearest is {nearest:.1f} Angstrom away',
        )
    return [row for backbone in out for row in backbone]


def best_reference(
    backbones: Sequence[np.ndarray],
    pockets: Sequence[Sequence[int] | None],
    limit: float,
) -> tuple[int, list[Frame | None]]:
    r"""The sample that all others are superposed on.

    It is the first one that more than half of the samples fit, itself
    included; if there is none, that which most fit.

    Args:
        backbones: Positions of the receptor of each sample.
        pockets: The pocket of each, as rows of these; :obj:`None` for one
            that has none, and so cannot be the reference.
        limit: The largest RMSD in Angstrom of one that fits.

    Returns:
        Its number, and for each sample its frame, :obj:`None` if it has none.
    """
    best: tuple[int, int, list[Frame | None]] | None = None
    for number, rows in enumerate(pockets):
        if rows is None:
            continue
        frames = [_frame(pos, backbones[number], rows) for pos in backbones]
        fit = sum(one is not None and one.rmsd <= limit for one in frames)
        if best is None or fit > best[0]:
            best = fit, number, frames
        if 2 * best[0] > len(backbones):
            break
    if best is None:
        raise ValueError('no sample has a pocket')
    return best[1], best[2]


def _frame(
    mobile: np.ndarray, target: np.ndarray, rows: Sequence[int]
) -> Frame | None:
    if np.array_equal(mobile[rows], target[rows]):
        return Frame(np.eye(3), np.zeros(3), 0.0)  # no rounding
    try:
        return superpose(mobile[rows], target[rows])
    except Rejected:
        return None
