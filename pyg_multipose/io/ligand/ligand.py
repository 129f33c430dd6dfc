"""A ligand in one pose, from a molecule as RDKit has read it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pyg_multipose.io.molecule.atoms import atoms_of
from pyg_multipose.io.molecule.graph_match import (
    Skeleton,
    has_stereo_of,
    matched,
)
from pyg_multipose.io.molecule.molecule import (
    BOND_TYPES,
    Molecule,
    described,
    flat_smiles,
    listed,
    open_atoms,
    positions,
    problem_atoms,
    sanitized,
    with_stereo_of_coordinates,
    without_hydrogens,
)
from pyg_multipose.io.molecule.same import common_map
from pyg_multipose.io.rdkit import Chem, rdBase
from pyg_multipose.io.report import Rejected

#: The reason of a record with unpaired electrons.
OPEN_VALENCES = 'open valences'


@dataclass(frozen=True, eq=False)
class Ligand:
    r"""A molecule and where its atoms are.

    Args:
        molecule: Its heavy atoms.
        pos: Their positions in Angstrom, shape :obj:`[num_atoms, 3]`.
        parents: The heavy atom of each hydrogen that the record holds.
        hydrogen_pos: The positions of these hydrogens.
        notes: What deserves a look, as (reason, detail).
    """

    molecule: Molecule
    pos: np.ndarray
    parents: tuple[int, ...] = ()
    hydrogen_pos: np.ndarray | None = None
    notes: tuple[tuple[str, str], ...] = ()


def ligand_of(mol: Chem.Mol, template: Molecule | None) -> Ligand:
    r"""The ligand of a record that states bonds, charges and hydrogens.

    Args:
        mol: As it was read, not sanitized, with a conformer.
        template: The molecule that it is said to be. It repairs a record
            whose valences or aromaticity are impossible, or whose valences
            are open; a record that is sound has to be that molecule. A
            template that states a radical admits that one, and repairs none.

    Raises:
        Rejected: If the record is not sound, or is not its template.

    Example:
        >>> from pyg_multipose.io import ligand_of, mol_of
        >>> pos = [[0.0, 0.0, 0.0], [1.4, 0.0, 0.1], [-0.5, 1.4, 0.3]]
        >>> mol = mol_of([6, 8, 9], pos, [(0, 1, 1), (0, 2, 1)])
        >>> ligand = ligand_of(mol, template=None)
        >>> ligand.molecule.smiles, ligand.pos.shape
        ('OCF', (3, 3))
    """
    try:
        sound = sanitized(Chem.Mol(mol))
    except Rejected as error:
        if template is None or error.reason not in ('valence', 'kekulization'):
            raise
        with rdBase.BlockLogs():
            found = Chem.DetectChemistryProblems(mol)
        problems = {index for one in found for index in problem_atoms(one)}
    else:
        problems = open_atoms(sound)
        if not problems or (template is not None and template.num_radicals):
            return ligand_of_sound(sound, template)
        where = f'at atoms {listed(mol, problems)}'
        if template is None:
            raise Rejected(
                OPEN_VALENCES,
                f'{where}: a radical, or hydrogens or charges were lost in a '
                f'conversion; a template repairs it, or states the radical',
            )
        # Hydrogens or charges are missing; bonds are as they are written.
        note = OPEN_VALENCES, f'{where}, repaired by the template'
        ligand = repaired(mol, template, set(), problems)
        return replace(ligand, notes=(note,))
    problems = _with_aromatic_system(mol, problems)
    return repaired(mol, template, problems, problems)


def check_radicals(
    molecule: Molecule, template: Molecule | None
) -> tuple[tuple[str, str], ...]:
    r"""Refuses a radical that no template states, whatever the format.

    Args:
        molecule: The molecule of a record.
        template: The molecule that it is said to be, if that is known.

    Returns:
        What to note about one that a template states.
    """
    if not molecule.num_radicals:
        return ()
    if template is None or not template.num_radicals:
        raise Rejected(
            OPEN_VALENCES,
            f'{molecule.smiles} is a radical, or hydrogens or charges were '
            f'lost; if it is one, a template has to state it',
        )
    return (('radical', f'{molecule.smiles}, as its template states'),)


def ligand_of_sound(mol: Chem.Mol, template: Molecule | None) -> Ligand:
    r"""The ligand of a record that RDKit could sanitize.

    Args:
        mol: Sanitized, with a conformer.
        template: The molecule that it is said to be, if that is known.
    """
    pos = positions(mol)
    is_heavy = np.array([a.GetAtomicNum() != 1 for a in atoms_of(mol)])
    heavy, parents = without_hydrogens(mol)
    with_stereo_of_coordinates(heavy)
    molecule = described(heavy)
    if template is not None:
        check_template(molecule, template)
    return Ligand(molecule, pos[is_heavy], tuple(parents), pos[~is_heavy])


def check_template(molecule: Molecule, template: Molecule) -> None:
    r"""Refuses a molecule that is not its template.

    Args:
        molecule: The molecule of a record.
        template: The template; stereochemistry it leaves open may be either,
            and what :obj:`may_differ` names.
    """
    if molecule.smiles == template.smiles:
        return
    if template.may_differ and common_map(
        template, molecule, template.may_differ
    ):
        return
    if flat_smiles(molecule) == flat_smiles(template) and has_stereo_of(
        molecule.mol, template
    ):
        return
    raise Rejected(
        f'{template.difference(molecule)} than its template',
        f'{molecule.smiles}, expected {template.smiles}',
    )


def repaired(
    mol: Chem.Mol,
    template: Molecule,
    bonds_of: set[int],
    charges_of: set[int],
) -> Ligand:
    r"""The ligand of a record whose bonds or charges come from a template.

    Args:
        mol: As it was read, not sanitized, with a conformer.
        template: The molecule that it is said to be.
        bonds_of: The atoms whose bonds the record is not trusted in.
        charges_of: The same for charges.
    """
    pos = positions(mol)
    atoms = atoms_of(mol)
    heavy = [a.GetIdx() for a in atoms if a.GetAtomicNum() != 1]
    row = {index: number for number, index in enumerate(heavy)}
    bonds: list[tuple[int, int]] = []
    orders: dict[tuple[int, int], int] = {}
    parent: dict[int, int] = {}
    for bond in mol.GetBonds():
        ends = (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
        if all(end in row for end in ends):
            i, j = sorted(row[end] for end in ends)
            bonds.append((i, j))
            kind = BOND_TYPES.get(bond.GetBondType())
            if kind is not None and not bonds_of.intersection(ends):
                orders[i, j] = kind
        elif any(end in row for end in ends):
            hydrogen, other = ends if ends[1] in row else ends[::-1]
            parent[hydrogen] = row[other]
    hydrogens = [a.GetIdx() for a in atoms if a.GetIdx() not in row]
    if not all(index in parent for index in hydrogens):
        raise Rejected('hydrogen without a parent', 'it is not bonded')
    parents = [parent[index] for index in hydrogens]
    mol, found = matched(
        skeleton_of(
            [atoms[index].GetAtomicNum() for index in heavy],
            bonds,
            pos[heavy],
            parents,
            orders,
            {
                row[index]: atoms[index].GetFormalCharge()
                for index in heavy
                if index not in charges_of
            },
        ),
        template,
    )
    # Back to the order of the record.
    order = [int(index) for index in np.argsort(found)]
    molecule = described(Chem.RenumberAtoms(mol, order))
    return Ligand(molecule, pos[heavy], tuple(parents), pos[hydrogens])


def skeleton_of(
    atomic_numbers: list[int],
    bonds: list[tuple[int, int]],
    pos: np.ndarray,
    parents: list[int],
    orders: dict[tuple[int, int], int] | None = None,
    charges: dict[int, int] | None = None,
) -> Skeleton:
    r"""What a record tells, from its heavy atoms and its hydrogens.

    A record with hydrogens on carbon has all of them, one with others has
    the polar ones.

    Args:
        atomic_numbers: As in :class:`Skeleton`.
        bonds: As in :class:`Skeleton`.
        pos: As in :class:`Skeleton`.
        parents: The heavy atom of each hydrogen.
        orders: As in :class:`Skeleton`. (default: :obj:`None`)
        charges: As in :class:`Skeleton`. (default: :obj:`None`)
    """
    hydrogens = [0] * len(atomic_numbers)
    for parent in parents:
        hydrogens[parent] += 1
    tells: Literal['all', 'polar', 'none'] = 'none'
    if parents:
        on_carbon = any(atomic_numbers[parent] == 6 for parent in parents)
        tells = 'all' if on_carbon else 'polar'
    return Skeleton(
        atomic_numbers,
        bonds,
        pos,
        hydrogens,
        tells,
        orders or {},
        charges or {},
    )


def _with_aromatic_system(mol: Chem.Mol, problems: set[int]) -> set[int]:
    """The atom at fault may be another one of the same aromatic system."""
    out, ends = set(problems), list(problems)
    while ends:
        for bond in mol.GetAtomWithIdx(ends.pop()).GetBonds():
            other = {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()} - out
            if other and bond.GetBondType() == Chem.BondType.AROMATIC:
                out |= other
                ends += other
    return out
