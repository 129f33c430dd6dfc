r"""Writes the file that :class:`MproMoonshot` reads, from its source files.

.. code-block:: bash

    python -m pyg_multipose.datasets.build_mpro_moonshot SOURCE_DIR

:obj:`SOURCE_DIR` holds :obj:`activity.csv`, :obj:`poses.sdf.gz`,
:obj:`receptor.pdb`, :obj:`pocket.pdb` and :obj:`crystal_ligand.sdf`.
Everything that the dataset promises is checked here, and nothing is dropped
or repaired: a source that differs is an error.
The same source gives the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections import defaultdict
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from pyg_multipose.datasets.mpro_file import (
    PATH,
    SCALE,
    SCHEMA_VERSION,
    SPLITS,
    write,
)

try:
    from rdkit import Chem
    from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles
except ImportError as error:
    raise ImportError(
        "Building the dataset needs RDKit: pip install 'pyg_multipose[io]'"
    ) from error

NUM_COMPOUNDS = 240
NUM_POSES = 1901
SPLIT_SIZES = (160, 40, 40)
NUM_CHAIN_ATOMS, NUM_POCKET_ATOMS = 2333, 487
POCKET_RADIUS = 8.0  # Angstrom, from any ligand atom of any pose
NUM_RESIDUES = 302
SPLIT_COLUMNS = {'date': 'split', 'scaffold': 'split_scaffold'}
BOND_TYPES = {
    Chem.BondType.SINGLE: 1,
    Chem.BondType.DOUBLE: 2,
    Chem.BondType.TRIPLE: 3,
    Chem.BondType.AROMATIC: 4,
}


class Molecule(NamedTuple):
    r"""A ligand: elements, and its bonds once each as (i, j, type), i < j."""

    z: tuple[int, ...]
    bonds: tuple[tuple[int, int, int], ...]


class Atom(NamedTuple):
    r"""An atom line of a PDB file; the position in units of the file."""

    name: str
    residue_name: str
    residue: int
    pos: tuple[int, ...]
    element: str


def build(source: Path) -> dict[str, np.ndarray]:
    r"""Reads and checks the source files.

    Args:
        source: The folder they are in.

    Returns:
        The arrays of the bundled file, by key.

    Raises:
        ValueError: If anything is not as the dataset promises.
    """
    rows = read_activity(source / 'activity.csv')
    records = read_poses(source / 'poses.sdf.gz')
    _check(
        set(records) == {row['compound_id'] for row in rows},
        'activity.csv and poses.sdf.gz have different compounds: '
        f'{sorted({row["compound_id"] for row in rows} ^ set(records))}',
    )
    molecules = []
    positions = []
    scores = []
    scaffolds = []
    for row in rows:
        # By name: that the two files are in one order is not relied on.
        poses = records[row['compound_id']]
        molecule, pos = compound(row, poses)
        molecules.append(molecule)
        positions.append(pos)
        scores.append([_number(pose, 'vina_score') for pose in poses])
        scaffolds.append(MurckoScaffoldSmiles(row['smiles']))
    _check(sum(map(len, scores)) == NUM_POSES, f'expected {NUM_POSES} poses')
    check_splits(rows, scaffolds)

    crystal_name, crystal_pos = read_crystal(
        source / 'crystal_ligand.sdf', rows
    )
    pose_pos = np.concatenate([pos.reshape(-1, 3) for pos in positions])
    chain = read_pdb(source / 'receptor.pdb', NUM_CHAIN_ATOMS)
    pocket = pocket_rows(
        chain,
        read_pdb(source / 'pocket.pdb', NUM_POCKET_ATOMS),
        np.concatenate([pose_pos, crystal_pos]),
    )
    bonds = [bond for molecule in molecules for bond in molecule.bonds]
    arrays = {
        'schema_version': np.array(SCHEMA_VERSION),
        'name': np.array([row['compound_id'] for row in rows]),
        'smiles': np.array([row['smiles'] for row in rows]),
        'scaffold': np.array(scaffolds),
        'date': np.array([row['date'] for row in rows]),
        'pic50': np.array([float(row['pIC50']) for row in rows]),
        'pic50_std': np.array(
            [float(row['pIC50_sd'] or 'nan') for row in rows]
        ),
        'num_measurements': _small(
            [int(row['n_measurements']) for row in rows], np.int16
        ),
        'num_atoms': _small([len(m.z) for m in molecules], np.int16),
        'num_bonds': _small([len(m.bonds) for m in molecules], np.int16),
        'num_poses': _small([len(score) for score in scores], np.int16),
        'z': _small([z for m in molecules for z in m.z], np.uint8),
        'bond': _small([bond[:2] for bond in bonds], np.uint8).T,
        'bond_type': _small([bond[2] for bond in bonds], np.uint8),
        'pose_pos': pose_pos,
        'vina_score': _thousandths(np.concatenate(scores), 'vina_score'),
        'receptor_z': _small([_z(atom.element) for atom in chain], np.uint8),
        'receptor_pos': _small([atom.pos for atom in chain], np.int32),
        'receptor_residue': _small([a.residue for a in chain], np.int16),
        'pocket': _small(pocket, np.int16),
        'crystal_name': np.array(crystal_name),
        'crystal_pos': crystal_pos,
    }
    for rule, column in SPLIT_COLUMNS.items():
        arrays[f'split_{rule}'] = _small(
            [SPLITS.index(row[column]) for row in rows], np.uint8
        )
    return arrays


def read_activity(path: Path) -> list[dict[str, str]]:
    r"""Reads the table of compounds, one row each, sorted by name."""
    with open(path, encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    _check(len(rows) == NUM_COMPOUNDS, f'{path}: {len(rows)} compounds')
    names = [row['compound_id'] for row in rows]
    _check(len(set(names)) == len(names), f'{path}: a compound is twice')
    _check(names == sorted(names), f'{path}: not sorted by compound_id')
    smiles = {row['smiles'] for row in rows}
    _check(len(smiles) == len(rows), f'{path}: a SMILES is twice')
    for row in rows:
        called = f'{path}, {row["compound_id"]}'
        count = int(row['n_measurements'])
        _check(4.0 <= float(row['pIC50']) <= 7.2, f'{called}: pIC50')
        _check(count >= 1, f'{called}: n_measurements')
        _check((count == 1) == (not row['pIC50_sd']), f'{called}: pIC50_sd')
        _check(len(row['date']) == 10, f'{called}: date')
    return rows


def read_poses(path: Path) -> dict[str, list[Chem.Mol]]:
    r"""Reads all poses, best first, by the compound they say they are of."""
    content = gzip.decompress(path.read_bytes())
    records: dict[str, list[Chem.Mol]] = defaultdict(list)
    for mol in _molecules(content, path):
        name = mol.GetProp('compound_id')
        _check(mol.GetProp('_Name') == name, f'{path}: title of {name}')
        records[name].append(mol)
    for name, poses in records.items():
        poses.sort(key=lambda mol: _number(mol, 'pose_rank'))
        ranks = [_number(mol, 'pose_rank') for mol in poses]
        scores = [_number(mol, 'vina_score') for mol in poses]
        expected = list(range(1, len(poses) + 1))
        _check(ranks == expected, f'{path}, {name}: ranks {ranks}')
        _check(scores == sorted(scores), f'{path}, {name}: scores {scores}')
    return dict(records)


def compound(
    row: Mapping[str, str], poses: Sequence[Chem.Mol]
) -> tuple[Molecule, np.ndarray]:
    r"""Checks the poses of a compound against its row and its SMILES.

    Args:
        row: The row of the compound in the table.
        poses: Its poses.

    Returns:
        The molecule, and the positions in thousandths of an Angstrom, of
        shape :obj:`[num_poses, num_atoms, 3]`.
    """
    name = row['compound_id']
    _check(len(poses) == int(row['n_poses']), f'{name}: n_poses')
    best = _number(poses[0], 'vina_score')
    _check(best == float(row['vina_best']), f'{name}: vina_best')
    reference = Chem.MolFromSmiles(row['smiles'])
    expected = describe(reference)
    smiles = Chem.MolToSmiles(reference)
    _check(len(expected.z) == int(row['n_heavy_atoms']), f'{name}: atoms')
    _check(1 not in expected.z, f'{name}: has hydrogens')
    for mol in poses:
        called = f'{name}, pose {mol.GetProp("pose_rank")}'
        _check(
            _number(mol, 'pIC50') == float(row['pIC50']), f'{called}: pIC50'
        )
        _check(describe(mol) == expected, f'{called}: atoms or bonds differ')
        # The stereocentres are those of the coordinates, not of the record.
        Chem.AssignStereochemistryFrom3D(mol)
        _check(Chem.MolToSmiles(mol) == smiles, f'{called}: not its SMILES')
    pos = [_positions(mol) for mol in poses]
    return expected, np.stack(pos)


def describe(mol: Chem.Mol) -> Molecule:
    r"""The atoms of a molecule in order, and its bonds sorted."""
    bonds = []
    for bond in mol.GetBonds():
        i, j = sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
        bonds.append((i, j, BOND_TYPES[bond.GetBondType()]))
    z = tuple(atom.GetAtomicNum() for atom in mol.GetAtoms())
    return Molecule(z, tuple(sorted(bonds)))


def check_splits(
    rows: Sequence[Mapping[str, str]], scaffolds: Sequence[str]
) -> None:
    r"""Checks the rules that the splits follow."""
    for column in SPLIT_COLUMNS.values():
        sizes = [sum(row[column] == part for row in rows) for part in SPLITS]
        _check(tuple(sizes) == SPLIT_SIZES, f'{column} has sizes {sizes}')
        parts = defaultdict(set)
        for row in rows:
            mol = Chem.MolFromSmiles(row['smiles'])
            flat = Chem.MolToSmiles(mol, isomericSmiles=False)
            parts[flat].add(row[column])
        divided = [key for key, value in parts.items() if len(value) > 1]
        _check(not divided, f'{column} divides stereoisomers {divided}')
    dates = {
        part: [row['date'] for row in rows if row['split'] == part]
        for part in SPLITS
    }
    _check(max(dates['train']) <= min(dates['valid']), 'dates of valid')
    _check(max(dates['valid']) <= min(dates['test']), 'dates of test')
    by_scaffold = defaultdict(set)
    for row, scaffold in zip(rows, scaffolds, strict=True):
        by_scaffold[scaffold].add(row['split_scaffold'])
    divided = [key for key, value in by_scaffold.items() if len(value) > 1]
    _check(not divided, f'split_scaffold divides {divided}')


def read_crystal(
    path: Path, rows: Sequence[Mapping[str, str]]
) -> tuple[str, np.ndarray]:
    r"""Reads the crystal ligand in the atom order of its compound."""
    (mol,) = _molecules(path.read_bytes(), path)
    name = mol.GetProp('compound_id')
    (smiles,) = (r['smiles'] for r in rows if r['compound_id'] == name)
    reference = Chem.MolFromSmiles(smiles)
    Chem.AssignStereochemistryFrom3D(mol)
    _check(
        Chem.MolToSmiles(mol) == Chem.MolToSmiles(reference),
        f'{path}: not the molecule of {name}',
    )
    matches = mol.GetSubstructMatches(
        reference, uniquify=False, useChirality=True
    )
    # With more than one, an RMSD would need to choose.
    _check(len(matches) == 1, f'{path}: {len(matches)} ways to match {name}')
    return name, _positions(mol)[list(matches[0])]


def read_pdb(path: Path, expected: int) -> list[Atom]:
    r"""Reads the atoms of a PDB file with heavy atoms of one chain only."""
    atoms = []
    for line in path.read_text(encoding='ascii').splitlines():
        if line.strip() in ('TER', 'END'):
            continue
        called = f"{path}: '{line}'"
        _check(line.startswith('ATOM  '), called)
        plain = line[16] == ' ' and line[21] == 'A' and line[26] == ' '
        _check(plain, f'{called}: another chain, conformation or insertion')
        fields = [line[start : start + 8] for start in (30, 38, 46)]
        # Three decimals without the point are thousandths, exactly.
        _check(all(field[4] == '.' for field in fields), called)
        atom = Atom(
            name=line[12:16].strip(),
            residue_name=line[17:20].strip(),
            residue=int(line[22:26]),
            pos=tuple(int(field.replace('.', '')) for field in fields),
            element=line[76:78].strip(),
        )
        _check(1 <= atom.residue <= NUM_RESIDUES, f'{called}: residue')
        atoms.append(atom)
    _check(len(atoms) == expected, f'{path}: {len(atoms)} atoms')
    places = {(atom.residue, atom.name) for atom in atoms}
    _check(len(places) == len(atoms), f'{path}: an atom is twice')
    order = [atom.residue for atom in atoms]
    _check(order == sorted(order), f'{path}: residues out of order')
    return atoms


def pocket_rows(
    chain: Sequence[Atom], pocket: Sequence[Atom], ligands: np.ndarray
) -> list[int]:
    r"""Finds the pocket's atoms in the chain, and checks its rule.

    Args:
        chain: The atoms of the chain.
        pocket: The atoms of the pocket.
        ligands: Positions of all ligand atoms in thousandths of an Angstrom.

    Returns:
        The row in the chain of each atom of the pocket.
    """
    number = {atom: row for row, atom in enumerate(chain)}
    missing = [atom for atom in pocket if atom not in number]
    _check(not missing, f'pocket.pdb has atoms not in the chain: {missing}')
    rows = [number[atom] for atom in pocket]
    _check(rows == sorted(rows), 'pocket.pdb is not in the order of the chain')
    pos = np.array([atom.pos for atom in chain])
    distance, _ = cKDTree(ligands).query(pos)
    near = distance <= POCKET_RADIUS * SCALE
    residues = {
        a.residue for a, is_near in zip(chain, near, strict=True) if is_near
    }
    expected = [i for i, a in enumerate(chain) if a.residue in residues]
    _check(rows == expected, f'pocket.pdb is not {POCKET_RADIUS} A of ligands')
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    r"""Builds the file from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('source', type=Path, help='folder of the source files')
    parser.add_argument('--output', type=Path, default=PATH)
    arguments = parser.parse_args(argv)
    write(build(arguments.source), arguments.output)
    size = arguments.output.stat().st_size
    print(f'{arguments.output}: {size} bytes')


