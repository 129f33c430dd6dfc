r"""Writes the file that :class:`MproMoonshot` reads, from its source files.

.. code-block:: bash

    python -m pyg_multipose.datasets.build_mpro_moonshot SOURCE_DIR

:obj:`SOURCE_DIR` holds :obj:`activity.csv`, :obj:`poses.sdf.gz`,
:obj:`receptor.pdb`, :obj:`pocket.pdb` and :obj:`crystal_ligand.sdf`.
They are read by :mod:`pyg_multipose.io`, as any docking output is.
Everything that the dataset promises is checked here, and nothing is dropped
or repaired: a source that differs is an error.
The same source gives the same bytes.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets.mpro_file import (
    PATH,
    SCALE,
    SCHEMA_VERSION,
    SPLITS,
    write,
)
from pyg_multipose.io import (
    DockedPoses,
    Labels,
    Receptor,
    Report,
    Score,
    read_labels,
    read_poses,
    read_receptor,
    scaffolds,
)
from pyg_multipose.io.molecule.graph_match import from_smiles
from pyg_multipose.io.molecule.molecule import Molecule

try:
    from rdkit import Chem
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
GROUP_BY = 'compound_id'
#: What every pose states, besides its compound.
ITEMS = (
    Score('vina_score', 'kcal/mol', higher_is_better=False),
    Score('pose_rank', '1 is best', higher_is_better=False),
    Score('pIC50', 'pK', higher_is_better=True),
)


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
    labels = read_pic50(source / 'activity.csv')
    poses = read_docked(source / 'poses.sdf.gz', rows)
    # By name: that the files are in one order is not relied on.
    pic50 = {label.ligand_id: label.pvalue for label in labels}
    sets = {pose_set.name: pose_set for pose_set in poses}
    _check(len(rows) == NUM_COMPOUNDS, f'{len(rows)} compounds')
    names = {row['compound_id'] for row in rows}
    for found in (set(sets), set(pic50)):
        _check(found == names, f'other compounds: {sorted(found ^ names)}')
    molecules = []
    positions = []
    scores = []
    for row in rows:
        pose_set = sets[row['compound_id']]
        molecule, pos = compound(row, pose_set, pic50[row['compound_id']])
        molecules.append(molecule)
        positions.append(pos)
        scores.append(_thousandths(pose_set.vina_score, 'vina_score'))
    _check(sum(map(len, scores)) == NUM_POSES, f'expected {NUM_POSES} poses')
    frameworks = scaffolds([row['smiles'] for row in rows])
    check_splits(rows, frameworks)

    crystal_name, crystal_pos = read_crystal(source)
    pose_pos = np.concatenate([pos.reshape(-1, 3) for pos in positions])
    chain = read_chain(source / 'receptor.pdb', NUM_CHAIN_ATOMS)
    pocket = pocket_rows(
        chain,
        read_chain(source / 'pocket.pdb', NUM_POCKET_ATOMS),
        np.concatenate([pose_pos, crystal_pos]),
    )
    bonds = [bond for molecule in molecules for bond in molecule.bonds]
    arrays = {
        'schema_version': np.array(SCHEMA_VERSION),
        'name': np.array([row['compound_id'] for row in rows]),
        'smiles': np.array([row['smiles'] for row in rows]),
        'scaffold': np.array(frameworks),
        'date': np.array([row['date'] for row in rows]),
        'pic50': np.array([pic50[row['compound_id']] for row in rows]),
        'pic50_std': np.array(
            [float(row['pIC50_sd'] or 'nan') for row in rows]
        ),
        'num_measurements': _small(
            [int(row['n_measurements']) for row in rows], np.int16
        ),
        'num_atoms': _small([len(m.atoms) for m in molecules], np.int16),
        'num_bonds': _small([len(m.bonds) for m in molecules], np.int16),
        'num_poses': _small([len(score) for score in scores], np.int16),
        'z': _small([z for m in molecules for z in _elements(m)], np.uint8),
        'bond': _small([bond[:2] for bond in bonds], np.uint8).T,
        'bond_type': _small([bond[2] for bond in bonds], np.uint8),
        'pose_pos': pose_pos,
        'vina_score': np.concatenate(scores),
        'receptor_z': _small(chain.z, np.uint8),
        'receptor_pos': _thousandths(chain.pos, 'receptor.pdb'),
        'receptor_residue': _small(_numbers(chain), np.int16),
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


def read_pic50(path: Path) -> Labels:
    r"""Reads the labels of the table of compounds."""
    labels = read_labels(
        path,
        columns={'ligand_id': 'compound_id', 'value': 'pIC50'},
        unit='pIC50',
        kind='IC50',
        target_id='Mpro',
    )
    _check_whole(labels.report)
    return labels


def read_docked(path: Path, rows: Sequence[Mapping[str, str]]) -> DockedPoses:
    r"""Reads all poses; each is of the SMILES of its compound."""
    poses = read_poses(
        path,
        group_by=GROUP_BY,
        template={row['compound_id']: row['smiles'] for row in rows},
        scores=ITEMS,
        features=(),
    )
    _check_whole(poses.report)
    return poses


def compound(
    row: Mapping[str, str], pose_set: PoseSet, pic50: float
) -> tuple[Molecule, np.ndarray]:
    r"""Checks the poses of a compound against its row and its SMILES.

    Args:
        row: The row of the compound in the table.
        pose_set: Its poses.
        pic50: Its label.

    Returns:
        The molecule, and the positions in thousandths of an Angstrom, of
        shape :obj:`[num_poses, num_atoms, 3]`.
    """
    name = row['compound_id']
    count = pose_set.num_poses
    _check(count == int(row['n_poses']), f'{name}: n_poses')
    ranks = pose_set.pose_rank.tolist()
    _check(ranks == list(range(1, count + 1)), f'{name}: ranks {ranks}')
    scores = pose_set.vina_score.tolist()
    _check(scores == sorted(scores), f'{name}: scores {scores}')
    best = torch.tensor(float(row['vina_best']))
    _check(best.equal(pose_set.vina_score[0]), f'{name}: vina_best')
    same = bool(pose_set.pIC50.eq(torch.tensor(pic50)).all())
    _check(same, f'{name}: pIC50 of its poses')
    # The reader has compared molecules, in any order of atoms.
    molecule = from_smiles(row['smiles'])
    pose = pose_set.pose(0)
    same = pose.z.tolist() == _elements(molecule)
    bonds = torch.stack([*pose.bond_index, pose.bond_type])
    once = bonds[:, bonds[0] < bonds[1]].t().tolist()
    same &= once == [list(bond) for bond in molecule.bonds]
    _check(same, f'{name}: not in the order of its SMILES')
    _check(len(pose.z) == int(row['n_heavy_atoms']), f'{name}: atoms')
    pos = _thousandths(pose_set.pos, name)
    return molecule, pos.reshape(count, -1, 3)


def check_splits(
    rows: Sequence[Mapping[str, str]], frameworks: Sequence[str]
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
    for row, framework in zip(rows, frameworks, strict=True):
        by_scaffold[framework].add(row['split_scaffold'])
    divided = [key for key, value in by_scaffold.items() if len(value) > 1]
    _check(not divided, f'split_scaffold divides {divided}')


def read_crystal(source: Path) -> tuple[str, np.ndarray]:
    r"""Reads the crystal ligand in the atom order of its compound."""
    path = source / 'crystal_ligand.sdf'
    # As one more pose of its compound, since those have one order of atoms.
    poses = read_poses(
        [source / 'poses.sdf.gz', path],
        group_by=GROUP_BY,
        scores=(),
        features=(),
    )
    dropped = poses.report.dropped
    _check(not dropped, f'{path}: {[str(row) for row in dropped]}')
    of_path = [
        index
        for index, records in enumerate(poses.records)
        if (path.as_posix(), 1) in records
    ]
    _check(len(of_path) == 1, f'{path}: not one ligand')
    (index,) = of_path
    pose_set = poses[index]
    _check(pose_set.num_poses > 1, f'{path}: {pose_set.name} has no poses')
    # With more than one way to match, an RMSD would need to choose.
    mol = Chem.MolFromSmiles(poses.smiles[index])
    ways = mol.GetSubstructMatches(mol, uniquify=False, useChirality=True)
    _check(len(ways) == 1, f'{path}: {len(ways)} ways to match its compound')
    crystal = pose_set.pose(pose_set.num_poses - 1)
    return pose_set.name, _thousandths(crystal.pos, str(path))


def read_chain(path: Path, expected: int) -> Receptor:
    r"""Reads a PDB file with heavy atoms of chain A only."""
    receptor = read_receptor(path)
    _check_whole(receptor.report)
    for residue in receptor.residues:
        plain = residue.chain == 'A' and not residue.insertion_code
        _check(plain, f'{path}: {residue} is of another chain, or inserted')
    numbers = [residue.number for residue in receptor.residues]
    _check(numbers == sorted(set(numbers)), f'{path}: residues out of order')
    inside = 1 <= numbers[0] and numbers[-1] <= NUM_RESIDUES
    _check(inside, f'{path}: residues {numbers[0]} to {numbers[-1]}')
    size = receptor.num_nodes
    _check(size == expected, f'{path}: {size} atoms, expected {expected}')
    return receptor


def pocket_rows(
    chain: Receptor, pocket: Receptor, ligands: np.ndarray
) -> list[int]:
    r"""Finds the pocket's atoms in the chain, and checks its rule.

    Args:
        chain: The chain.
        pocket: The pocket.
        ligands: Positions of all ligand atoms in thousandths of an Angstrom.

    Returns:
        The row in the chain of each atom of the pocket.
    """
    number = {atom: row for row, atom in enumerate(_atoms(chain))}
    missing = [atom for atom in _atoms(pocket) if atom not in number]
    _check(not missing, f'pocket.pdb has atoms not in the chain: {missing}')
    rows = [number[atom] for atom in _atoms(pocket)]
    _check(rows == sorted(rows), 'pocket.pdb is not in the order of the chain')
    pos = _thousandths(chain.pos, 'receptor.pdb')
    distance, _ = cKDTree(ligands).query(pos)
    near = torch.from_numpy(distance <= POCKET_RADIUS * SCALE)
    whole = torch.isin(chain.residue, chain.residue[near])
    expected = whole.nonzero().view(-1).tolist()
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


def _elements(molecule: Molecule) -> list[int]:
    return [number for number, _, _ in molecule.atoms]


def _numbers(receptor: Receptor) -> Tensor:
    """The number of each atom's residue, as in the file."""
    numbers = torch.tensor([0, *(r.number for r in receptor.residues)])
    return numbers[receptor.residue]


def _atoms(receptor: Receptor) -> list[tuple[Any, ...]]:
    """What an atom is called and where it is, of each atom."""
    return [
        (receptor.residues[residue - 1], name, *pos)
        for residue, name, pos in zip(
            receptor.residue.tolist(),
            receptor.atom_names,
            receptor.pos.tolist(),
            strict=True,
        )
    ]


def _thousandths(values: Tensor, called: str) -> np.ndarray:
    scaled = values.double().numpy() * SCALE
    # What single precision adds to them is far less than a fourth decimal.
    lost = np.abs(scaled - scaled.round()).max()
    _check(lost < 0.05, f'{called}: has more than three decimals')
    return scaled.round().astype(np.int32)


def _small(values: Any, dtype: Any) -> np.ndarray:
    wide = np.asarray(values, dtype=np.int64)
    narrow = wide.astype(dtype)
    _check(np.array_equal(wide, narrow), f'{np.dtype(dtype)} is too narrow')
    return narrow


def _check_whole(report: Report) -> None:
    rows = [str(row) for row in report.rows]
    _check(not rows, f'{len(rows)} things to report, the first {rows[:3]}')


def _check(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(f'Not the source of this dataset: {problem}')


if __name__ == '__main__':
    main()
