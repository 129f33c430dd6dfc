"""Names of atoms without names: docking turns bonds and changes nothing else.

Lengths of bonds, angles and chirality of a side chain are those of the
receptor, to rounding, and its C-alpha has not moved. So each atom is told by
its distances from those before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from pyg_multipose.io.flexible.receptor_atoms import FIXED, ReceptorAtoms
from pyg_multipose.io.flexible.side_chains import SideAtom
from pyg_multipose.io.report import Rejected

#: Angstrom; how far an atom may be from where its receptor has it, as one
#: that has not moved.
_AT = 0.01
#: Angstrom; how much a distance over one bond or two may differ.
TOLERANCE = 0.03
#: Angstrom; heavy atoms of a side chain are bonded if they are nearer.
_BOND = 2.0
#: Cubic Angstrom; the volume of three bonds that are not in one plane.
_VOLUME = 0.5
#: Ways to lay a side chain on atoms that are looked at.
MAX_WAYS = 1000


@dataclass(frozen=True, eq=False)
class _Chain:
    """The side chain of a residue: rows of the receptor, from C-alpha on."""

    key: tuple[str, str]
    rows: list[int]
    names: list[str]
    #: Which earlier atoms each is one bond or two from.
    near: list[list[int]]
    #: Triples of neighbours around an atom, all of them and it so far.
    centres: list[list[tuple[int, int, int, int]]]


def named(
    z: Sequence[int], pos: np.ndarray, receptor: ReceptorAtoms
) -> list[SideAtom]:
    r"""Finds out which atom of the receptor each atom is.

    Args:
        z: The atomic numbers of the flexible side chains in a pose.
        pos: Where these atoms are in Angstrom, shape :obj:`[num_atoms, 3]`.
        receptor: The receptor that was docked into.

    Returns:
        The heavy atoms with their names.

    Raises:
        Rejected: If some atoms are of no side chain of the receptor.
    """
    heavy = [row for row, number in enumerate(z) if number != 1]
    elements = [z[row] for row in heavy]
    xyz = pos[heavy]
    out: dict[int, SideAtom] = {}
    tree = cKDTree(xyz) if len(xyz) else None
    for key, names in receptor.residues.items():
        start = names.get('CA')
        if tree is None or start is None:
            continue
        first = _at(tree, elements, receptor, start)
        if first is None:
            continue
        for name in FIXED:
            row = names.get(name)
            place = None if row is None else _at(tree, elements, receptor, row)
            if row is not None and place is not None:
                out[place] = _atom(key, name, receptor.z[row], xyz[place])
        chain = _chain(key, names, receptor)
        free = [place for place in range(len(xyz)) if place not in out]
        ways = list(_ways(chain, first, free, elements, xyz, tree, receptor))
        if not ways:
            raise Rejected(
                'atoms of flexible residues cannot be told apart',
                f'residue {key[0]}/{key[1]}: no way to turn its bonds leads '
                f'to them. A PDB or PDBQT file has their names',
            )
        _, best = min(ways, key=lambda way: (round(way[0], 6), way[1]))
        for name, row, place in zip(
            chain.names, chain.rows, best, strict=True
        ):
            out[place] = _atom(key, name, receptor.z[row], xyz[place])
    left = [place for place in range(len(xyz)) if place not in out]
    if left:
        raise Rejected(
            'an atom that the receptor does not have',
            f'{len(left)} of {len(xyz)} heavy atoms are of no residue whose '
            f'C-alpha is there, the first at {xyz[left[0]].tolist()}',
        )
    return [out[place] for place in sorted(out)]


def _atom(
    key: tuple[str, str], name: str, z: int, pos: np.ndarray
) -> SideAtom:
    x, y, z_ = pos.tolist()
    return SideAtom(key[0], key[1], 'residue', name, z, (x, y, z_))


def _at(
    tree: cKDTree, elements: Sequence[int], receptor: ReceptorAtoms, row: int
) -> int | None:
    """The atom that is where an atom of the receptor is."""
    for place in tree.query_ball_point(receptor.pos[row], _AT):
        if elements[place] == receptor.z[row]:
            return int(place)
    return None


def _chain(
    key: tuple[str, str], names: dict[str, int], receptor: ReceptorAtoms
) -> _Chain:
    """Orders a side chain so that each atom is bonded to one before it."""
    free = {
        name: row
        for name, row in names.items()
        if receptor.z[row] != 1 and (name == 'CA' or name not in FIXED)
    }
    pos = {name: receptor.pos[row] for name, row in free.items()}
    bonded = {
        name: [
            other
            for other in free
            if other != name and np.linalg.norm(pos[name] - pos[other]) < _BOND
        ]
        for name in free
    }
    order, waiting = ['CA'], list(bonded['CA'])
    while waiting:
        name = waiting.pop(0)
        if name not in order:
            order.append(name)
            waiting += bonded[name]
    place = {name: number for number, name in enumerate(order)}
    near, centres = [], []
    for number, name in enumerate(order):
        within = {other for one in bonded[name] for other in bonded[one]}
        within |= set(bonded[name])
        near.append(sorted(place[o] for o in within if place[o] < number))
        known = []
        for centre in (name, *bonded[name]):
            ends = sorted(place[other] for other in bonded[centre])
            if len(ends) < 3:
                continue
            a, b, c = ends[:3]
            if max(a, b, c, place[centre]) == number:
                known.append((place[centre], a, b, c))
        centres.append(known)
    rows = [free[name] for name in order]
    return _Chain(key, rows, order, near, centres)


def _ways(
    chain: _Chain,
    first: int,
    free: Sequence[int],
    elements: Sequence[int],
    xyz: np.ndarray,
    tree: cKDTree,
    receptor: ReceptorAtoms,
) -> Iterator[tuple[float, list[int]]]:
    """All ways to lay a side chain on atoms, and how much distances differ."""
    at = receptor.pos[chain.rows]
    available = set(free)
    count = 0
    stack: list[tuple[float, list[int]]] = [(0.0, [first])]
    while stack and count < MAX_WAYS:
        error, way = stack.pop()
        number = len(way)
        if number == len(chain.rows):
            count += 1
            yield error, way
            continue
        # The first of the atoms near it bounds where to look.
        near = chain.near[number]
        parent = near[0] if near else 0
        reach = float(np.linalg.norm(at[number] - at[parent])) + TOLERANCE
        for place in tree.query_ball_point(xyz[way[parent]], reach):
            if place not in available or place in way:
                continue
            if elements[place] != receptor.z[chain.rows[number]]:
                continue
            off = [
                np.linalg.norm(xyz[place] - xyz[way[other]])
                - np.linalg.norm(at[number] - at[other])
                for other in near
            ]
            longer = [*way, place]
            if np.abs(off).max(initial=0.0) <= TOLERANCE and _same_hand(
                chain.centres[number], longer, xyz, at
            ):
                stack.append((error + float(np.square(off).sum()), longer))


def _same_hand(
    centres: Sequence[tuple[int, int, int, int]],
    way: Sequence[int],
    xyz: np.ndarray,
    at: np.ndarray,
) -> bool:
    """Whether neighbours stand around atoms as they do in the receptor."""
    for centre in centres:
        expected = _volume(*(at[number] for number in centre))
        got = _volume(*(xyz[way[number]] for number in centre))
        if abs(expected) > _VOLUME and expected * got < 0:
            return False
    return True


def _volume(
    centre: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray
) -> float:
    return float(np.dot(a - centre, np.cross(b - centre, c - centre)))
