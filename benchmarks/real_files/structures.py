"""Atoms of structure files by gemmi, and of PDBQT by RDKit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import gemmi
import numpy as np
from rdkit import Chem

from pyg_multipose.io import Receptor

#: The residue's chain, number, insertion code and name.
Key = tuple[str, int, str, str]
#: A position in single precision, as receptors have it.
Place = tuple[float, float, float]
#: Where the columns of a PDBQT are those of no PDB any more.
CHARGE = 66


@dataclass(frozen=True)
class Atom:
    r"""A heavy atom.

    Args:
        name: Its name.
        z: Its atomic number; 0 if it is not known.
        place: Its position.
        altloc: The letter of its location. (default: :obj:`""`)
        occupancy: How often it is there. (default: :obj:`1.0`)
    """

    name: str
    z: int
    place: Place
    altloc: str = ''
    occupancy: float = 1.0


@dataclass
class Group:
    r"""The heavy atoms of a residue.

    Args:
        in_chain: Whether it is part of a chain, to the other reader.
    """

    in_chain: bool = False
    atoms: list[Atom] = field(default_factory=list)


def by_gemmi(path: Path) -> dict[Key, Group]:
    r"""The residues of the first model of a PDB or mmCIF file.

    Args:
        path: The file.

    Raises:
        RuntimeError: If gemmi cannot read it.
    """
    try:
        found = gemmi.read_structure(str(path))
    except (ValueError, OSError) as error:
        raise RuntimeError(str(error)) from error
    found.setup_entities()
    out: dict[Key, Group] = {}
    for chain in found[0] if len(found) else ():
        for residue in chain:
            number = int(residue.seqid.num or 0)
            icode = residue.seqid.icode.strip()
            key = chain.name, number, icode, residue.name
            group = out.setdefault(key, Group())
            group.in_chain |= residue.entity_type == gemmi.EntityType.Polymer
            group.atoms += [
                Atom(
                    atom.name,
                    atom.element.atomic_number,
                    place(atom.pos.tolist()),
                    atom.altloc.strip('\0 '),
                    atom.occ,
                )
                for atom in residue
                # An element that is not known is 0.
                if not atom.element.is_hydrogen
            ]
    return out


def by_rdkit(path: Path) -> dict[Key, Group]:
    r"""The residues of a PDBQT file, read as PDB without its types.

    Args:
        path: The file.

    Raises:
        RuntimeError: If RDKit cannot read it.
    """
    lines = [_aligned(line) for line in path.read_text().splitlines()]
    mol = Chem.MolFromPDBBlock(
        '\n'.join(lines),
        sanitize=False,
        removeHs=False,
        proximityBonding=False,
    )
    if mol is None:
        raise RuntimeError('RDKit cannot read it')
    out: dict[Key, Group] = {}
    places = mol.GetConformer().GetPositions().tolist()
    for atom, xyz in zip(mol.GetAtoms(), places, strict=True):
        info = atom.GetPDBResidueInfo()
        name = info.GetResidueName().strip()
        key = (
            info.GetChainId().strip(),
            info.GetResidueNumber(),
            info.GetInsertionCode().strip(),
            name,
        )
        group = out.setdefault(key, Group())
        known = gemmi.find_tabulated_residue(name)
        group.in_chain = known.is_amino_acid() or known.is_nucleic_acid()
        if atom.GetAtomicNum() > 1:
            of = Atom(info.GetName().strip(), atom.GetAtomicNum(), place(xyz))
            group.atoms.append(of)
    return out


def _aligned(line: str) -> str:
    """A line without charge and type, its name where RDKit looks for it.

    Of a name that begins one column too early it takes two letters for the
    element: OD1 of an aspartate would be none.
    """
    line = line[:CHARGE]
    name = line[12:16].strip()
    if line.startswith('ATOM') and len(name) < 4:
        if gemmi.find_tabulated_residue(line[17:20]).is_amino_acid():
            return f'{line[:12]} {name:3}{line[16:]}'
    return line


def of_receptor(receptor: Receptor) -> dict[Key, list[Atom]]:
    r"""The residues of a receptor of ours.

    Args:
        receptor: What was read.
    """
    out: dict[Key, list[Atom]] = {}
    rows = zip(
        receptor.residue.tolist(),
        receptor.atom_names,
        receptor.z.tolist(),
        receptor.pos.tolist(),
        strict=True,
    )
    for number, name, z, xyz in rows:
        key = tuple(receptor.residues[number - 1])
        out.setdefault(key, []).append(Atom(name, z, place(xyz)))
    return out


def place(xyz: list[float]) -> Place:
    r"""A position in single precision, to a thousandth of an Angstrom.

    Args:
        xyz: The position.
    """
    x, y, z = np.asarray(xyz, np.float32).round(3).tolist()
    return x, y, z
