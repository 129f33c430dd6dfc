"""Residues that are where poses are: a ligand left inside the receptor."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet
from pyg_multipose.io.poses.compound import Compound
from pyg_multipose.io.receptor.receptor import Receptor
from pyg_multipose.io.receptor.structure import Residue
from pyg_multipose.io.report import Report

#: Angstrom; no bond between two heavy atoms of two molecules is shorter.
TOUCH = 1.2
#: Angstrom; a residue with one atom (metal, water) is never bound closer.
TOUCH_ALONE = 1.7
#: Angstrom; a bond to one atom of a residue keeps all others further away.
NEAR = 2.0
#: Residues that a message names.
SHOWN = 5


@dataclass
class Overlap:
    r"""A residue that is where poses are.

    Args:
        residue: What it is called.
        is_kept: Whether it is part of the receptor, not of what
            :func:`~pyg_multipose.io.read_receptor` left out.
        num_poses: How many poses overlap with it.
        distance: The shortest distance between heavy atoms, in Angstrom.
        example: The pose at that distance.
    """

    residue: str
    is_kept: bool
    num_poses: int = 0
    distance: float = field(default=float('inf'))
    example: str = ''

    def __str__(self) -> str:
        return (
            f'{self.num_poses} pose{"s" * (self.num_poses != 1)} within '
            f'{self.distance:.2f} Angstrom, e.g. {self.example}'
        )


class OverlapSearch:
    r"""Finds the residues that overlap with poses, set by set.

    A residue overlaps with a pose if two of its heavy atoms are within 2.0
    Angstrom of the pose's, or one within 1.2 Angstrom (1.7 if it has only
    one). A covalent bond to a residue, or to a metal, is none.

    Args:
        receptor: The receptor. One of
            :func:`~pyg_multipose.io.read_receptor` has names, and is searched
            with the residues that were left out; another one is searched by
            its key :obj:`residue`, or as a whole.
    """

    def __init__(self, receptor: Data) -> None:
        if 'z' not in receptor or 'pos' not in receptor:
            raise ValueError(
                f"A receptor needs the keys 'z' and 'pos', got "
                f'{receptor.keys()}'
            )
        z, pos = receptor['z'], receptor['pos']
        numbers = receptor.get('residue', torch.zeros_like(z)).tolist()
        heavy = (z != 1).nonzero().view(-1).tolist()
        self._residue = [numbers[row] for row in heavy]
        rows = [pos[z != 1].detach().cpu().double().numpy()]
        self._found: dict[int, Overlap] = {}
        left_out: Sequence[Residue] = ()
        names: dict[int, str] = {}
        if isinstance(receptor, Receptor):
            left_out = receptor.left_out
            names = dict(enumerate(map(str, receptor.residues), start=1))
        for number in set(self._residue):
            name = names.get(number, f'residue {number}')
            if 'residue' not in receptor:
                name = 'the receptor'
            self._found[number] = Overlap(name, True)
        for number, residue in enumerate(left_out, start=1):
            atoms = [atom.pos for atom in residue.atoms if atom.z != 1]
            self._found[-number] = Overlap(str(residue.id), False)
            self._residue += [-number] * len(atoms)
            rows.append(np.array(atoms, dtype=float).reshape(-1, 3))
        self._tree = cKDTree(np.concatenate(rows))
        sizes: dict[int, int] = defaultdict(int)
        for number in self._residue:
            sizes[number] += 1
        self._alone = {number for number, n in sizes.items() if n == 1}

    def add(self, name: str, z: Tensor, pos: Tensor, pose: Tensor) -> None:
        r"""Searches the poses of a set.

        Args:
            name: What to call the set.
            z: The atomic numbers of the ligand's atoms, pose by pose.
            pos: Their positions in Angstrom.
            pose: The number of the pose of each atom.

        Shapes:
            - **z**, **pose**: :obj:`[num_atoms]`
            - **pos**: :obj:`[num_atoms, 3]`
        """
        is_heavy = z != 1
        heavy = pos[is_heavy].detach().cpu().double().numpy()
        poses = pose[is_heavy].tolist()
        near = cKDTree(heavy).sparse_distance_matrix(
            self._tree, NEAR, output_type='ndarray'
        )
        pairs: dict[tuple[int, int], dict[int, float]] = defaultdict(dict)
        for row, atom, distance in near.tolist():
            of_pair = pairs[self._residue[atom], poses[row]]
            of_pair[atom] = min(distance, of_pair.get(atom, NEAR))
        for (number, index), atoms in sorted(pairs.items()):
            closest = min(atoms.values())
            touch = TOUCH_ALONE if number in self._alone else TOUCH
            if len(atoms) < 2 and closest >= touch:
                continue
            found = self._found[number]
            found.num_poses += 1
            if closest < found.distance:
                found.distance = closest
                found.example = f"pose {index} of '{name}'"

    def add_all(self, compounds: Iterable[Compound]) -> None:
        r"""Searches the poses of some sets.

        Args:
            compounds: Those.
        """
        compounds = list(compounds)
        for compound in self._near(compounds):
            atoms = compound.molecule.atoms
            z = torch.tensor([number for number, _, _ in atoms])
            pos = torch.from_numpy(compound.pos[:, : len(z)])
            count = len(pos)
            self.add(
                compound.name,
                z.repeat(count),
                pos.reshape(-1, 3),
                torch.arange(count).repeat_interleave(len(z)),
            )

    def _near(self, compounds: Sequence[Compound]) -> list[Compound]:
        """Those that any atom of the receptor is near to; mostly few."""
        if not compounds:
            return []
        rows = [
            one.pos[:, : len(one.molecule.atoms)].reshape(-1, 3)
            for one in compounds
        ]
        # In single precision a pair at the limit may be on either side.
        distance, _ = self._tree.query(
            np.concatenate(rows), distance_upper_bound=1.01 * NEAR
        )
        starts = np.cumsum([0, *map(len, rows)][:-1])
        near = np.logical_or.reduceat(np.isfinite(distance), starts)
        return [
            one for one, is_so in zip(compounds, near, strict=True) if is_so
        ]

    def to_part(self) -> list[list[Any]]:
        r"""What was found, as plain values for :meth:`add_part`."""
        return [
            [number, one.num_poses, one.distance, one.example]
            for number, one in self._found.items()
            if one.num_poses
        ]

    def add_part(self, part: Iterable[Sequence[Any]]) -> None:
        r"""Adds what was found in other sets, which come after those here.

        Args:
            part: As :meth:`to_part` gave it.
        """
        for number, num_poses, distance, example in part:
            found = self._found[number]
            found.num_poses += num_poses
            if distance < found.distance:
                found.distance, found.example = distance, example

    def overlaps(self) -> list[Overlap]:
        r"""What was found so far; those that most poses overlap with first."""
        found = [one for one in self._found.values() if one.num_poses]
        return sorted(found, key=lambda o: (-o.num_poses, o.distance))


def check_overlap(
    receptor: Data, sets: PoseSet | Iterable[PoseSet]
) -> list[Overlap]:
    r"""Checks that no residue of a receptor is where the poses are.

    A ligand that was left in the receptor shows a model the answer. Whatever
    is found is flagged in the report of the receptor; there is a warning if
    it is part of the receptor.

    Args:
        receptor: The receptor, as for :class:`OverlapSearch`.
        sets: The pose sets; of a set with a receptor, the ligand is taken.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.io import check_overlap
        >>> dataset = MproMoonshot('test')
        >>> check_overlap(dataset.receptor, dataset)
        []
    """
    search = OverlapSearch(receptor)
    for number, pose_set in enumerate(
        [sets] if isinstance(sets, PoseSet) else sets
    ):
        start, sizes = int(pose_set['receptor_size']), pose_set['pose_size']
        search.add(
            pose_set.get('name') or f'set {number}',
            pose_set['z'][start:],
            pose_set['pos'][start:],
            torch.arange(len(sizes)).repeat_interleave(sizes.cpu()),
        )
    found = search.overlaps()
    report = receptor.report if isinstance(receptor, Receptor) else None
    for text in report_overlaps(receptor, found, report):
        warnings.warn(text, UserWarning, stacklevel=2)
    return found


def report_overlaps(
    receptor: Data, found: Sequence[Overlap], report: Report | None
) -> list[str]:
    r"""Flags overlaps.

    Args:
        receptor: The receptor.
        found: The overlaps, as :meth:`OverlapSearch.overlaps` gives them.
        report: Where to flag them.

    Returns:
        What to warn of: overlaps with what was kept.
    """
    if report is not None:
        file = ''
        if isinstance(receptor, Receptor):
            file = next(iter(receptor.report.seen))
        for one in found:
            report.flag(
                file,
                None,
                one.residue,
                'overlaps with poses'
                if one.is_kept
                else 'overlaps with poses, but was left out',
                str(one),
            )
    kept = [one for one in found if one.is_kept]
    if not kept:
        return []
    shown = '; '.join(f'{one.residue}: {one}' for one in kept[:SHOWN])
    return [
        f'{len(kept)} residues of the receptor overlap with poses, the '
        f'first: {shown}. A ligand left in the receptor shows the model '
        f'the answer: leave it out by read_receptor(..., drop=[...]). If '
        f'it is no ligand, these poses clash, or are of another receptor'
    ]
