"""The atoms of a receptor by their names, and which of them have moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.spatial import cKDTree

from pyg_multipose.data import MovedAtoms
from pyg_multipose.io.flexible.side_chains import SideAtom
from pyg_multipose.io.receptor.receptor import Receptor
from pyg_multipose.io.report import Rejected

#: Atoms of a residue that docking does not move.
FIXED = ('N', 'CA', 'C', 'O', 'OXT')
#: Angstrom; how far these may be from where the receptor has them.
SLACK = 0.1
#: Angstrom; files have three decimals, so what is nearer has not moved.
SAME = 1e-3
#: Names that a message shows.
SHOWN = 5


class ReceptorAtoms:
    r"""The atoms of a receptor by chain, residue and name.

    Args:
        receptor: As :func:`~pyg_multipose.io.read_receptor` returns it.
    """

    def __init__(self, receptor: Receptor) -> None:
        self.z: list[int] = receptor['z'].tolist()
        self.pos = receptor['pos'].detach().cpu().double().numpy()
        self.has_hydrogens = 1 in self.z
        #: The rows of each residue by the names of its atoms.
        self.residues: dict[tuple[str, str], dict[str, int]] = {}
        self._twice: set[int] = set()
        self._called: dict[tuple[str, str], str] = {}
        for row, (number, name) in enumerate(
            zip(receptor['residue'].tolist(), receptor.atom_names, strict=True)
        ):
            residue = receptor.residues[number - 1]
            key = (residue.chain.strip(), residue.label)
            names = self.residues.setdefault(key, {})
            self._called.setdefault(key, str(residue))
            if name in names:
                self._twice.add(names[name])
            names.setdefault(name, row)

    def moved(self, atoms: Sequence[SideAtom]) -> tuple[MovedAtoms, int]:
        r"""Which atoms of the receptor are elsewhere.

        Hydrogens are as those of the receptor: if it has none, they are
        passed over; if it has some, those of a flexible residue that are not
        among :obj:`atoms` are absent.

        Args:
            atoms: The atoms of flexible side chains in a pose.

        Returns:
            The atoms that have moved, and the number of hydrogens that the
            receptor does not have.

        Raises:
            Rejected: If an atom is not in the receptor or has two positions,
                if a side chain is incomplete, or if a backbone has moved.
        """
        places: dict[int, tuple[float, float, float]] = {}
        keys: dict[tuple[str, str], None] = {}
        unknown = 0
        for atom in atoms:
            row = self._row(atom)
            if row is None:
                unknown += self.has_hydrogens
                continue
            if row in places:
                raise Rejected(
                    'two positions of an atom',
                    f'{atom} is at {places[row]} and at {atom.pos}',
                )
            places[row] = atom.pos
            keys[atom.chain, atom.label] = None
            self._check_fixed(atom, row)
        absent: list[int] = []
        for key in keys:
            absent += self._absent(key, places)
        rows = np.array(sorted(places), dtype=np.int64)
        pos = np.array([places[row] for row in rows.tolist()]).reshape(-1, 3)
        far = np.abs(pos - self.pos[rows]).max(axis=1, initial=0.0) >= SAME
        return (
            MovedAtoms(
                torch.from_numpy(rows[far]),
                torch.from_numpy(pos[far]).float(),
                torch.tensor(sorted(absent), dtype=torch.long),
            ),
            unknown,
        )

    def _row(self, atom: SideAtom) -> int | None:
        """Its row; :obj:`None` for a hydrogen that the receptor lacks."""
        names = self.residues.get((atom.chain, atom.label))
        if atom.z == 1 and (not self.has_hydrogens or not names):
            return None
        if names is None:
            raise Rejected(
                'an atom that the receptor does not have',
                f'{atom}: it has no residue {atom.chain}/{atom.label}',
            )
        row = names.get(atom.name)
        if row is None and atom.z == 1:
            return None
        called = self._called[atom.chain, atom.label]
        if row is None or (atom.z and self.z[row] != atom.z):
            had = sorted(name for name in names if self.z[names[name]] != 1)
            raise Rejected(
                'an atom that the receptor does not have',
                f'{atom}, element {atom.z or "unknown"}; its {called} has '
                f'{had}'
                + ('' if row is None else f', that one of {self.z[row]}'),
            )
        if row in self._twice:
            raise Rejected(
                'an atom that the receptor does not have',
                f'{atom}: the receptor has several of that name',
            )
        return row

    def _check_fixed(self, atom: SideAtom, row: int) -> None:
        off = float(np.linalg.norm(self.pos[row] - atom.pos))
        if atom.name in FIXED and off > SLACK:
            raise Rejected(
                'a backbone that has moved',
                f'{atom} is {off:.2f} Angstrom from where the receptor has '
                f'it, but docking moves side chains alone: is it the receptor '
                f'that was docked into?',
            )

    def _absent(
        self, key: tuple[str, str], places: Mapping[int, object]
    ) -> list[int]:
        """Hydrogens of a side chain that are not told of."""
        names = self.residues[key]
        heavy = {n: row for n, row in names.items() if self.z[row] != 1}
        side = [row for name, row in heavy.items() if name not in FIXED]
        lacking = [n for n, row in heavy.items() if row not in places]
        lacking = [name for name in lacking if name not in FIXED]
        if lacking:
            raise Rejected(
                'incomplete flexible residues',
                f'{self._called[key]} lacks {lacking[:SHOWN]}',
            )
        hydrogens = [row for row in names.values() if self.z[row] == 1]
        hydrogens = [row for row in hydrogens if row not in places]
        if not hydrogens:
            return []
        rows = list(heavy.values())
        nearest = cKDTree(self.pos[rows]).query(self.pos[hydrogens])[1]
        return [
            hydrogen
            for hydrogen, place in zip(hydrogens, nearest, strict=True)
            if rows[place] in side
        ]
