"""PDB and PDBQT, checked line by line before gemmi reads them.

gemmi takes a coordinate that is no number as 0 and stops at END; and no
library knows that the last column of PDBQT is a type and not an element. Here
every record is checked, and given its element, so that what gemmi reads is
what the file says.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable

from pyg_multipose.io.molecule.autodock_types import atomic_number, is_pseudo
from pyg_multipose.io.receptor.elements import ion, is_unknown, symbol
from pyg_multipose.io.receptor.gemmi import gemmi, structure_of
from pyg_multipose.io.receptor.names import (
    is_known_in_chains,
    is_standard,
    is_water,
)
from pyg_multipose.io.receptor.structure import Structure

#: Angstrom; what single precision keeps to a thousandth.
MAX_COORDINATE = 10_000.0

# The point has a fixed place; without it columns are shifted.
_COORDINATE = re.compile(r'[+-]?\d*\.\d*', re.ASCII)
_OCCUPANCY = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)', re.ASCII)
# Decimal, or hybrid-36 beyond 9999.
_NUMBER = re.compile(r'[+-]?\d+|[A-Za-z][0-9A-Za-z]{3}', re.ASCII)
# A bond between two residues, by the columns of their names; what of these
# lines is damaged tells nothing.
_ADDRESS = r'[ -~]{5}[ \w]{3} [ -~][ \w-]{3}\w[ A-Za-z]'
_LINK = re.compile(rf'LINK[ R] {{7}}{_ADDRESS}[ -~]{{15}}{_ADDRESS}', re.ASCII)
_LINK_LENGTH = 57
# Columns up to the last coordinate.
_LENGTH = 54

#: The element of an atom record: the line, its number, if it is alone.
_Symbol = Callable[[str, int, bool], str]


def parse_pdb(lines: list[str], file: str) -> Structure:
    r"""Reads the lines of a PDB file.

    Args:
        lines: The lines, without their ends.
        file: The name of the file, for messages.

    Raises:
        ValueError: If there are no atoms, or an atom record is damaged.
    """
    mended: Counter[str] = Counter()

    def of_columns(line: str, number: int, is_alone: bool) -> str:
        column, (residue, _) = line[76:78], _names(line)
        found = symbol(column, line[12:16], residue, is_alone)
        told = column.strip().upper()
        # A column that tells X tells as much as we do.
        if found.upper() != told and (found or told not in ('', 'X')):
            mended[f'{line[12:16].strip()} of {residue}: {found or "?"}'] += 1
        return found

    out = _parse(lines, file, of_columns)
    if mended:
        shown = ', '.join(what for what, _ in mended.most_common(5))
        out.notes.append(
            (
                'elements from names',
                f'{mended.total()} atoms have none, or an impossible one, in '
                f'columns 77 and 78: {shown}',
            )
        )
    return out


def parse_pdbqt(lines: list[str], file: str) -> Structure:
    r"""Reads the lines of the PDBQT file of a rigid receptor.

    Args:
        lines: The lines, without their ends.
        file: The name of the file, for messages.

    Raises:
        ValueError: If it is a ligand, if there are no atoms, if an atom
            record is damaged, or if the type of an atom is not known.
    """
    for number, line in enumerate(lines, start=1):
        if line.startswith(('ROOT', 'BRANCH', 'BEGIN_RES')):
            raise ValueError(
                f"'{file}', line {number} is '{line.strip()}': a ligand or "
                f'flexible side chains, expected a rigid receptor. Read '
                f'ligands by read_poses'
            )
    dummies: Counter[str] = Counter()
    kept = []
    for line in lines:
        kind = _autodock_type(line)
        if _is_atom(line) and is_pseudo(kind):
            dummies[kind] += 1
            line = ''  # lines keep their numbers
        kept.append(line)

    mended: Counter[str] = Counter()

    def of_type(line: str, number: int, is_alone: bool) -> str:
        kind = _autodock_type(line)
        z = atomic_number(kind)
        told = gemmi.Element(z).name if z else ''
        name, (residue, _) = line[12:16], _names(line)
        if is_unknown(told, name, residue):
            return ''
        if is_alone and not is_known_in_chains(residue):
            # Sodium is often NA, which is a nitrogen.
            alone = ion(name, residue)
            if alone and alone == ion(name, name):
                if told != alone:
                    mended[f'{kind} of {residue}: {alone}'] += 1
                return alone
        if z is None:
            raise ValueError(
                f"'{file}', line {number}: '{kind}' in columns 78 and 79 is "
                f'no AutoDock type of an atom, expected e.g. C, A, OA, HD or '
                f'Zn: {line.strip()!r}'
            )
        return told

    out = _parse(kept, file, of_type)
    if mended:
        shown = ', '.join(what for what, _ in mended.most_common(5))
        out.notes.append(
            (
                'elements from names',
                f'{mended.total()} ions have another one, or none, as '
                f'AutoDock type: {shown}',
            )
        )
    out.dummies = dict(dummies)
    out.num_atoms += dummies.total()
    return out


def _parse(lines: list[str], file: str, symbol_of: _Symbol) -> Structure:
    atoms = [number for number, line in enumerate(lines) if _is_atom(line)]
    if not atoms:
        kind = ''
        if any(line.startswith('data_') for line in lines[:100]):
            kind = '. It looks like mmCIF: let its name end in .cif'
        raise ValueError(f"'{file}' has no atoms, no line is ATOM{kind}")
    sizes = _sizes(lines)
    has_chains = any(lines[number][21:22].strip() for number in atoms)
    made, links, notes = [], [], []
    after_end = ended = False
    for number, line in enumerate(lines, start=1):
        if _is_atom(line):
            after_end |= ended
            where = f"'{file}', line {number}"
            _check(line, where, is_last=number == len(lines))
            is_alone = sizes[line[17:27]] == 1
            element = symbol_of(line, number, is_alone)
            made.append(_written(line, element))
        elif line[:6].strip() == 'END':
            ended = True
        elif line[:6].strip() in ('MODEL', 'ENDMDL', 'TER'):
            made.append(line)
        elif _LINK.match(line.ljust(_LINK_LENGTH)):
            links.append(line)
    if after_end:
        notes.append(('atoms after END', 'are read as well'))
    try:
        # Chains without a name are told apart by TER alone.
        found = gemmi.read_pdb_string(
            '\n'.join([*links, *made]) + '\n',
            split_chain_on_ter=not has_chains,
        )
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"'{file}' cannot be read: {error}") from error
    out = structure_of(found, file, len(atoms))
    out.notes += notes
    return out


def _is_atom(line: str) -> bool:
    return line[:4].upper() == 'ATOM' or line[:6].upper() == 'HETATM'


def _autodock_type(line: str) -> str:
    fields = line[77:].split()
    return fields[0] if fields else ''


def _sizes(lines: list[str]) -> dict[str, int]:
    """How many names each residue has, in the model that has most."""
    names: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if _is_atom(line):
            names[line[17:27]].add(line[12:16])
    return {residue: len(of_residue) for residue, of_residue in names.items()}


def _check(line: str, where: str, is_last: bool) -> None:
    if len(line.rstrip()) < _LENGTH:
        cut = ', the last of the file: it is cut off' if is_last else ''
        raise ValueError(
            f'{where}{cut}: {line.strip()!r} ends before its coordinates do. '
            f'Get the whole file again'
        )
    record = line[:_LENGTH]
    if not (record.isascii() and record.isprintable()):
        raise ValueError(
            f'{where} holds characters that no atom record has: {record!r}. '
            f'It is damaged'
        )
    if line[_LENGTH : _LENGTH + 1].strip():
        raise ValueError(
            f'{where}: column 55 is not blank, so columns are shifted: '
            f'{line.strip()!r}'
        )
    for axis, start in zip('xyz', (30, 38, 46), strict=True):
        text = line[start : start + 8].strip()
        if not _COORDINATE.fullmatch(text) or text.strip('+-') == '.':
            raise ValueError(
                f"{where}: {axis} is '{text}' in columns {start + 1} to "
                f'{start + 8}, expected a number in Angstrom: '
                f'{line.strip()!r}'
            )
        if abs(float(text)) >= MAX_COORDINATE:
            raise ValueError(
                f'{where}: {axis} is {text}, expected at most '
                f'{MAX_COORDINATE} Angstrom'
            )
    if not _NUMBER.fullmatch(line[22:26].strip()):
        raise ValueError(
            f"{where}: '{line[22:26]}' in columns 23 to 26 is no number of a "
            f'residue: {line.strip()!r}'
        )


def _names(line: str) -> tuple[str, str]:
    """The name of the residue, and the columns of the chain.

    The fourth column of a name is the first of a chain with two letters.
    """
    four = line[17:21].strip().upper()
    if len(four) == 4:
        chain = f' {line[21]}'
        if is_water(four):
            return 'HOH', chain
        if four[0] in 'NC' and is_standard(four[1:]):
            return four[1:], chain  # AMBER's ends of a chain
        if is_standard(four):
            return four[:3], chain
        if four.endswith(('+', '-')) and ion(four, four):
            return four.strip('0123456789+-'), chain  # 'MG2+'
    return line[17:20].strip(), line[20:22]


def _written(line: str, element: str) -> str:
    """The record in the columns that gemmi reads; it needs no serial."""
    record = 'ATOM  ' if line[:4].upper() == 'ATOM' else 'HETATM'
    residue, chain = _names(line)
    occupancy = line[54:60]
    if not _OCCUPANCY.fullmatch(occupancy.strip()):
        occupancy = '  1.00'
    return (
        f'{record}    1 {line[12:17]}{residue:>3}{chain}{line[22:54]}'
        f'{occupancy}  0.00          {element or "X":>2}'
    )
