"""Which files of a package are ligands, and which are receptors."""

from __future__ import annotations

import gzip
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pyg_multipose.io.ligand.formats import FORMATS

#: What is compared with RDKit, by the end of a name.
MOLECULES = {'.sdf': 'SDF', '.sd': 'SDF', '.mol': 'MOL', '.mol2': 'MOL2'}
#: What is compared with Meeko: models of docking programs.
MODELS = {'.pdbqt': 'PDBQT', '.dlg': 'DLG'}
STRUCTURES = {
    '.pdb': 'PDB',
    '.ent': 'PDB',
    '.cif': 'mmCIF',
    '.mmcif': 'mmCIF',
}
#: Ends of names that may stand behind.
COMPRESSED = ('.gz', '.bz2')


@dataclass
class Files:
    r"""The files of a package, by what they are.

    Args:
        molecules: SDF, MOL and MOL2 files, by their kind.
        models: PDBQT and DLG files with a ligand, by their kind.
        structures: Receptors, by their kind.
        not_read: Files of these kinds in a form that is not read.
    """

    molecules: dict[str, list[Path]] = field(default_factory=dict)
    models: dict[str, list[Path]] = field(default_factory=dict)
    structures: dict[str, list[Path]] = field(default_factory=dict)
    not_read: Counter[str] = field(default_factory=Counter)

    @property
    def number(self) -> int:
        r"""How many files are to be read."""
        kinds = (self.molecules, self.models, self.structures)
        return sum(len(paths) for kind in kinds for paths in kind.values())


def files_of(folder: Path) -> Files:
    r"""Sorts the files of a folder.

    A PDBQT file is a ligand (or flexible side chains) if it has a
    :obj:`ROOT`, and else a receptor.

    Args:
        folder: The folder.
    """
    readable = {end for one in FORMATS for end in one.suffixes}
    out = Files()
    for path in sorted(folder.rglob('*')):
        name = path.name.lower()
        packed = next((end for end in COMPRESSED if name.endswith(end)), '')
        end = Path(name.removesuffix(packed)).suffix
        kinds = {**MOLECULES, **MODELS, **STRUCTURES}
        if not path.is_file() or end not in kinds:
            continue
        kind = kinds[end]
        if packed == '.bz2':
            out.not_read[f'{kind}, compressed by bzip2'] += 1
            continue
        into = out.structures
        if end in MOLECULES:
            into = out.molecules
        elif end in MODELS and (end == '.dlg' or _has_root(path)):
            into = out.models
            if end not in readable:
                out.not_read[kind] += 1
                continue
        into.setdefault(kind, []).append(path)
    return out


def _has_root(path: Path) -> bool:
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == '.gz' else data
    return any(line.startswith(b'ROOT') for line in data.splitlines())
