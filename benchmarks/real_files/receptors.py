"""Receptors of real files: read here and by others, residue by residue."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from pathlib import Path

import gemmi

from benchmarks.real_files.findings import Finding, Outcome, Section
from benchmarks.real_files.structures import (
    Atom,
    Group,
    Key,
    by_gemmi,
    by_rdkit,
    of_receptor,
)
from pyg_multipose.io import Receptor, read_receptor

BACKBONE = {'N', 'CA', 'C'}
SUGAR = {"C1'", "C3'", "C4'", "O4'"}
#: Bases in the names of force fields.
BASE = re.compile('ADE|CYT|GUA|THY|URA|[DR][ACGTU][35]')
#: The longest bond of a cap, in Angstrom.
BOND = 1.75
OXYGEN = 8
TWO_LETTERS = 'theirs takes two letters of a name in a chain for the element'


def compare(section: Section, path: Path, shown: str) -> None:
    r"""Reads a file in both ways, and adds what was found.

    Args:
        section: Where to add it.
        path: The file.
        shown: How to call it.
    """
    section.files += 1
    reader = by_rdkit if '.pdbqt' in path.suffixes else by_gemmi
    try:
        theirs = reader(path)
        problem = ''
    except RuntimeError as error:
        theirs, problem = {}, str(error)
    try:
        receptor = read_receptor(path)
    except ValueError as error:
        why = str(error).replace(path.as_posix(), 'file')
        section.refused[reason_of(why)] += 1
        section.add(shown, of_refused(why, theirs, problem))
        return
    section.seen += receptor.report.num_seen
    section.kept += receptor.report.num_kept
    section.dropped += receptor.report.reasons()
    section.flagged.update(row.reason for row in receptor.report.flagged)
    if problem:
        section.add(shown, ('unexplained', f'theirs refuses it: {problem}'))
        return
    section.add(shown, residues(receptor, theirs, shown))


def reason_of(message: str) -> str:
    r"""The kind of an error that refused a file.

    Args:
        message: Its message.
    """
    for reason in ('nothing is left', 'NUL bytes', 'no table _atom_site'):
        if reason in message:
            return reason
    return re.sub(r"^'file'[ ,:]*", '', message)[:60]


def of_refused(
    why: str, theirs: dict[Key, Group], problem: str
) -> tuple[Outcome, str]:
    r"""Looks whether the other reader bears out why a file was refused.

    Args:
        why: The error.
        theirs: What the other reader has.
        problem: Why the other reader refuses it, too.
    """
    reason = reason_of(why)
    atoms = [atom for group in theirs.values() for atom in group.atoms]
    if problem or not atoms:
        return 'same', f'refused by both: {reason}'
    if reason == 'nothing is left':
        if not any(group.in_chain for group in theirs.values()):
            return 'same', 'no chain in it, to both'
    return 'unexplained', f'{why}, theirs has {len(atoms)} heavy atoms'


def residues(
    receptor: Receptor, theirs: dict[Key, Group], shown: str
) -> list[Finding]:
    r"""Compares all residues.

    Args:
        receptor: What was read here.
        theirs: What the other reader has.
        shown: How to call the file.
    """
    ours = of_receptor(receptor)
    beside: dict[tuple[str, int, str], list[Key]] = defaultdict(list)
    for key in theirs:
        beside[key[:3]].append(key)
    out = []
    order = list(ours)
    rows = {key: row for row, key in enumerate(order)}
    for key in dict.fromkeys([*theirs, *ours]):
        where = f'{shown}, {key[3]} {key[0]}/{key[1]}{key[2]}'
        group = theirs.get(key)
        mine = ours.get(key, [])
        if group is None:
            found: tuple[Outcome, str] = 'unexplained', 'theirs has it not'
        elif not mine:
            has_other = any(one in ours for one in beside[key[:3]])
            found = of_left_out(group, has_other)
        else:
            row = rows[key]
            near = [*order[max(row - 1, 0) : row], *order[row + 1 : row + 2]]
            others = [atom for one in near for atom in ours[one]]
            found = of_kept(key, mine, group, others)
        out.append(Finding(where, *found))
    return out


def of_kept(
    key: Key, mine: list[Atom], group: Group, others: list[Atom]
) -> tuple[Outcome, str]:
    r"""Compares a residue that was kept.

    Args:
        key: The residue.
        mine: Its atoms here.
        group: The residue of the other reader.
        others: The atoms of the residues before and behind it.
    """
    theirs = {(atom.name, atom.place): atom for atom in group.atoms}
    mended = ''
    for atom in mine:
        other = theirs.get((atom.name, atom.place))
        if other is None:
            return 'unexplained', f'theirs has no {atom}'
        if other.z != atom.z:
            mended = element_by_name(key, mine, atom, other)
            if not mended:
                return 'unexplained', f'an element: {atom}, theirs {other}'
    taken = {(atom.name, atom.place) for atom in mine}
    rest = [atom for of, atom in theirs.items() if of not in taken]
    unknown = [atom for atom in rest if not atom.z]
    rest = [atom for atom in rest if atom.z and not is_hydrogen(atom)]
    hydrogens = sum(map(is_hydrogen, group.atoms))
    if any(atom.name not in {atom.name for atom in mine} for atom in rest):
        return 'unexplained', f'ours lacks {rest}'
    if mended:
        return 'ours', mended
    if not group.in_chain:
        return of_no_chain(key, mine, others)
    if not rest:
        if len(mine) + len(unknown) < len(group.atoms) - hydrogens:
            return 'ours', 'theirs keeps atoms that are written twice'
        why = 'an atom without an element to both, left out'
        return 'same', why if unknown else ''
    twice = {atom.name for atom in rest}
    chosen = [theirs[one] for one in taken if one[0] in twice]
    if share(chosen) + 1e-6 < share(rest):
        return 'unexplained', f'{rest} have a higher occupancy than {chosen}'
    return 'ours', (
        'theirs keeps all alternate locations; ours has the highest occupancy'
    )


def share(atoms: list[Atom]) -> float:
    r"""The highest mean occupancy of the alternate locations of a residue.

    Args:
        atoms: Its atoms.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for atom in atoms:
        found[atom.altloc].append(atom.occupancy)
    return max(sum(one) / len(one) for one in found.values())