def _molecules(content: bytes, path: Path) -> list[Chem.Mol]:
    supplier = Chem.ForwardSDMolSupplier(BytesIO(content), removeHs=False)
    mols = list(supplier)
    unread = [number for number, mol in enumerate(mols) if mol is None]
    _check(not unread, f'{path}: RDKit cannot read the records {unread}')
    written = sum(line == b'$$$$' for line in content.splitlines())
    _check(len(mols) == written, f'{path}: {len(mols)} of {written} read')
    return mols


def _positions(mol: Chem.Mol) -> np.ndarray:
    name = mol.GetProp('compound_id')
    return _thousandths(mol.GetConformer().GetPositions(), name)


def _thousandths(values: np.ndarray, called: str) -> np.ndarray:
    scaled = np.asarray(values) * SCALE
    lost = np.abs(scaled - scaled.round()).max()
    _check(lost < 1e-6, f'{called}: has more than three decimals')
    return scaled.round().astype(np.int32)


def _small(values: Any, dtype: Any) -> np.ndarray:
    wide = np.asarray(values, dtype=np.int64)
    narrow = wide.astype(dtype)
    _check(np.array_equal(wide, narrow), f'{np.dtype(dtype)} is too narrow')
    return narrow


def _number(mol: Chem.Mol, key: str) -> float:
    return float(mol.GetProp(key))


def _z(element: str) -> int:
    return Chem.GetPeriodicTable().GetAtomicNumber(element.capitalize())


def _check(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(f'Not the source of this dataset: {problem}')


if __name__ == '__main__':
    main()
