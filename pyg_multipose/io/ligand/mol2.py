"""Molecules of a MOL2 file, with scores from comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pyg_multipose.io.ligand.format import Format
from pyg_multipose.io.ligand.ligand import (
    Ligand,
    ligand_of,
    repaired,
)
from pyg_multipose.io.ligand.mol2_charges import (
    SECTION,
    stated_charges,
    with_charges,
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
from pyg_multipose.io.molecule.molecule import (
    Molecule,
    open_atoms,
    sanitized,
)
from pyg_multipose.io.rdkit import Chem, rdBase
from pyg_multipose.io.report import Rejected
from pyg_multipose.io.source.text_file import MAX_LINE, TextFile

_MOLECULE = b'@<TRIPOS>MOLECULE'
_SECTION = re.compile(r'@<TRIPOS>(\w+)\s*')
#: Types of bonds; of any other, RDKit would leave the bond out. So it does
#: with nc, not connected.
_BONDS = ('1', '2', '3', 'am', 'ar', 'nc')
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

    Charges are those of the section :obj:`UNITY_ATOM_ATTR`. Without one, they
    follow from hydrogens, so that a record without hydrogens has none unless
    a template gives them.

    Args:
        lines: The lines after ``@<TRIPOS>MOLECULE``.
        template: The molecule that it is said to be, if that is known.

    Raises:
        Rejected: If it is no sound molecule with 3-D coordinates.
    """
    table = _check(lines)
    pos = np.array(table.pos, dtype=np.float64)
    check_positions(pos)
    mol = _parsed(table)
    check_elements([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    got = mol.GetConformer().GetPositions()
    if got.shape != pos.shape or not np.allclose(got, pos, atol=1e-6):
        raise Rejected('MOL2 cannot be parsed', 'its columns are unusual')
    if table.charges is not None:
        with_charges(mol, table.charges)
    ligand = _ligand_of(mol, table.charges is not None, template)
    if table.others:
        note = 'attributes of atoms not read', ', '.join(table.others)
        ligand = replace(ligand, notes=(*ligand.notes, note))
    return ligand


def _parsed(table: _Table) -> Chem.Mol:
    # RDKit goes by the order of atoms, and not by their numbers.
    row = {number: place for place, number in enumerate(table.ids, start=1)}
    bonds = [
        f'{number} {row[i]} {row[j]} {kind}'
        for number, (i, j, kind) in enumerate(table.bonds, start=1)
    ]
    text = '\n'.join(
        [
            *(_MOLECULE.decode(), 'x', *table.header),
            *('@<TRIPOS>ATOM', *table.atoms),
            *('@<TRIPOS>BOND', *bonds, ''),
        ]
    )
    # It tidies acids and amidines by their types, and gives up if a type is
    # elsewhere, as in a phenolate of Open Babel.
    for tidy in (True, False) if table.charges is None else (False,):
        with rdBase.BlockLogs():
            mol = Chem.MolFromMol2Block(
                text,
                sanitize=False,
                removeHs=False,
                cleanupSubstructures=tidy,
            )
        if mol is not None:
            return mol
    raise Rejected('MOL2 cannot be parsed', 'RDKit refuses it')


def _ligand_of(
    mol: Chem.Mol, has_charges: bool, template: Molecule | None
) -> Ligand:
    num_hydrogens = sum(a.GetAtomicNum() == 1 for a in mol.GetAtoms())
    try:
        sound = sanitized(Chem.Mol(mol))
    except Rejected:
        if num_hydrogens:
            return ligand_of(mol if has_charges else _neutral(mol), template)
        sound = None
    # Those of RDKit make up for hydrogens.
    charged = set() if has_charges else {
        a.GetIdx() for a in mol.GetAtoms() if a.GetFormalCharge()
    }  # fmt: skip
    is_radical = template is not None and template.num_radicals
    if sound is not None and (num_hydrogens or not charged) and (
        is_radical or not _lacks_hydrogens(sound)
    ):  # fmt: skip
        return ligand_of(mol, template)
    if template is None:
        raise Rejected(
            'hydrogens are missing',
            'so that charges are not known, unless MOL2 states them, nor '
            'which nitrogen of a ring has one; a template could tell',
        )
    # Where a ring has a hydrogen, an aromatic nitrogen cannot be told from
    # another.
    unsure = {
        end.GetIdx()
        for bond in mol.GetBonds()
        if bond.GetBondType() == Chem.BondType.AROMATIC
        for end in (bond.GetBeginAtom(), bond.GetEndAtom())
        if end.GetAtomicNum() != 6
    }
    return repaired(mol, template, unsure | charged, unsure | charged)


def _neutral(mol: Chem.Mol) -> Chem.Mol:
    """Without charges, if it is sound then; they were RDKit's own.

    It gives one to the nitrogen of a pyrrole, if its type is N.ar.
    """
    neutral = Chem.Mol(mol)
    for atom in neutral.GetAtoms():
        atom.SetFormalCharge(0)
    try:
        is_sound = not open_atoms(sanitized(Chem.Mol(neutral)))
    except Rejected:
        is_sound = False
    return neutral if is_sound else mol


def _lacks_hydrogens(mol: Chem.Mol) -> bool:
    """Whether a carbon has open valences, which MOL2 has no other word for."""
    return any(
        mol.GetAtomWithIdx(index).GetAtomicNum() == 6
        for index in open_atoms(mol)
    )


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


@dataclass
class _Table:
    """What the lines of a record say.

    Args:
        header: The lines before the first section, without the title.
        atoms: The lines of the atoms.
        ids: The number of each atom.
        pos: Their positions in Angstrom.
        bonds: (number of an atom, number of another one, type).
        charges: The charge by the place of an atom, if the record has them.
        others: Attributes of atoms that are not read.
    """

    header: list[str]
    atoms: list[str]
    ids: list[int]
    pos: list[list[float]]
    bonds: list[tuple[int, int, str]]
    charges: dict[int, int] | None
    others: list[str]


def _check(lines: Sequence[str]) -> _Table:
    """Checks the counts, and reads the table."""
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
    sections: dict[str, list[str]] = {'': [], 'ATOM': [], 'BOND': []}
    name = ''
    for line in lines[1:]:
        match = _SECTION.match(line)
        if match is not None:
            name = match[1].upper()
            sections.setdefault(name, [])
        elif line.strip():
            sections[name].append(line)
    table = _Table(sections[''], sections['ATOM'], [], [], [], None, [])
    for number, line in enumerate(table.atoms, start=1):
        fields = line.split()
        called = whole_number(fields[0])
        if len(fields) < 6 or called is None:
            raise Rejected('incomplete MOL2', f'atom {number}: {line!r}')
        check_symbol(fields[5].split('.')[0], number)
        table.ids.append(called)
        table.pos.append([coordinate(text, number) for text in fields[2:5]])
    for number, line in enumerate(sections['BOND'], start=1):
        fields = line.split()
        ends = [n for text in fields[1:3] if (n := whole_number(text))]
        if len(fields) < 4 or len(ends) < 2:
            raise Rejected('incomplete MOL2', f'bond {number}: {line!r}')
        if fields[3].lower() not in _BONDS:
            raise Rejected(
                'bond type',
                f'bond {number} has type {fields[3]!r}, expected one of '
                f'{_BONDS}',
            )
        table.bonds.append((ends[0], ends[1], fields[3].lower()))
    if (len(table.pos), len(table.bonds)) != (num_atoms, num_bonds):
        raise Rejected(
            'incomplete MOL2',
            f'{num_atoms} atoms and {num_bonds} bonds expected, got '
            f'{len(table.pos)} and {len(table.bonds)}',
        )
    if len(set(table.ids)) < num_atoms:
        raise Rejected('MOL2 cannot be parsed', 'two atoms have one number')
    strange = {
        end for i, j, _ in table.bonds for end in (i, j)
    }.difference(table.ids)  # fmt: skip
    if strange:
        raise Rejected(
            'MOL2 cannot be parsed',
            f'bonds of atoms {sorted(strange)[:5]}, which it does not have',
        )
    _check_order(table)
    if SECTION in sections:
        table.charges, table.others = stated_charges(
            sections[SECTION], table.ids
        )
    return table


def _check_order(table: _Table) -> None:
    """Refuses bonds that mean one thing by number and another by order.

    The format says that bonds are between numbers of atoms, and also that
    these are for reference only; SYBYL and RDKit go by the order of atoms.
    """
    order = list(range(1, len(table.ids) + 1))
    if table.ids == order or sorted(table.ids) != order:
        return
    row = dict(zip(table.ids, order, strict=True))
    by_order = {frozenset((i, j)) for i, j, _ in table.bonds}
    by_number = {frozenset((row[i], row[j])) for i, j, _ in table.bonds}
    if by_order != by_number:
        raise Rejected(
            'atoms are not in the order of their numbers',
            f'the first are {table.ids[:5]}, so that it cannot be told '
            f'whether bonds go by the numbers or by the order; number the '
            f'atoms from 1 on',
        )
