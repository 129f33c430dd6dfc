"""One location for every atom, one residue for every place in a chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from pyg_multipose.io.receptor.bonds import distance
from pyg_multipose.io.receptor.names import is_known_in_chains
from pyg_multipose.io.receptor.structure import Atom, Residue, ResidueId

#: Angstrom; atoms of one name that are further apart belong to two residues.
APART = 4.0
#: Angstrom; atoms of one name that are nearer are alternatives, those of
#: neighbors in a chain are not.
SAME_PLACE = 1.5
#: Angstrom; two hydrogens that are nearer cannot both be there.
SAME_HYDROGEN = 0.9


@dataclass(frozen=True)
class Chosen:
    r"""A residue with one location for each atom.

    Args:
        residue: The residue.
        left_out: Its atoms, and those of other residues in its place, that
            were not taken.
        why: What was taken and what was not, with occupancies.
    """

    residue: Residue
    left_out: int = 0
    why: str = ''


def choose(residues: Sequence[Residue]) -> list[Chosen]:
    r"""Takes the location of the highest occupancy, residue by residue.

    In a tie, the first letter is taken. An atom that only other locations
    have comes from the best of those.

    Args:
        residues: The residues of a model, in order.
    """
    groups: list[list[Residue]] = []
    at: dict[tuple[str, int, str], list[list[Residue]]] = defaultdict(list)
    for residue in _joined(residues):
        for part in _parts(residue):
            of_place = at[part.id[:3]]
            fits = (
                group
                for group in of_place
                if all(_are_alternatives(part, other) for other in group)
            )
            group = next(fits, None)
            if group is None:
                group = []
                groups.append(group)
                of_place.append(group)
            group.append(part)
    return [
        _best_residue([_best_atoms(residue) for residue in group])
        for group in groups
    ]


def _joined(residues: Sequence[Residue]) -> list[Residue]:
    """Puts together residues that stand in several blocks of a file.

    What has the same id is the same residue if it has other atoms nearby, or
    the same ones in the same places.
    """
    out: list[Residue] = []
    at: dict[ResidueId, list[int]] = defaultdict(list)
    for residue in residues:
        places = {atom.name: atom.pos for atom in residue.atoms if atom.z != 1}
        for number in at[residue.id]:
            other = out[number]
            if all(
                places.get(atom.name, atom.pos) == atom.pos
                for atom in other.atoms
                if atom.z != 1
            ):
                tree = cKDTree([atom.pos for atom in other.atoms])
                far, _ = tree.query([atom.pos for atom in residue.atoms])
                if min(far) <= APART:
                    atoms = [*other.atoms, *residue.atoms]
                    out[number] = replace(other, atoms=atoms)
                    break
        else:
            at[residue.id].append(len(out))
            out.append(residue)
    return out


def _are_alternatives(one: Residue, other: Residue) -> bool:
    """Residues of two names in one place, by letters or by their atoms.

    A cap or an ion often has the number of the residue beside it.
    """
    if one.id.name == other.id.name:
        return False
    letters, others = ({a.altloc for a in r.atoms} for r in (one, other))
    if letters & others:  # none, as a rule
        return (
            is_known_in_chains(one.id.name)
            and is_known_in_chains(other.id.name)
            and _overlap(one, other)
        )
    return '' not in letters | others or _overlap(one, other)


def _overlap(one: Residue, other: Residue) -> bool:
    """Whether atoms of one name are in one place."""
    places = {atom.name: atom for atom in one.atoms if atom.z != 1}
    return any(
        atom.name in places
        and atom.z != 1
        and distance(atom, places[atom.name]) <= SAME_PLACE
        for atom in other.atoms
    )


def _parts(residue: Residue) -> list[Residue]:
    """Takes apart what has one id by mistake: chains without names.

    Only names that are distinct within the rest of the residue can tell, and
    those of hydrogens often are not: they are where the nearest atom is.
    """
    if not residue.in_polymer:
        return [residue]
    parts: list[dict[tuple[str, str], Atom]] = []
    numbers: dict[int, int] = {}
    heavy = [atom for atom in residue.atoms if atom.z != 1]
    for atom in heavy:
        key = (atom.name, atom.altloc)
        fits = (
            number
            for number, part in enumerate(parts)
            if key not in part or distance(part[key], atom) <= APART
        )
        numbers[id(atom)] = number = next(fits, len(parts))
        if number == len(parts):
            parts.append({})
        parts[number].setdefault(key, atom)
    if len(parts) < 2:
        return [residue]
    rows: list[list[Atom]] = [[] for _ in parts]
    nearest = _nearest(residue.atoms, heavy)
    for atom, parent in zip(residue.atoms, nearest, strict=True):
        rows[numbers[id(parent)]].append(atom)
    return [replace(residue, atoms=row) for row in rows]


def _best_atoms(residue: Residue) -> Chosen:
    versions: dict[str, list[Atom]] = defaultdict(list)
    for atom in residue.atoms:
        versions[atom.name].append(atom)
    letters = {atom.altloc for atom in residue.atoms}
    if not residue.in_polymer and letters == {''}:
        # Ligands may have many atoms of one name; two at one place are one.
        atoms = list({atom.pos: atom for atom in residue.atoms}.values())
        lost = len(residue.atoms) - len(atoms)
        return Chosen(
            replace(residue, atoms=atoms), lost, 'atoms twice' if lost else ''
        )
    contested: dict[str, list[float]] = defaultdict(list)
    for atoms in versions.values():
        if len({a.altloc for a in atoms}) > 1 or _is_one(residue, atoms):
            for atom in atoms:
                contested[atom.altloc].append(atom.occupancy)
    occupancy = {
        letter: float(np.mean(of_letter))
        for letter, of_letter in contested.items()
    }
    order = sorted(occupancy, key=lambda key: (-occupancy[key], key))
    taken = []
    for atoms in versions.values():
        best = min(
            atoms,
            key=lambda a: (
                order.index(a.altloc) if a.altloc in order else len(order),
                -a.occupancy,
            ),
        )
        if _is_one(residue, atoms):
            taken.append(best)
        else:  # as many as there are in its location
            taken += [a for a in atoms if a.altloc == best.altloc]
    out = _without_orphans(residue, taken)
    if len(out) == len(residue.atoms):
        return Chosen(residue)
    shown = [f'{key or "blank"} ({occupancy[key]:.2f})' for key in order]
    return Chosen(
        replace(residue, atoms=out),
        len(residue.atoms) - len(out),
        f'{shown[0]} taken of {", ".join(shown)}'
        if len(shown) > 1
        else 'several atoms of one name',
    )


def _is_one(residue: Residue, atoms: Sequence[Atom]) -> bool:
    """Whether atoms of one name are alternatives, whatever their letters.

    Names of heavy atoms are distinct in residues that are known. Those of
    hydrogens need not be: three HZ of a lysine are three.
    """
    if len(atoms) < 2 or atoms[0].z == 1:
        return False
    name = residue.id.name
    if is_known_in_chains(name) and name.upper() != 'UNK':
        return True
    shares = [atom.occupancy for atom in atoms]
    return max(shares) < 1 and sum(shares) <= 1.01


def _without_orphans(residue: Residue, taken: Sequence[Atom]) -> list[Atom]:
    """Atoms in their order, each once, and hydrogens of what is left.

    Of hydrogens in one place, the first is kept; one whose heavy atom was
    not taken goes with it if another of its name is left.
    """
    kept = {id(atom) for atom in taken}
    atoms = [atom for atom in residue.atoms if id(atom) in kept]
    heavy = [atom for atom in residue.atoms if atom.z != 1]
    names: dict[str, list[Atom]] = defaultdict(list)
    for atom in atoms:
        if atom.z == 1:
            names[atom.name].append(atom)
    for alike in names.values():
        if len(alike) < 2:
            continue
        found: list[Atom] = []
        parents = _nearest(alike, heavy) if heavy else alike
        whole = [
            atom
            for atom, parent in zip(alike, parents, strict=True)
            if not heavy or id(parent) in kept
        ]
        for atom in sorted(whole or alike[:1], key=lambda a: -a.occupancy):
            if all(distance(atom, a) >= SAME_HYDROGEN for a in found):
                found.append(atom)
        kept -= {id(atom) for atom in alike} - {id(atom) for atom in found}
    places: set[tuple[str, tuple[float, float, float]]] = set()
    out = []
    for atom in atoms:
        place = (atom.name, atom.pos)
        if id(atom) in kept and place not in places:
            places.add(place)
            out.append(atom)
    return out


def _nearest(atoms: Sequence[Atom], others: Sequence[Atom]) -> list[Atom]:
    """For each atom the nearest of others, itself if it is one of them."""
    tree = cKDTree(np.array([other.pos for other in others]))
    _, rows = tree.query(np.array([atom.pos for atom in atoms]))
    own = {id(other) for other in others}
    return [
        atom if id(atom) in own else others[row]
        for atom, row in zip(atoms, rows.tolist(), strict=True)
    ]


def _best_residue(found: list[Chosen]) -> Chosen:
    if len(found) == 1:
        return found[0]
    # Which of several residues stand in one place, e.g. ASP or VAL.
    occupancy = [
        float(np.mean([atom.occupancy for atom in one.residue.atoms]))
        for one in found
    ]
    best = min(
        range(len(found)),
        key=lambda i: (
            -round(occupancy[i], 4),
            max(atom.altloc for atom in found[i].residue.atoms),
        ),
    )
    taken = found[best]
    shown = ', '.join(
        f'{one.residue.id.name} ({of_one:.2f})'
        for one, of_one in zip(found, occupancy, strict=True)
    )
    lost = sum(
        one.left_out + len(one.residue.atoms)
        for i, one in enumerate(found)
        if i != best
    )
    return Chosen(
        taken.residue,
        taken.left_out + lost,
        f'{taken.residue.id.name} taken of {shown}',
    )
