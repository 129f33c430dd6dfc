"""The formal charges that a MOL2 record states, in a section of their own.

Open Babel, Corina and Sybyl write them; a record without any charge has no
such section. Where there is one, RDKit assigns no charges at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyg_multipose.io.molecule.atoms import whole_number
from pyg_multipose.io.rdkit import Chem
from pyg_multipose.io.report import Rejected

#: What the section is called.
SECTION = 'UNITY_ATOM_ATTR'
#: No atom of a ligand has more.
MAX_CHARGE = 8

_CHARGE = re.compile(r'[+-]?\d{1,3}', re.ASCII)
#: Bonds that an atom without a charge has, where it is the end of an acid or
#: an amidine.
_VALENCES = {7: 3, 8: 2, 16: 2}


def stated_charges(
    lines: Sequence[str], ids: Sequence[int]
) -> tuple[dict[int, int], list[str]]:
    r"""Reads the section; atoms that it does not name have no charge.

    It has the number of an atom and how many attributes follow, then these,
    a name and a value in each line.

    Args:
        lines: The lines of the section.
        ids: The number of each atom in the record.

    Returns:
        The charge by the place of an atom, and all other attributes.

    Raises:
        Rejected: If a line cannot be read, or is about no atom.
    """
    row = {number: place for place, number in enumerate(ids)}
    charges: dict[int, int] = {}
    others: list[str] = []
    rest = list(lines)
    while rest:
        line = rest.pop(0)
        words = line.split()
        atom, count = (*map(whole_number, words), None, None)[:2]
        if len(words) != 2 or atom is None or count is None:
            raise Rejected(
                'unreadable charges',
                f'{line!r} in {SECTION}, expected the number of an atom and '
                f'that of its attributes',
            )
        if atom not in row:
            raise Rejected(
                'unreadable charges', f'{SECTION} has an atom {atom}: no such'
            )
        if count > len(rest):
            raise Rejected(
                'incomplete MOL2',
                f'{count} attributes of atom {atom} expected, got {len(rest)}',
            )
        for text in rest[:count]:
            name, _, value = text.strip().partition(' ')
            if not value:
                raise Rejected(
                    'unreadable charges',
                    f'{text!r} of atom {atom}, expected a name and a value',
                )
            if name.lower() != 'charge':
                others.append(f'{name} of atom {atom}')
                continue
            charge = _charge(value.strip(), atom)
            if charges.setdefault(row[atom], charge) != charge:
                raise Rejected(
                    'unreadable charges', f'atom {atom} has two charges'
                )
        rest = rest[count:]
    return charges, others


def with_charges(mol: Chem.Mol, charges: dict[int, int]) -> None:
    r"""Gives atoms the charges that a record states, and no others.

    The ends of an acid or an amidine, whose bonds MOL2 calls aromatic, get
    the bonds that follow.

    Args:
        mol: The molecule, not sanitized.
        charges: The charge by the place of an atom.
    """
    for atom in mol.GetAtoms():
        atom.SetFormalCharge(charges.get(atom.GetIdx(), 0))
    Chem.FastFindRings(mol)
    for bond in mol.GetBonds():
        if bond.GetBondType() != Chem.BondType.AROMATIC or bond.IsInRing():
            continue
        bond.SetIsAromatic(False)
        for end in (bond.GetBeginAtom(), bond.GetEndAtom()):
            order = _order_at(end, bond)
            if order is not None:
                bond.SetBondType(order)
                break
    for atom in mol.GetAtoms():
        atom.SetIsAromatic(
            any(
                bond.GetBondType() == Chem.BondType.AROMATIC
                for bond in atom.GetBonds()
            )
        )


def _order_at(end: Chem.Atom, bond: Chem.Bond) -> Chem.BondType | None:
    """What an atom needs, if this is its only bond of unknown order."""
    others = [b for b in end.GetBonds() if b.GetIdx() != bond.GetIdx()]
    if end.GetAtomicNum() not in _VALENCES or any(
        b.GetBondType() != Chem.BondType.SINGLE for b in others
    ):
        return None
    needed = (
        _VALENCES[end.GetAtomicNum()] + end.GetFormalCharge() - len(others)
    )
    orders = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE}
    return orders.get(needed)


def _charge(text: str, atom: int) -> int:
    if not _CHARGE.fullmatch(text) or abs(int(text)) > MAX_CHARGE:
        raise Rejected(
            'unreadable charges',
            f'atom {atom} has {text[:30]!r}, expected a whole number from '
            f'-{MAX_CHARGE} to {MAX_CHARGE}',
        )
    return int(text)
