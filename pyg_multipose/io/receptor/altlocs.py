"""One location for every atom, one residue for every place in a chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pyg_multipose.io.receptor.names import is_known_in_chains
from pyg_multipose.io.receptor.structure import Atom, Residue

#: Angstrom; atoms of one name that are further apart belong to two residues.
APART = 4.0


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
    places: dict[tuple, list[Residue]] = defaultdict(list)
    for residue in residues:
        for part in _parts(residue):
            places[_place(part, places)].append(part)
    return [
        _best_residue([_best_atoms(residue) for residue in of_place])
        for of_place in places.values()
    ]


def _place(residue: Residue, places: dict[tuple, list[Residue]]) -> tuple:
    """Residues of two names in one place are alternatives if they say so."""
    chain, number, code, name = residue.id
    place = (chain, number, code)
    others = places.get(place, [])
    if not others:
        return place
    if all(other.id.name != name for other in others):
        lettered = [all(a.altloc for a in r.atoms) for r in (residue, *others)]
        if any(lettered) or (
            all(is_known_in_chains(r.id.name) for r in (residue, *others))
            and _distance(residue.atoms[0], others[0].atoms[0]) <= APART
        ):
            return place
    return (*place, name, len(places))


def _parts(residue: Residue) -> list[Residue]:
    """Takes apart what has one id by mistake: chains without names.

    Only names that are distinct within the rest of the residue can tell.
    """
    if not residue.in_polymer:
        return [residue]
    parts: list[dict[tuple[str, str], Atom]] = []
    rows: list[list[Atom]] = []
    for atom in residue.atoms:
        key = (atom.name, atom.altloc)
        for part, row in zip(parts, rows, strict=True):
            other = part.get(key)
            if other is None or _distance(other, atom) <= APART:
                part.setdefault(key, atom)
                row.append(atom)
                break
        else:
            parts.append({key: atom})
            rows.append([atom])
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
        if len(atoms) > 1:
            for atom in atoms:
                contested[atom.altloc].append(atom.occupancy)
    if not contested:
        return Chosen(residue)
    occupancy = {
        letter: float(np.mean(of_letter))
        for letter, of_letter in contested.items()
    }
    order = sorted(occupancy, key=lambda key: (-occupancy[key], key))
    taken = []
    for atoms in versions.values():
        taken.append(
            min(
                atoms,
                key=lambda a: (
                    order.index(a.altloc) if a.altloc in order else len(order),
                    -a.occupancy,
                ),
            )
        )
    kept = {id(atom) for atom in taken}
    out = [atom for atom in residue.atoms if id(atom) in kept]
    shown = [f'{key or "blank"} ({occupancy[key]:.2f})' for key in order]
    return Chosen(
        replace(residue, atoms=out),
        len(residue.atoms) - len(out),
        f'{shown[0]} taken of {", ".join(shown)}'
        if len(shown) > 1
        else 'several atoms of one name',
    )


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


def _distance(one: Atom, other: Atom) -> float:
    return float(np.linalg.norm(np.subtract(one.pos, other.pos)))
