"""Molecules: a graph of heavy atoms, its identity, and its atoms' order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pyg_multipose.io.molecule.atoms import atoms_of, bonds_of, check_elements
from pyg_multipose.io.rdkit import Chem, rdBase
from pyg_multipose.io.report import Rejected

#: The types of bonds, as the bundled dataset has them.
BOND_TYPES = {
    Chem.BondType.SINGLE: 1,
    Chem.BondType.DOUBLE: 2,
    Chem.BondType.TRIPLE: 3,
    Chem.BondType.AROMATIC: 4,
}
_REASONS = {
    'AtomValenceException': 'valence',
    'KekulizeException': 'kekulization',
    'AtomKekulizeException': 'kekulization',
}
#: Atoms that a message names.
SHOWN = 6


@dataclass(frozen=True, eq=False)
class Molecule:
    r"""A molecule without coordinates and without hydrogens of its own.

    Two records hold the same molecule if graph, formal charges, numbers of
    hydrogens and the stereochemistry of their coordinates are equal;
    isotopes are not told apart.

    Args:
        mol: As RDKit has it, without a conformer.
        smiles: Its canonical SMILES with stereochemistry.
        order: The atoms in the order of :obj:`smiles`.
        atoms: (atomic number, formal charge, number of hydrogens) by atom.
        bonds: (i, j, type) of each bond, i < j, sorted.
        may_differ: Of a template, what its records may differ from it in,
            see :mod:`pyg_multipose.io.molecule.same`.
            (default: :obj:`frozenset()`)
    """

    mol: Chem.Mol
    smiles: str
    order: tuple[int, ...]
    atoms: tuple[tuple[int, int, int], ...]
    bonds: tuple[tuple[int, int, int], ...]
    may_differ: frozenset[str] = frozenset()

    @property
    def charge(self) -> int:
        r"""The formal charge."""
        return sum(charge for _, charge, _ in self.atoms)

    @cached_property
    def num_radicals(self) -> int:
        r"""The number of unpaired electrons."""
        return sum(a.GetNumRadicalElectrons() for a in atoms_of(self.mol))

    def difference(self, other: Molecule) -> str:
        r"""How another molecule differs, or an empty text if it is this one.

        Args:
            other: The other molecule.
        """
        if self.smiles == other.smiles or self.atom_map(other) is not None:
            return ''
        flat, other_flat = flat_smiles(self), flat_smiles(other)
        if flat == other_flat:
            return 'another stereoisomer'
        if skeleton(self) != skeleton(other):
            return 'another molecule'
        if self.charge != other.charge:
            return 'another charge or protonation state'
        return 'another tautomer, valence or resonance form'

    def atom_map(self, other: Molecule) -> list[int] | None:
        r"""Which atom of another record of this molecule is which.

        Args:
            other: The molecule of the other record.

        Returns:
            For each atom here, the number of its counterpart there;
            :obj:`None` if the other is another molecule.
        """
        size = len(self.atoms)
        if len(other.atoms) != size or len(other.bonds) != len(self.bonds):
            return None
        if self.smiles == other.smiles:
            if self.atoms == other.atoms and self.bonds == other.bonds:
                return list(range(size))
            found = [0] * size
            for mine, theirs in zip(self.order, other.order, strict=True):
                found[mine] = theirs
            if self._maps_to(other, found):
                return found
        parameters: Any = Chem.SubstructMatchParameters()
        parameters.useChirality = True
        # A search between different graphs could take for ever.
        if flat_smiles(self) != flat_smiles(other):
            return None
        if not self.mol.HasSubstructMatch(other.mol, parameters):
            return None
        found = list(other.mol.GetSubstructMatch(self.mol, parameters))
        return found if found and self._maps_to(other, found) else None

    def _maps_to(self, other: Molecule, found: Sequence[int]) -> bool:
        """Whether a map of atoms keeps atoms and bonds."""
        bonds = sorted(
            (min(found[i], found[j]), max(found[i], found[j]), kind)
            for i, j, kind in self.bonds
        )
        return tuple(bonds) == other.bonds and all(
            self.atoms[mine] == other.atoms[theirs]
            for mine, theirs in enumerate(found)
        )


def sanitized(mol: Chem.Mol) -> Chem.Mol:
    r"""Sanitizes a molecule in place, and clears its isotopes.

    Args:
        mol: A molecule that was read without sanitizing.

    Raises:
        Rejected: If a valence is impossible or aromaticity cannot be
            resolved.
    """
    for atom in atoms_of(mol):
        atom.SetIsotope(0)
    try:
        with rdBase.BlockLogs():
            Chem.SanitizeMol(mol)
    except Chem.MolSanitizeException as error:
        kind = type(error).__name__
        raise Rejected(
            _REASONS.get(kind, 'sanitization'),
            f'{_trouble(mol, error)}; a template could repair it',
        ) from None
    except RuntimeError:
        # A violation of RDKit's own assumptions; its text is for its authors.
        raise Rejected(
            'sanitization', 'RDKit cannot work with its bonds and valences'
        ) from None
    return mol


def problem_atoms(problem: Any) -> tuple[int, ...]:
    r"""The atoms that RDKit finds fault with.

    Args:
        problem: One of :obj:`Chem.DetectChemistryProblems`, or the cause of
            an exception.
    """
    if hasattr(problem, 'GetAtomIndices'):
        return tuple(problem.GetAtomIndices())
    if hasattr(problem, 'GetAtomIdx'):
        return (problem.GetAtomIdx(),)
    return ()


def open_atoms(mol: Chem.Mol) -> set[int]:
    r"""The atoms with unpaired electrons: stated, or hydrogens were lost.

    Args:
        mol: A sanitized molecule.
    """
    return {a.GetIdx() for a in atoms_of(mol) if a.GetNumRadicalElectrons()}


def listed(mol: Chem.Mol, atoms: Iterable[int]) -> str:
    r"""Some atoms for a message, numbered as in the file.

    Args:
        mol: The molecule, its atoms in the order of the file.
        atoms: Their indices.
    """
    names = [
        f'{index + 1} ({mol.GetAtomWithIdx(index).GetSymbol()})'
        for index in sorted(atoms)
    ]
    more = [f'{len(names) - SHOWN} more'] if len(names) > SHOWN else []
    return ', '.join(names[:SHOWN] + more)


def without_hydrogens(mol: Chem.Mol) -> tuple[Chem.Mol, list[int]]:
    r"""Removes all hydrogens, of any isotope.

    Args:
        mol: A sanitized molecule.

    Returns:
        The molecule, and the heavy neighbour of each hydrogen removed, in
        the order of the hydrogens.

    Raises:
        Rejected: If a hydrogen has no heavy neighbour, or several.
    """
    heavy = [a.GetIdx() for a in atoms_of(mol) if a.GetAtomicNum() != 1]
    if not heavy:
        raise Rejected('no heavy atoms', 'nothing but hydrogen')
    number = {index: row for row, index in enumerate(heavy)}
    parents = []
    for atom in atoms_of(mol):
        if atom.GetAtomicNum() == 1:
            ends = [number.get(n.GetIdx()) for n in atom.GetNeighbors()]
            if len(ends) != 1 or ends[0] is None:
                raise Rejected(
                    'hydrogen without a parent',
                    f'atom {atom.GetIdx() + 1} has {len(ends)} bonds, '
                    f'expected one to a heavy atom',
                )
            parents.append(ends[0])
    if parents:
        parameters: Any = Chem.RemoveHsParameters()
        parameters.removeDefiningBondStereo = True
        parameters.removeHydrides = True
        parameters.removeIsotopes = True
        parameters.removeNontetrahedralNeighbors = True
        parameters.showWarnings = False
        with rdBase.BlockLogs():
            mol = Chem.RemoveHs(mol, parameters, sanitize=False)
        # Where aromaticity was, it still is; counts of hydrogens changed.
        sanitized(mol)
    if mol.GetNumAtoms() != len(heavy):
        raise Rejected('hydrogens', 'RDKit cannot remove them all')
    return mol, parents


def with_stereo_of_coordinates(mol: Chem.Mol) -> Chem.Mol:
    r"""Replaces the stereochemistry written in a record by that of its atoms.

    Args:
        mol: A sanitized molecule with a 3-D conformer.
    """
    for atom in atoms_of(mol):
        atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    for bond in bonds_of(mol):
        bond.SetBondDir(Chem.BondDir.NONE)
        bond.SetStereo(Chem.BondStereo.STEREONONE)
    mol.GetConformer().Set3D(True)
    with rdBase.BlockLogs():
        Chem.AssignStereochemistryFrom3D(mol)
    return without_exchangeable_stereo(mol)


def without_exchangeable_stereo(mol: Chem.Mol) -> Chem.Mol:
    r"""Clears centres that are none, in place: acids of phosphorus and such.

    The ends of P(=O)O are told apart by where the proton or the charge is
    written, and that moves. So does the proton of an ammonium, whose nitrogen
    inverts meanwhile.

    Args:
        mol: A molecule with stereochemistry.
    """
    cleared = False
    for atom in atoms_of(mol):
        if atom.GetChiralTag() == Chem.ChiralType.CHI_UNSPECIFIED:
            continue
        ends = [
            n.GetAtomicNum()
            for n in atom.GetNeighbors()
            if n.GetDegree() == 1 and n.GetAtomicNum() in (8, 16, 34)
        ]
        moves = atom.GetAtomicNum() in (15, 16, 33, 34) and len(ends) > len(
            set(ends)
        )
        if moves or (atom.GetAtomicNum() == 7 and atom.GetTotalNumHs()):
            atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
            cleared = True
    if cleared:
        Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
    return mol


def described(mol: Chem.Mol) -> Molecule:
    r"""A molecule from RDKit's.

    Args:
        mol: Sanitized, without hydrogens.
    """
    atoms = tuple(
        (a.GetAtomicNum(), a.GetFormalCharge(), a.GetTotalNumHs())
        for a in atoms_of(mol)
    )
    check_elements([z for z, _, _ in atoms])
    bonds = []
    for bond in bonds_of(mol):
        i, j = sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
        kind = BOND_TYPES.get(bond.GetBondType())
        if kind is None:
            raise Rejected(
                'bond type',
                f'{str(bond.GetBondType()).lower()} between atoms {i + 1} '
                f'and {j + 1}; expected single, double, triple or aromatic',
            )
        bonds.append((i, j, kind))
    bare = Chem.Mol(mol)
    bare.RemoveAllConformers()
    smiles = Chem.MolToSmiles(bare)
    order = tuple(bare.GetPropsAsDict(True, True)['_smilesAtomOutputOrder'])
    return Molecule(bare, smiles, order, atoms, tuple(sorted(bonds)))


def flat_smiles(molecule: Molecule) -> str:
    r"""The canonical SMILES without stereochemistry.

    Args:
        molecule: The molecule.
    """
    mol = Chem.Mol(molecule.mol)
    Chem.RemoveStereochemistry(mol)
    return Chem.MolToSmiles(mol)


def _trouble(mol: Chem.Mol, error: Chem.MolSanitizeException) -> str:
    """What is wrong, in words of the file: RDKit counts atoms from 0."""
    cause = getattr(error, 'cause', None)
    atoms = listed(mol, problem_atoms(cause))
    if not atoms:
        return ' '.join(str(error).split())
    if _REASONS.get(type(error).__name__) == 'kekulization':
        return f'the aromatic bonds of atoms {atoms} fit no double bonds'
    return f'more bonds than its charge allows at atom {atoms}'


def skeleton(molecule: Molecule) -> str:
    r"""A text for elements and neighbours alone: no orders, no charges.

    Args:
        molecule: The molecule.
    """
    bare = skeleton_mol(
        [z for z, _, _ in molecule.atoms], [b[:2] for b in molecule.bonds]
    )
    return Chem.MolToSmiles(bare)


def skeleton_mol(
    atomic_numbers: Sequence[int],
    bonds: Sequence[tuple[int, int]],
    labels: Sequence[int] | None = None,
) -> Chem.Mol:
    r"""Atoms joined by single bonds, whatever their valence.

    Args:
        atomic_numbers: The element of each atom.
        bonds: The two ends of each bond.
        labels: Atoms with different labels do not match.
            (default: :obj:`None`)
    """
    mol = Chem.RWMol()
    for row, z in enumerate(atomic_numbers):
        atom = Chem.Atom(int(z))
        atom.SetNoImplicit(True)
        if labels is not None:
            atom.SetIsotope(labels[row])
        mol.AddAtom(atom)
    for i, j in bonds:
        mol.AddBond(int(i), int(j), Chem.BondType.SINGLE)
    out = mol.GetMol()
    out.UpdatePropertyCache(strict=False)
    return out


def positions(mol: Chem.Mol) -> np.ndarray:
    r"""Positions of all atoms in Angstrom, shape :obj:`[num_atoms, 3]`.

    Args:
        mol: A molecule with a conformer.
    """
    return np.asarray(mol.GetConformer().GetPositions())