def is_in_chain(name: str) -> bool:
    r"""Whether a residue is an amino acid or a nucleotide.

    Args:
        name: Its name.
    """
    known = gemmi.find_tabulated_residue(name)
    return (
        known.is_amino_acid()
        or known.is_nucleic_acid()
        or BASE.fullmatch(name) is not None
    )


def takes_two_letters(atom: Atom) -> bool:
    r"""Whether an element is the first two letters of a name, or none.

    Args:
        atom: The atom.
    """
    symbol = gemmi.Element(atom.z).name
    return not atom.z or symbol.upper() == atom.name[:2].upper()


def is_hydrogen(atom: Atom) -> bool:
    r"""Whether a hydrogen was taken for another element by its name.

    Args:
        atom: The atom.
    """
    return atom.z > 0 and takes_two_letters(atom) and atom.name[0] in 'HD'


def element_by_name(
    key: Key, mine: list[Atom], atom: Atom, other: Atom
) -> str:
    r"""Why the element of ours is right, or an empty text.

    Args:
        key: The residue.
        mine: Its atoms here.
        atom: The atom here.
        other: The atom of the other reader.
    """
    in_chain = is_in_chain(key[3]) or {one.name for one in mine} >= BACKBONE
    if in_chain and takes_two_letters(other):
        if gemmi.Element(atom.name[0]).atomic_number == atom.z:
            return TWO_LETTERS
    if atom.name == 'POT' == key[3] and (atom.z, other.z) == (19, 15):
        return 'theirs takes potassium in the name of CHARMM for phosphorus'
    if gemmi.Element(atom.name).atomic_number == atom.z:
        return 'theirs takes one letter of the name for the element'
    return ''


def of_no_chain(
    key: Key, mine: list[Atom], others: list[Atom]
) -> tuple[Outcome, str]:
    r"""Why a residue was kept that is in no chain to the other reader.

    Args:
        key: The residue.
        mine: Its atoms.
        others: The atoms of the residues before and behind it.
    """
    names = {atom.name.replace('*', "'") for atom in mine}
    if any(gemmi.Element(atom.z).is_metal for atom in mine):
        return 'not comparable', 'a metal: kept, but of no chain to theirs'
    if names >= BACKBONE or names >= SUGAR:
        return 'ours', (
            'theirs does not know the name; the residue has a backbone'
        )
    if gemmi.find_tabulated_residue(key[3]).is_amino_acid():
        return 'ours', 'an amino acid with nothing around it, as ATOM'
    near = (
        math.dist(one.place, other.place) < BOND
        for one in mine
        for other in others
    )
    if any(near):
        return 'ours', 'theirs does not know the name; it caps a chain'
    return 'unexplained', f'in no chain to theirs, it has {sorted(names)}'


def of_left_out(group: Group, has_alternative: bool) -> tuple[Outcome, str]:
    r"""Looks whether the other reader bears out that a residue was left out.

    Args:
        group: The residue of the other reader.
        has_alternative: Whether another residue of this number is kept.
    """
    if not group.atoms:
        return 'same', 'no heavy atoms'
    if not group.in_chain:
        return 'same', 'of no chain, left out'
    if has_alternative and all(atom.altloc for atom in group.atoms):
        return 'ours', 'theirs keeps two residues in one place'
    # Numbers of water may repeat, so there may be several of one name.
    real = [atom for atom in group.atoms if atom.z]
    names = {atom.name.upper() for atom in real}
    elements = {atom.z for atom in real}
    is_chloride = names <= {'CL', 'CLA', 'CL-'}
    if len(names) == 1 and (elements == {OXYGEN} or is_chloride):
        return 'ours', (
            'theirs counts water and chloride in the names of force fields '
            'among chains'
        )
    return 'unexplained', f'a part of a chain was left out: {group.atoms}'
