"""Which atom of a molecule each atom of a record is: by graph, never guessed.

A record may know its atoms and neighbours, but not (or not rightly) its bond
orders and charges. They come from a template; the record has to agree with
it in everything that it does say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from pyg_multipose.io.molecule.molecule import (
    Molecule,
    described,
    sanitized,
    skeleton_mol,
    with_stereo_of_coordinates,
    without_exchangeable_stereo,
    without_hydrogens,
)
from pyg_multipose.io.rdkit import Chem, rdBase
from pyg_multipose.io.report import Rejected

#: Ways to lay one graph on another that are looked at; a symmetric molecule
#: has many, which then are as good as each other.
MAX_MATCHES = 2000
MAX_STEREO_TRIALS = 100


@dataclass(frozen=True)
class Skeleton:
    r"""What a record says about its heavy atoms.

    Args:
        atomic_numbers: The element of each.
        bonds: The two ends of each bond.
        pos: Positions in Angstrom, shape :obj:`[num_atoms, 3]`.
        hydrogens: How many hydrogens each has in the record.
        tells: Which atoms it tells the hydrogens of: all, all but carbon
            (:obj:`"polar"`), or none.
        orders: The orders of those bonds that the record is trusted in.
        charges: The same for formal charges.
        alike: What to do with atoms that differ in hydrogens alone, which a
            record without hydrogens does not tell apart: refuse the record,
            let the order of its atoms decide (that of the template, as it is
            written or in canonical form), or take any.
    """

    atomic_numbers: Sequence[int]
    bonds: Sequence[tuple[int, int]]
    pos: np.ndarray
    hydrogens: Sequence[int]
    tells: Literal['all', 'polar', 'none']
    orders: dict[tuple[int, int], int] = field(default_factory=dict)
    charges: dict[int, int] = field(default_factory=dict)
    alike: Literal['refuse', 'order', 'any'] = 'refuse'


def matched(
    record: Skeleton, template: Molecule
) -> tuple[Chem.Mol, list[int]]:
    r"""Lays a record on a template.

    Args:
        record: The atoms of the record.
        template: The molecule it is said to be.

    Returns:
        The template's molecule with the record's coordinates, in the order
        of the template, and the atom of the record that each atom is.

    Raises:
        Rejected: If the record is another molecule, or if it could be the
            template in several ways that differ in hydrogens.
    """
    maps = _maps(record, template)
    if not maps and _maps(replace(record, tells='none'), template):
        raise Rejected(
            'another protonation state than its template',
            f'its hydrogens are not those of {template.smiles}',
        )
    if not maps:
        raise Rejected(
            'another molecule than its template',
            _difference(record, template),
        )
    if record.alike != 'refuse':
        maps = _by_order(maps, template)
    hydrogens = {tuple(_in_order_of_record(template, found)) for found in maps}
    told = record.alike == 'order' and maps[0] in _orders(template)
    if len(hydrogens) > 1 and not told and record.alike != 'any':
        raise Rejected(
            'atoms cannot be told apart',
            'the record fits its template in several ways, with different '
            'hydrogens; a record with hydrogens, or an index map, could tell',
        )
    for found in maps[:MAX_STEREO_TRIALS]:
        mol = placed(template, record.pos[found])
        if has_stereo_of(mol, template):
            return mol, found
    if 'stereo' in template.may_differ:
        return placed(template, record.pos[maps[0]]), maps[0]
    raise Rejected(
        'another stereoisomer than its template',
        f'by its coordinates; the template is {template.smiles}',
    )


def placed(template: Molecule, pos: np.ndarray) -> Chem.Mol:
    r"""A molecule with a conformer and the stereochemistry of that.

    Args:
        template: The molecule.
        pos: Positions in the order of its atoms.
    """
    mol = Chem.Mol(template.mol)
    conformer = Chem.Conformer(mol.GetNumAtoms())
    conformer.SetPositions(np.ascontiguousarray(pos, dtype=np.float64))
    mol.AddConformer(conformer, assignId=True)
    return with_stereo_of_coordinates(mol)


def has_stereo_of(mol: Chem.Mol, template: Molecule) -> bool:
    r"""Whether all stereochemistry that a template states is that of a pose.

    Args:
        mol: The pose; its atoms may be in another order.
        template: The template; what it leaves open may be either.
    """
    if Chem.MolToSmiles(mol) == template.smiles:
        return True
    parameters: Any = Chem.SubstructMatchParameters()
    parameters.useChirality = True
    return mol.HasSubstructMatch(template.mol, parameters)


def from_smiles(smiles: str, called: str = 'template') -> Molecule:
    r"""The molecule of a SMILES, its hydrogens implicit.

    Args:
        smiles: The SMILES.
        called: What has it, for messages. (default: :obj:`"template"`)

    Raises:
        ValueError: If it is no SMILES of a molecule.
    """
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles.strip(), sanitize=False)
    if mol is None or not mol.GetNumAtoms():
        raise ValueError(f'{called}: RDKit cannot read the SMILES {smiles!r}')
    try:
        mol = sanitized(mol)
        mol, _ = without_hydrogens(mol)
        Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
        return described(without_exchangeable_stereo(mol))
    except Rejected as error:
        raise ValueError(f'{called}: {smiles!r}: {error}') from None


def _maps(record: Skeleton, template: Molecule) -> list[list[int]]:
    """All ways to lay the record on the template, as atoms of the record."""
    query, target = (
        skeleton_mol(
            z,
            bonds,
            [_label(*pair, record.tells) for pair in zip(z, hs, strict=True)],
        )
        for z, bonds, hs in (
            (
                [z for z, _, _ in template.atoms],
                [bond[:2] for bond in template.bonds],
                [hydrogens for _, _, hydrogens in template.atoms],
            ),
            (record.atomic_numbers, record.bonds, record.hydrogens),
        )
    )
    # Canonical, so that no search is started that could take for ever.
    if Chem.MolToSmiles(query) != Chem.MolToSmiles(target):
        return []
    found = target.GetSubstructMatches(
        query, uniquify=False, maxMatches=MAX_MATCHES
    )
    return [list(f) for f in found if _agree(f, record, template)]


def _by_order(maps: list[list[int]], template: Molecule) -> list[list[int]]:
    """The ways that keep an order of the template first."""
    orders = _orders(template)
    return sorted(maps, key=lambda found: (found not in orders, found))


def _orders(template: Molecule) -> list[list[int]]:
    """A record in the order of the template, and in that of its SMILES."""
    order = np.argsort(template.order).tolist()
    return [list(range(len(order))), order]


def _label(z: int, hydrogens: int, tells: str) -> int:
    """An isotope for atoms whose hydrogens are known."""
    known = tells == 'all' or (tells == 'polar' and z != 6)
    return hydrogens + 1 if known else 0


def _agree(found: Sequence[int], record: Skeleton, template: Molecule) -> bool:
    """Whether a match has the orders and charges that are trusted."""
    for i, j, kind in template.bonds:
        ends = (min(found[i], found[j]), max(found[i], found[j]))
        told = record.orders.get(ends, kind)
        # An aromatic bond may be written as a single or a double one.
        if told != kind and (4 not in (told, kind) or 3 in (told, kind)):
            return False
    return all(
        record.charges.get(theirs, charge) == charge
        for theirs, (_, charge, _) in zip(found, template.atoms, strict=True)
    )


def _in_order_of_record(template: Molecule, found: Sequence[int]) -> list[int]:
    hydrogens = [0] * len(found)
    for mine, theirs in enumerate(found):
        hydrogens[theirs] = template.atoms[mine][2]
    return hydrogens


def _difference(record: Skeleton, template: Molecule) -> str:
    got = (len(record.atomic_numbers), len(record.bonds))
    expected = (len(template.atoms), len(template.bonds))
    if got != expected:
        return (
            f'{got[0]} heavy atoms and {got[1]} bonds, expected '
            f'{expected[0]} and {expected[1]} of {template.smiles}'
        )
    if sorted(record.atomic_numbers) != sorted(a[0] for a in template.atoms):
        return f'its elements are not those of {template.smiles}'
    return (
        f'its graph, bond orders or charges are not those of {template.smiles}'
    )
