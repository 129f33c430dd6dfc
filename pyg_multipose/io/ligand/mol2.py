"""Molecules of a MOL2 file, with scores from comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from pyg_multipose.io.ligand.format import Format
from pyg_multipose.io.ligand.ligand import (
    Ligand,
    ligand_of,
    ligand_of_sound,
    repaired,
)
from pyg_multipose.io.ligand.record import MAX_RECORD, Record, clean_lines
from pyg_multipose.io.molecule.atoms import (
    check_count,
    check_elements,
    check_positions,
    check_symbol,
    coordinate,
    whole_number,
)
from pyg_multipose.io.molecule.molecule import Molecule, sanitized
from pyg_multipose.io.rdkit import Chem, rdBase
from pyg_multipose.io.report import Rejected
from pyg_multipose.io.source.text_file import MAX_LINE, TextFile

_MOLECULE = b'@<TRIPOS>MOLECULE'
_SECTION = re.compile(r'@<TRIPOS>(\w+)\s*')
#: What programs write where there is no title.
NO_TITLE = ('', '*****', '****')


class MOL2(Format):
    r"""MOL2, of one molecule or many."""

    name = 'mol2'
    suffixes = ('.mol2',)

    def records(self, lines: TextFile, file: str) -> Iterator[Record]:
        r"""Cuts a file at ``@<TRIPOS>MOLECULE``.

        Args:
            lines: The lines of the file.
            file: How the report calls it.
        """
        return mol2_records(lines, file)

    def ligand(self, record: Record, template: Molecule | None) -> Ligand:
        r"""The ligand of a molecule.

        Args:
            record: The record.
            template: The molecule that it is said to be, if that is known.
        """
        return parse_mol2(record.block, template)


def mol2_records(lines: TextFile, file: str) -> Iterator[Record]:
    r"""Cuts a file at ``@<TRIPOS>MOLECULE``.

    Comments between two molecules belong to the one that follows.

    Args:
        lines: The lines of the file.
        file: How the report calls it.

    Yields:
        One record after another.
    """
    number = 0
    raw: list[bytes] | None = None
    size = 0
    mine: list[bytes] = []
    pending: list[bytes] = []
    stray = 0
    for line in lines:
        if line.startswith(_MOLECULE):
            if raw is not None:
                number += 1
                yield _record(file, number, raw, mine)
            raw, size, mine, pending = [], 0, pending, []
        elif line.startswith(b'#'):
            if len(pending) < 10_000:
                pending.append(line)
        elif line.strip():
            if raw is None:
                stray += 1
                continue
            # The molecule goes on, so they were within it.
            mine, pending = mine + pending, []
            size += len(line) + 1
            if size <= MAX_RECORD + MAX_LINE:
                raw.append(line)
        elif raw is not None and len(raw) < 2:
            raw.append(line)  # an empty title
    if raw is not None:
        record = _record(file, number + 1, raw, mine)
        if lines.cut or not lines.ended:
            _check_end(record, lines)
        yield record
    elif stray:
        yield Record(
            file, 1, problem=('no molecule', 'no @<TRIPOS>MOLECULE in it')
        )


def parse_mol2(lines: Sequence[str], template: Molecule | None) -> Ligand:
    r"""The ligand of a MOL2 record.

    MOL2 states no charges: they follow from hydrogens, so that a record
    without them has none unless a template gives them.

    Args:
        lines: The lines after ``@<TRIPOS>MOLECULE``.
        template: The molecule that it is said to be, if that is known.

    Raises:
        Rejected: If it is no sound molecule with 3-D coordinates.
    """
    pos = np.array(_check(lines), dtype=np.float64)
    check_positions(pos)
    text = '\n'.join([_MOLECULE.decode(), 'x', *lines[1:], ''])
    with rdBase.BlockLogs():
        mol = Chem.MolFromMol2Block(text, sanitize=False, removeHs=False)
    if mol is None:
        raise Rejected('MOL2 cannot be parsed', 'RDKit refuses it')
    check_elements([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    got = mol.GetConformer().GetPositions()
    if got.shape != pos.shape or not np.allclose(got, pos, atol=1e-6):
        raise Rejected('MOL2 cannot be parsed', 'its columns are unusual')
    num_hydrogens = sum(a.GetAtomicNum() == 1 for a in mol.GetAtoms())
    try:
        sound = sanitized(Chem.Mol(mol))
    except Rejected:
        if num_hydrogens:
            return ligand_of(mol, template)
        sound = None
    charged = {a.GetIdx() for a in mol.GetAtoms() if a.GetFormalCharge()}
    open_carbon = sound is not None and any(
        a.GetAtomicNum() == 6 and a.GetNumRadicalElectrons()
        for a in sound.GetAtoms()
    )
    if sound is not None and not open_carbon and (
        num_hydrogens or not charged
    ):  # fmt: skip
        return ligand_of_sound(sound, template)
    if template is None:
        raise Rejected(
            'hydrogens are missing',
            'so that charges are not known, and MOL2 does not state them; a '
            'template could',
        )
    # RDKit's charges make up for the hydrogens. Where a ring has one, an
    # aromatic nitrogen cannot be told from another.
    unsure = {
        end.GetIdx()
        for bond in mol.GetBonds()
        if bond.GetBondType() == Chem.BondType.AROMATIC
        for end in (bond.GetBeginAtom(), bond.GetEndAtom())
        if end.GetAtomicNum() != 6
    }
    return repaired(mol, template, unsure | charged)


def _record(
    file: str, number: int, raw: list[bytes], comments: list[bytes]
) -> Record:
    record = Record(file, number)
    record.block = clean_lines(record, raw)
    title = record.block[0].strip() if record.block else ''
    record.title = '' if title in NO_TITLE else title
    said = ''
    for line in clean_lines(record, comments):
        name, colon, value = line.strip('# \t').partition(':')
        if colon:
            record.add_item(name.strip(), value.strip())
            if name.strip() == 'Name':
                said = value.strip()
    if said and record.title and said != record.title:
        # A comment that is not this molecule's has not its scores either.
        record.items.clear()
        record.notes.append(
            (
                'comments of another molecule',
                f"they say '{said}'; their scores were not taken",
            )
        )
    return record


def _check_end(record: Record, lines: TextFile) -> None:
    """A last line without an end may have lost some of it."""
    if record.problem is None:
        try:
            _check(record.block)
            whole = not lines.cut
        except Rejected:
            whole = False
        if not whole:
            record.problem = (
                'cut off', lines.cut or 'the file ends within this record'
            )  # fmt: skip


def _check(lines: Sequence[str]) -> list[list[float]]:
    """Checks the counts, and reads the coordinates."""
    words = lines[1].split() if len(lines) > 1 else []
    num_atoms = whole_number(words[0]) if words else None
    num_bonds = whole_number(words[1]) if len(words) > 1 else 0
    if num_atoms is None or num_bonds is None:
        raise Rejected(
            'MOL2 cannot be parsed',
            f'expected numbers of atoms and bonds, got '
            f'{lines[1] if len(lines) > 1 else ""!r}',
        )
    check_count(num_atoms, num_bonds)
    section = ''
    pos: list[list[float]] = []
    bonds = 0
    for line in lines[2:]:
        match = _SECTION.match(line)
        if match is not None:
            section = match[1].upper()
        elif section == 'ATOM' and line.strip():
            number = len(pos) + 1
            fields = line.split()
            if len(fields) < 6:
                raise Rejected('incomplete MOL2', f'atom {number}: {line!r}')
            check_symbol(fields[5].split('.')[0], number)
            pos.append([coordinate(text, number) for text in fields[2:5]])
        elif section == 'BOND' and line.strip():
            if len(line.split()) < 4:
                raise Rejected('incomplete MOL2', f'bond {bonds + 1}')
            bonds += 1
    if (len(pos), bonds) != (num_atoms, num_bonds):
        raise Rejected(
            'incomplete MOL2',
            f'{num_atoms} atoms and {num_bonds} bonds expected, got '
            f'{len(pos)} and {bonds}',
        )
    return pos
