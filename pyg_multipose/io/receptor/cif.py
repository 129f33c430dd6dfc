"""mmCIF, its table of atoms checked before gemmi reads it."""

from __future__ import annotations

import re

from pyg_multipose.io.receptor.elements import symbol
from pyg_multipose.io.receptor.gemmi import gemmi, structure_of
from pyg_multipose.io.receptor.pdb import MAX_COORDINATE
from pyg_multipose.io.receptor.structure import Structure

_SITE = '_atom_site.'
# A standard uncertainty may follow in parentheses.
_NUMBER = re.compile(
    r'([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\(\d+\))?', re.ASCII
)
#: Without any of these gemmi reads nothing, and says nothing.
_NEEDED = ('id', 'type_symbol', 'label_alt_id', 'label_asym_id')


def parse_cif(lines: list[str], file: str) -> Structure:
    r"""Reads the lines of an mmCIF file; ids are those of the authors.

    Args:
        lines: The lines, without their ends.
        file: The name of the file, for messages.

    Raises:
        ValueError: If it is no mmCIF, has no atoms, holds several structures,
            or a coordinate is no number.
    """
    try:
        document = gemmi.cif.read_string('\n'.join(lines) + '\n')
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"'{file}' is no mmCIF, or damaged: {error}"
        ) from error
    blocks = [block for block in document if _has_atoms(block)]
    if not blocks:
        raise ValueError(
            f"'{file}' has no atoms: no table _atom_site in the blocks "
            f'{[block.name for block in document]}'
        )
    if len(blocks) > 1:
        raise ValueError(
            f"'{file}' holds the structures "
            f'{[block.name for block in blocks]}; expected one. Split it'
        )
    (block,) = blocks
    count = _check_positions(block, file)
    loop = block.find_loop(f'{_SITE}Cartn_x').get_loop()
    has = {tag.removeprefix(_SITE) for tag in loop.tags} if loop else set()
    if loop is not None:
        lacking = [f'{_SITE}{key}' for key in _NEEDED if key not in has]
        if lacking:
            loop.add_columns(lacking, '?')
    try:
        found = gemmi.make_structure_from_block(block)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"'{file}' cannot be read: {error}") from error
    mended = _mend_elements(found)
    out = structure_of(found, file, count, 'label_asym_id' in has)
    if mended:
        out.notes.append(
            (
                'elements from names',
                f'{mended} atoms have none, or an impossible one, as '
                f'type_symbol',
            )
        )
    for chain in found[0]:
        for residue in chain:
            out.label_chains.setdefault(residue.subchain, chain.name)
    lacking = [k for k in ('auth_asym_id', 'auth_seq_id') if k not in has]
    if lacking:
        out.notes.append(
            (
                'no ids of the authors',
                f'{lacking} are absent: chains and residues are called by '
                f'their label ids',
            )
        )
    return out


def _has_atoms(block: gemmi.cif.Block) -> bool:
    return len(block.find([f'{_SITE}Cartn_x'])) > 0


def _check_positions(block: gemmi.cif.Block, file: str) -> int:
    """Checks that coordinates are numbers; the number of atoms."""
    keys = ('Cartn_x', 'Cartn_y', 'Cartn_z')
    table = block.find([f'{_SITE}{key}' for key in keys])
    if not len(table):
        raise ValueError(f"'{file}': _atom_site lacks one of {keys}")
    for number, row in enumerate(table, start=1):
        for key, text in zip(keys, row, strict=True):
            match = _NUMBER.fullmatch(text)
            if match is None or abs(float(match[1])) >= MAX_COORDINATE:
                raise ValueError(
                    f"'{file}', row {number} of _atom_site: {key} is "
                    f"'{text}', expected a number in Angstrom below "
                    f'{MAX_COORDINATE}'
                )
    return len(table)


def _mend_elements(found: gemmi.Structure) -> int:
    """Fills in elements that the file does not tell; the number of them."""
    count = 0
    for model in found:
        for chain in model:
            for residue in chain:
                is_alone = len({atom.name for atom in residue}) == 1
                for atom in residue:
                    before = atom.element
                    column = before.name if before.atomic_number else ''
                    told = symbol(
                        column, f' {atom.name}', residue.name, is_alone
                    )
                    if told != column:
                        atom.element = gemmi.Element(told or 'X')
                        count += 1
    return count
