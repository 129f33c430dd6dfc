"""Bonds of residues to the backbone of a chain, told from clashes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.spatial import cKDTree

from pyg_multipose.io.receptor.names import is_standard, is_water
from pyg_multipose.io.receptor.structure import (
    Atom,
    AtomId,
    Residue,
    ResidueId,
)

#: Angstrom; a peptide bond or that to a phosphate, with some tolerance.
BOND = 1.75
#: Angstrom; the two atoms of a record are one of symmetric copies if further.
RECORDED = 2.2
#: Numbers that a residue may be away from the one that it is bound to.
NEIGHBORS = 3
#: Backbone atoms that a neighbor in the chain is bound to: the element of its
#: atom, and whether it comes before or after.
_PARTNERS = {
    'N': (6, -1), 'C': (7, 1), 'P': (8, -1), "O3'": (15, 1), 'O3*': (15, 1)
}  # fmt: skip
#: Oxygens that an end of a chain has more than other residues.
_OXYGENS = {'C': 2, 'P': 4}

#: A residue by its place in the model, and an atom of it.
_Owned = tuple[int, Atom]


def bound_to_backbone(
    residues: Sequence[Residue],
    candidates: Sequence[bool],
    bonds: Sequence[tuple[AtomId, AtomId]],
) -> list[str]:
    r"""Tells which residues are bound to the backbone of another one.

    A record of the file (LINK, struct_conn) is a bond. Without one, atoms
    that are as near as a bond are one only if they are of the elements of
    such a bond, in one chain, and at an end of the backbone that is bound to
    nothing else. All others are clashes.

    Args:
        residues: The residues of a model, one location for each atom.
        candidates: Which of them it is asked of.
        bonds: Bonds that the file has a record of.

    Returns:
        For each residue, what it is bound to and how that is known; an empty
        text if it is not.
    """
    ends = [
        (number, atom)
        for number, residue in enumerate(residues)
        if is_standard(residue.id.name) and not is_water(residue.id.name)
        for atom in residue.atoms
        if atom.name.upper() in _PARTNERS and atom.z > 1
    ]
    if not ends:
        return [''] * len(residues)
    recorded = _recorded(residues, ends, bonds)
    out = [recorded.get(residue.id, '') for residue in residues]
    # What has the id of another one is in no place that tells.
    count = Counter(residue.id for residue in residues)
    near = _Neighborhood(residues)
    by_place: dict[int, list[tuple[_Owned, Atom]]] = defaultdict(list)
    for end, owned in zip(ends, near.of_all(ends), strict=True):
        for owner, atom in owned:
            is_one = count[residues[owner].id] == 1 and not out[owner]
            if owner != end[0] and candidates[owner] and is_one:
                by_place[owner].append((end, atom))
    for owner, pairs in by_place.items():
        found = {
            end[0]
            for end, atom in pairs
            if _is_bond(residues, owner, end, atom)
            and near.is_free(end, residues[end[0]], owner)
        }
        # What is bound to its neighbors alone touches nothing else.
        if found and near.neighbors(owner) <= found:
            shown = ' and '.join(str(residues[n].id) for n in sorted(found))
            out[owner] = f'bound to {shown} by its position'
    return out


def _is_bond(
    residues: Sequence[Residue], owner: int, end: _Owned, atom: Atom
) -> bool:
    mine, other = residues[owner], residues[end[0]]
    element, side = _PARTNERS[end[1].name.upper()]
    return (
        atom.z == element
        and mine.id.chain == other.id.chain
        and mine.label_chain == other.label_chain
        and 0 <= side * (mine.id.number - other.id.number) <= NEIGHBORS
    )


def _recorded(
    residues: Sequence[Residue],
    ends: Sequence[_Owned],
    bonds: Sequence[tuple[AtomId, AtomId]],
) -> dict[ResidueId, str]:
    """What is bound by a record of the file, and to what."""
    out: dict[ResidueId, str] = {}
    if not bonds:
        return out
    atoms: dict[AtomId, list[_Owned]] = defaultdict(list)
    for number, residue in enumerate(residues):
        for atom in residue.atoms:
            atoms[residue.id, atom.name].append((number, atom))
    backbone = {(number, atom.name) for number, atom in ends}
    for one, two in [*bonds, *((two, one) for one, two in bonds)]:
        for owner, atom in atoms.get(one, ()):
            for number, end in atoms.get(two, ()):
                if (
                    owner != number
                    and (number, end.name) in backbone
                    and distance(atom, end) <= RECORDED
                ):
                    shown = residues[number].id
                    out[one[0]] = f'bound to {shown} by a record of the file'
    return out


class _Neighborhood:
    """Heavy atoms within a bond of others."""

    def __init__(self, residues: Sequence[Residue]) -> None:
        self._residues = residues
        self._atoms = [
            (number, atom)
            for number, residue in enumerate(residues)
            for atom in residue.atoms
            if atom.z > 1
        ]
        self._tree = cKDTree(np.array([atom.pos for _, atom in self._atoms]))

    def of_all(self, atoms: Sequence[_Owned]) -> Iterator[list[_Owned]]:
        """The atoms near each of others."""
        pos = [atom.pos for _, atom in atoms]
        for rows in self._tree.query_ball_point(pos, BOND):
            yield [self._atoms[row] for row in rows]

    def of(self, atom: Atom) -> list[_Owned]:
        """The atoms near another one, itself too."""
        rows = self._tree.query_ball_point(atom.pos, BOND)
        return [self._atoms[row] for row in rows]

    def neighbors(self, number: int) -> set[int]:
        """Standard residues that a residue touches."""
        return {
            other
            for atom in self._residues[number].atoms
            if atom.z > 1
            for other, _ in self.of(atom)
            if other != number and self._is_of_a_chain(other)
        }

    def is_free(self, end: _Owned, residue: Residue, but: int) -> bool:
        """Whether an end is bound to nothing but one residue."""
        near = self.of(end[1])
        name = end[1].name.upper()
        oxygens = sum(n == end[0] and atom.z == 8 for n, atom in near)
        if oxygens >= _OXYGENS.get(name, len(near) + 1):
            return False
        return not any(
            number not in (end[0], but) and self._is_of_a_chain(number)
            for number, _ in near
        )

    def _is_of_a_chain(self, number: int) -> bool:
        name = self._residues[number].id.name
        return is_standard(name) and not is_water(name)


def distance(one: Atom, other: Atom) -> float:
    r"""The distance of two atoms in Angstrom.

    Args:
        one: An atom.
        other: Another one.
    """
    return float(np.linalg.norm(np.subtract(one.pos, other.pos)))
