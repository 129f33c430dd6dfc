"""A molecule as another reader has it, compared with a pose of ours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rdkit import Chem

from pyg_multipose.io import DockedPoses

#: Two readers have an atom at one place, in Angstrom.
NEAR = 2e-3
#: Orders of bonds as pose sets have them.
ORDERS = {
    Chem.BondType.SINGLE: 1,
    Chem.BondType.DOUBLE: 2,
    Chem.BondType.TRIPLE: 3,
    Chem.BondType.AROMATIC: 4,
}


@dataclass(frozen=True, eq=False)
class Heavy:
    r"""Heavy atoms and their bonds.

    Args:
        pos: Positions in Angstrom, shape :obj:`[num_atoms, 3]`.
        atoms: Atomic number, formal charge and number of hydrogens of each.
        bonds: The order of the bond of two atoms.
        smiles: The canonical SMILES, without hydrogens and isotopes.
    """

    pos: np.ndarray
    atoms: list[tuple[int, int, int]]
    bonds: dict[frozenset[int], int]
    smiles: str


def of_pose(poses: DockedPoses, item: int, number: int) -> Heavy:
    r"""A pose of ours.

    Args:
        poses: What was read.
        item: The number of the set.
        number: The number of the pose in it.
    """
    pose = poses[item].ligands()[number]
    atoms = zip(
        pose.z.tolist(),
        pose.formal_charge.tolist(),
        pose.num_hydrogens.tolist(),
        strict=True,
    )
    ends = pose.bond_index.t().tolist()
    bonds = dict(
        zip(map(frozenset, ends), pose.bond_type.tolist(), strict=True)
    )
    mol = Chem.MolFromSmiles(poses.smiles[item])
    return Heavy(
        pose.pos.double().numpy(), list(atoms), bonds, Chem.MolToSmiles(mol)
    )


def of_rdkit(mol: Chem.Mol) -> Heavy:
    r"""A molecule of RDKit, its stereochemistry taken from coordinates.

    Args:
        mol: The molecule, sanitized, with one conformer.
    """
    heavy = [a for a in mol.GetAtoms() if a.GetAtomicNum() != 1]
    row = {atom.GetIdx(): i for i, atom in enumerate(heavy)}
    pos = mol.GetConformer().GetPositions()
    atoms = [
        (
            atom.GetAtomicNum(),
            atom.GetFormalCharge(),
            atom.GetTotalNumHs(includeNeighbors=True),
        )
        for atom in heavy
    ]
    bonds = {}
    for bond in mol.GetBonds():
        ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if ends[0] in row and ends[1] in row:
            order = ORDERS.get(bond.GetBondType(), 0)
            bonds[frozenset(row[end] for end in ends)] = order
    return Heavy(pos[list(row)], atoms, bonds, smiles_of(mol))


def settled(mol: Chem.Mol) -> Chem.Mol | None:
    r"""The molecule without marks that leave a double bond open, or None.

    A molecule without such a mark is :obj:`None`, as nothing changes.

    Args:
        mol: The molecule.
    """
    mol = Chem.Mol(mol)
    marked = [
        bond
        for bond in mol.GetBonds()
        if bond.GetBondDir() == Chem.BondDir.EITHERDOUBLE
        or bond.GetStereo() == Chem.BondStereo.STEREOANY
    ]
    for bond in marked:
        bond.SetBondDir(Chem.BondDir.NONE)
        bond.SetStereo(Chem.BondStereo.STEREONONE)
    return mol if marked else None


def smiles_of(mol: Chem.Mol) -> str:
    r"""The canonical SMILES, its stereochemistry that of the coordinates.

    Args:
        mol: The molecule.
    """
    mol = Chem.Mol(mol)
    for atom in mol.GetAtoms():
        atom.SetIsotope(0)
        atom.SetAtomMapNum(0)
    Chem.AssignStereochemistryFrom3D(mol)
    mol = Chem.RemoveAllHs(mol)
    for atom in mol.GetAtoms():
        # It inverts, so no reading of ours has its stereochemistry.
        if atom.GetAtomicNum() == 7 and atom.GetTotalNumHs():
            atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    again = Chem.MolFromSmiles(Chem.MolToSmiles(mol))
    return Chem.MolToSmiles(mol if again is None else again)


def difference(ours: Heavy, theirs: Heavy) -> str:
    r"""What differs first, or an empty text.

    Args:
        ours: A pose of ours.
        theirs: The same record by another reader.
    """
    if len(ours.atoms) != len(theirs.atoms):
        return f'{len(ours.atoms)} heavy atoms, theirs {len(theirs.atoms)}'
    apart = np.linalg.norm(ours.pos[:, None] - theirs.pos[None], axis=2)
    found = apart.argmin(axis=1).tolist()
    if len(set(found)) < len(found) or apart.min(axis=1).max() > NEAR:
        return 'coordinates'
    matched = [theirs.atoms[row] for row in found]
    for column, name in enumerate(('elements', 'charges', 'hydrogens')):
        if any(
            one[column] != other[column]
            for one, other in zip(ours.atoms, matched, strict=True)
        ):
            return name
    bonds = {
        frozenset(found[end] for end in ends): order
        for ends, order in ours.bonds.items()
    }
    if bonds != theirs.bonds:
        return (
            'bonds' if bonds.keys() != theirs.bonds.keys() else 'bond orders'
        )
    if ours.smiles != theirs.smiles:
        return 'stereochemistry'
    return ''
