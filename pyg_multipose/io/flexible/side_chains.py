"""Atoms of side chains as docking programs write them, pose by pose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pyg_multipose.io.ligand.mol_block import parse_mol_block
from pyg_multipose.io.ligand.pdbqt_model import atom_type
from pyg_multipose.io.ligand.record import MAX_RECORD
from pyg_multipose.io.ligand.sdf import sdf_records
from pyg_multipose.io.molecule.atoms import MAX_COORDINATE, coordinate
from pyg_multipose.io.molecule.autodock_types import atomic_number, is_pseudo
from pyg_multipose.io.report import Rejected
from pyg_multipose.io.source.text_file import TextFile, decoded

#: Ends of names of files of side chains; each also with ``.gz``.
SUFFIXES = ('.pdb', '.ent', '.pdbqt', '.sdf', '.sd')
#: What Open Babel calls a molecule without a name.
_UNNAMED = 'UNNAMED'


@dataclass(frozen=True)
class SideAtom:
    r"""An atom of a flexible side chain.

    Args:
        chain: The chain.
        label: Number and insertion code of the residue, e.g., :obj:`"52A"`.
        residue: The name of the residue.
        name: The name of the atom.
        z: Its atomic number, 0 if it is not told; that of deuterium is 1.
        pos: Where it is in Angstrom.
    """

    chain: str
    label: str
    residue: str
    name: str
    z: int
    pos: tuple[float, float, float]

    def __str__(self) -> str:
        return f'{self.name} of {self.residue} {self.chain}/{self.label}'


@dataclass
class SideChains:
    r"""The flexible side chains of one pose.

    Args:
        atoms: Their atoms, if they have names.
        z: The atomic numbers of atoms without names, as in an SDF file.
        pos: Where these are, shape :obj:`[num_atoms, 3]`.
        title: The title of the model, or an empty text.
        problem: Why it cannot be read, as (reason, detail).
    """

    atoms: list[SideAtom] = field(default_factory=list)
    z: list[int] = field(default_factory=list)
    pos: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))
    title: str = ''
    problem: tuple[str, str] | None = None


def flexible_lines(block: Iterable[str]) -> list[str]:
    r"""The atoms of flexible residues in a model of a PDBQT file.

    Args:
        block: The lines of the model.
    """
    out = []
    inside = False
    for line in block:
        if line.startswith(('BEGIN_RES', 'END_RES')):
            inside = line.startswith('BEGIN')
        elif inside and line.startswith(('ATOM', 'HETATM')):
            out.append(line)
    return out


def side_atoms(lines: Iterable[str], is_pdbqt: bool) -> list[SideAtom]:
    r"""Reads the ATOM and HETATM lines of a PDB or PDBQT file.

    Args:
        lines: Lines; others are passed over.
        is_pdbqt: Whether the last column has types of AutoDock.

    Raises:
        Rejected: If a line is damaged.
    """
    out: list[SideAtom] = []
    for line in lines:
        if not line.startswith(('ATOM', 'HETATM')):
            continue
        name, number = line[12:16].strip(), line[22:26].strip()
        if not name or not number.lstrip('-').isdecimal():
            raise Rejected(
                'unreadable flexible residues',
                f'no name or number of a residue in {line.strip()!r}',
            )
        z = _atomic_number(line, name, is_pdbqt)
        if z is None:
            continue
        x, y, z_ = (
            coordinate(line[at : at + 8], len(out) + 1) for at in (30, 38, 46)
        )
        if max(abs(x), abs(y), abs(z_)) >= MAX_COORDINATE:
            raise Rejected(
                'unreadable flexible residues',
                f'coordinates out of range in {line.strip()!r}',
            )
        label = f'{int(number)}{line[26:27].strip()}'
        residue, chain = line[17:20].strip(), line[20:22].strip()
        out.append(SideAtom(chain, label, residue, name, z, (x, y, z_)))
    return out


def read_side_chains(path: Path) -> list[SideChains]:
    r"""Reads the file that ``--out_flex`` of smina or gnina names.

    Args:
        path: A PDB, PDBQT or SDF file, plain or gzip; one model, or record,
            for each pose.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If it cannot be read, or its name tells no format.
    """
    name = path.name.lower().removesuffix('.gz')
    suffix = Path(name).suffix
    if suffix not in SUFFIXES:
        raise ValueError(
            f"'{path}': the end of its name tells no format of flexible side "
            f'chains; expected one of {list(SUFFIXES)}, each also with .gz'
        )
    if not path.exists():
        raise FileNotFoundError(
            f"'{path}' does not exist; expected a file of flexible side chains"
        )
    lines = TextFile(path)
    try:
        if suffix in ('.sdf', '.sd'):
            out = list(_of_sdf(lines, path.as_posix()))
        else:
            out = list(_of_pdb(lines, suffix == '.pdbqt'))
    except OSError as error:
        raise ValueError(f"'{path}' cannot be read: {error}") from error
    if lines.cut:
        raise ValueError(
            f"'{path}': {lines.cut}. Which pose its models are of cannot be "
            f'told; get the whole file again'
        )
    return out


def _atomic_number(line: str, name: str, is_pdbqt: bool) -> int | None:
    """0 if it is not told, :obj:`None` for what is no atom."""
    if is_pdbqt:
        kind = atom_type(line)
        return None if is_pseudo(kind) else atomic_number(kind) or 0
    column = line[76:78].strip().upper()
    letters = column or name.lstrip('0123456789\'"*').upper()
    # Side chains have no deuterium but as hydrogen, and no mercury.
    if column in ('H', 'D') or (not column and letters[:1] in ('H', 'D')):
        return 1
    return _ELEMENTS.get(column, 0)


#: Elements of side chains by their columns in a PDB file.
_ELEMENTS = {'C': 6, 'N': 7, 'O': 8, 'S': 16, 'P': 15, 'SE': 34}


def _of_pdb(lines: TextFile, is_pdbqt: bool) -> Iterator[SideChains]:
    raw: list[str] = []
    size = 0
    inside = models = False
    for line in lines:
        text = decoded(line)[0]
        word = text[:6].strip()
        if word == 'MODEL':
            if inside or _has_atoms(raw):
                yield _model(raw, is_pdbqt, 'no ENDMDL' if inside else '')
            raw, size, inside, models = [], 0, True, True
        elif word == 'ENDMDL' or (word == 'END' and not inside):
            if inside or _has_atoms(raw):
                yield _model(raw, is_pdbqt, '')
            raw, size, inside = [], 0, False
        else:
            size += len(text) + 1
            if size <= MAX_RECORD:  # the rest would only take memory
                raw.append(text)
    if inside or _has_atoms(raw):
        problem = 'the file ends within it' if inside or models else ''
        yield _model(raw, is_pdbqt, problem)


def _model(raw: Sequence[str], is_pdbqt: bool, problem: str) -> SideChains:
    out = SideChains()
    for line in raw:
        words = line.replace('=', ' ').split()
        if line.startswith('COMPND') and len(words) > 1:
            out.title = line[10:].strip()
        elif words[:2] == ['REMARK', 'Name'] and len(words) > 2:
            out.title = ' '.join(words[2:])
    if out.title == _UNNAMED:
        out.title = ''
    try:
        if problem:
            raise Rejected('incomplete flexible residues', problem)
        out.atoms = side_atoms(raw, is_pdbqt)
    except Rejected as error:
        out.problem = (error.reason, error.detail)
    return out


def _has_atoms(raw: Sequence[str]) -> bool:
    return any(line.startswith(('ATOM', 'HETATM')) for line in raw)


def _of_sdf(lines: TextFile, file: str) -> Iterator[SideChains]:
    for record in sdf_records(lines, file):
        out = SideChains(title=record.title)
        try:
            if record.problem is not None:
                raise Rejected(*record.problem)
            mol = parse_mol_block(record.block)
        except Rejected as error:
            out.problem = (error.reason, error.detail)
        else:
            out.z = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
            out.pos = np.asarray(mol.GetConformer().GetPositions())
        yield out
