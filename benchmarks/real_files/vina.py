"""The same poses in three formats have to be the same sets."""

from __future__ import annotations

import warnings
from pathlib import Path

from benchmarks.real_files.findings import Finding
from benchmarks.real_files.molecules import difference, of_pose
from pyg_multipose.io import DockedPoses, read_poses, read_receptor

SDF, MOL2 = 'vina_output.sdf', 'vina_output.mol2'
PDBQT = 'vina_output_ligand_*.pdbqt'
RECEPTOR = 'rec.pdb'
#: What to call the set.
NAME = 'vina_output'


def folder_of(package: Path) -> Path | None:
    r"""The folder that has the poses in all formats, if there is one.

    Args:
        package: The files of a package.
    """
    found = (path.parent for path in sorted(package.rglob(SDF)))
    return next((one for one in found if (one / MOL2).exists()), None)


def same_sets(folder: Path) -> list[Finding]:
    r"""Compares the poses of MOL2 and PDBQT with those of the SDF.

    The PDBQT files have no bonds: the SMILES of the SDF is their template.
    Hydrogens as atoms aside, everything has to be the same: the molecule,
    its atoms, bonds and stereochemistry, the places of all heavy atoms, and
    the receptor.

    Args:
        folder: Where they are.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        try:
            sdf, others = _read(folder)
        except UserWarning as told:  # such as poses outside of the receptor
            return [Finding(NAME, 'unexplained', str(told))]
    out = []
    for kind, poses in others.items():
        problem = _sets(sdf, poses)
        if problem:
            out.append(Finding(f'{NAME}, {kind}', 'unexplained', problem))
            continue
        for number in range(int(sdf.num_poses[0])):
            what = difference(
                of_pose(sdf, 0, number), of_pose(poses, 0, number)
            )
            out.append(
                Finding(
                    f'{NAME}, {kind}, pose {number + 1}',
                    'unexplained' if what else 'same',
                    what,
                )
            )
    return out


def _read(folder: Path) -> tuple[DockedPoses, dict[str, DockedPoses]]:
    receptor = read_receptor(folder / RECEPTOR)
    sdf, mol2 = (
        read_poses(folder / name, 'file', receptor=receptor, progress=False)
        for name in (SDF, MOL2)
    )
    pdbqt = read_poses(
        sorted(folder.glob(PDBQT)),
        pattern=r'(.+)_ligand_\d+',
        template={NAME: sdf.smiles[0]} if len(sdf) else None,
        receptor=receptor,
        progress=False,
    )
    return sdf, {'MOL2': mol2, 'PDBQT': pdbqt}


def _sets(sdf: DockedPoses, poses: DockedPoses) -> str:
    """What differs between sets as a whole, or an empty text."""
    for name in ('names', 'smiles'):
        one, other = getattr(sdf, name), getattr(poses, name)
        if one != other or len(one) != 1:
            return f'{name} are {other}, in the SDF {one}'
    if sdf.num_poses.tolist() != poses.num_poses.tolist():
        return f'{poses.num_poses.tolist()} poses, {sdf.num_poses.tolist()}'
    kept, dropped = poses.report.num_kept, poses.report.num_dropped
    if dropped or sdf.report.num_dropped:
        return f'{kept} poses kept, {dropped} dropped'
    return ''
