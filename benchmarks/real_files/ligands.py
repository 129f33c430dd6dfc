"""Ligands of real files: read here and by RDKit, record by record."""

from __future__ import annotations

import gzip
import re
import warnings
from collections.abc import Callable
from pathlib import Path

from rdkit import Chem

from benchmarks.real_files.findings import Outcome, Section
from benchmarks.real_files.molecules import (
    Heavy,
    difference,
    of_pose,
    of_rdkit,
    settled,
    smiles_of,
)
from pyg_multipose.io import DockedPoses, Row, read_poses

#: The records of a file by another reader, None where it refuses one.
Theirs = list[Chem.Mol | None]
#: Reads a file; None if the other reader is not at hand.
Reader = Callable[[Path], Theirs | None]
_MOLECULE = re.compile(r'(?m)^(?=@<TRIPOS>MOLECULE)')


def by_rdkit(path: Path) -> Theirs:
    r"""All records of an SDF, MOL or MOL2 file by RDKit.

    Args:
        path: The file.
    """
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == '.gz' else data
    text = data.decode(errors='replace')
    if '.mol2' in path.suffixes:
        blocks = _MOLECULE.split(text)
        return [
            Chem.MolFromMol2Block(block, removeHs=False)
            for block in blocks
            if block.startswith('@<TRIPOS>MOLECULE')
        ]
    found = Chem.SDMolSupplier()
    found.SetData(text, removeHs=False)
    return list(found)


def read(path: Path) -> DockedPoses:
    r"""A file of ours: by titles, or as one set where a title is empty.

    Args:
        path: The file.
    """
    with warnings.catch_warnings():
        # What they say is in the report, which is counted.
        warnings.simplefilter('ignore', UserWarning)
        if {'.pdbqt', '.dlg'} & set(path.suffixes):
            return read_poses(path, progress=False)
        poses = read_poses(path, group_by='title', progress=False)
        if 'empty title' in poses.report.reasons():
            return read_poses(path, group_by='file', progress=False)
        return poses


def compare(section: Section, path: Path, shown: str, reader: Reader) -> None:
    r"""Reads a file in both ways, and adds what was found.

    Args:
        section: Where to add it.
        path: The file.
        shown: How to call it.
        reader: The other reader.
    """
    poses = read(path)
    report = poses.report
    section.files += 1
    section.seen += report.num_seen
    section.kept += report.num_kept
    for row in report.rows:
        if row.kind == 'flagged':
            section.flagged[row.reason] += 1
        elif row.record is None:
            section.refused[row.reason] += 1
        else:
            section.dropped[row.reason] += 1
    theirs = reader(path)
    if theirs is None:
        for number in range(1, report.num_seen + 1):
            where = f'{shown}, record {number}'
            section.add(where, ('not comparable', 'no other reader at hand'))
        return
    if len(theirs) != report.num_seen:
        why = f'{report.num_seen} records, theirs {len(theirs)}'
        section.add(shown, ('unexplained', why))
        return
    places = {
        record: (item, number)
        for item, records in enumerate(poses.records)
        for number, (_, record) in enumerate(records)
    }
    left_out = {row.record: row for row in report.dropped}
    for number, mol in enumerate(theirs, 1):
        where = f'{shown}, record {number}'
        if number in places:
            ours = of_pose(poses, *places[number])
            section.add(where, of_kept(ours, mol))
        else:
            row = left_out[number]
            section.add(where, of_dropped(row, mol, poses))


def of_kept(ours: Heavy, mol: Chem.Mol | None) -> tuple[Outcome, str]:
    r"""Compares a record that was kept.

    Args:
        ours: The pose.
        mol: The molecule of the other reader.
    """
    if mol is None:
        return 'unexplained', f'theirs refuses it, ours is {ours.smiles}'
    other = of_rdkit(mol)
    what = difference(ours, other)
    if not what:
        return 'same', ''
    without = settled(mol)
    if what == 'stereochemistry' and without is not None:
        if not difference(ours, of_rdkit(without)):
            return 'ours', (
                'a double bond is marked as either: theirs leaves it open, '
                'in ours coordinates tell'
            )
    return 'unexplained', f'{what}: {ours.smiles}, theirs {other.smiles}'


def of_dropped(
    row: Row, mol: Chem.Mol | None, poses: DockedPoses
) -> tuple[Outcome, str]:
    r"""Looks whether the other reader bears out why a record was dropped.

    Args:
        row: Why it was dropped.
        mol: The molecule of the other reader.
        poses: All that was kept of the file.
    """
    reason = row.reason
    if mol is None:
        return 'same', f'refused by both: {reason}'
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    if reason.startswith('placeholder atom') and 0 in numbers:
        return 'ours', 'theirs has an atom without an element'
    if reason == 'no 3-D coordinates':
        if not mol.GetConformer().GetPositions()[:, 2].any():
            return 'ours', 'theirs takes a flat drawing for a pose'
    if reason == 'hydrogens are missing' and 1 not in numbers:
        return 'not comparable', (
            'no hydrogens and no charges in the MOL2: theirs fills valences, '
            'ours asks for a template'
        )
    if (
        reason == 'several ligands in one model'
        and len(Chem.GetMolFrags(mol)) > 1
    ):
        return 'not comparable', (
            'two ligands in one model: theirs makes two molecules, ours '
            'refuses one score for both'
        )
    if reason.startswith('another') and reason.endswith('under one id'):
        if smiles_of(mol) not in poses.smiles:
            return 'same', f'both: {reason}'
    return 'unexplained', f'{reason} ({row.detail}), theirs {smiles_of(mol)}'
