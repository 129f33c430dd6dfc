"""The element of an atom, from its name and its residue if need be."""

from __future__ import annotations

from pyg_multipose.io.receptor.gemmi import gemmi
from pyg_multipose.io.receptor.names import is_known_in_chains, is_standard

#: Elements of standard residues; a column that tells another is wrong.
_EXPECTED = frozenset('H D C N O S P SE'.split())
#: Those of UNK besides, which is also what programs call a ligand.
_EXPECTED_UNKNOWN = _EXPECTED | frozenset('F CL BR I B SI'.split())
#: Ions in the names of CHARMM and Amber, and in others that are no symbols.
_IONS = {
    'LIT': 'Li', 'SOD': 'Na', 'POT': 'K', 'RUB': 'Rb', 'CES': 'Cs',
    'MAG': 'Mg', 'CAL': 'Ca', 'STR': 'Sr', 'BAR': 'Ba', 'CAD': 'Cd',
    'CIO': 'Na', 'IB': 'Na', 'IP': 'Na', 'IM': 'Cl',
    'CLA': 'Cl', 'CLO': 'Cl', 'CHL': 'Cl', 'FLU': 'F', 'FLO': 'F',
    'BRO': 'Br', 'IOD': 'I', 'IDO': 'I',
}  # fmt: skip
#: Residues of ions of any kind.
_ANY_ION = frozenset(('ION', 'IONS'))
#: Names of atoms, and of residues, that stand for something unknown.
_UNKNOWN = frozenset('UNX UNN UNI DUM DMY XXX'.split())
_UNKNOWN_ATOMS = _UNKNOWN | frozenset('UNK UNL DU DUMM X XX Q'.split())
#: Elements that two letters of an atom's name mean, wherever they begin.
_TWO = ('CL', 'BR', 'SE', 'FE', 'ZN', 'MG', 'MN')
#: Those that they mean only in the columns of a PDB file for two letters.
_TWO_ALIGNED = ('CU', 'CO', 'NI', 'MO', 'SI', 'AS', 'PT', 'AU', 'RU', 'LI')
#: One letter is enough for these; for others, it has to be all of the name.
_ONE = frozenset('HDCNOSPFBI')
#: The heaviest element, californium, that was ever in a crystal of a protein.
_HEAVIEST = 98
_NOT_METALS = frozenset('F CL BR I HE NE AR KR XE'.split())


def symbol(column: str, name: str, residue: str, is_alone: bool) -> str:
    r"""The element of an atom, or an empty text if nothing tells it.

    A column that tells an element is believed, unless the residue cannot
    have it: some programs write the C-alpha as calcium, the potassium
    :obj:`POT` as phosphorus, and the unknown :obj:`UNX` as uranium. Without
    one, the residue decides: :obj:`CA` is calcium in a residue :obj:`CA` of
    one atom, carbon in all others.

    Args:
        column: The element in the file, or anything else.
        name: The name of the atom, in a PDB file all four columns of it.
        residue: The name of the residue.
        is_alone: Whether the residue has no other atom.
    """
    told, residue = _element(column.strip()), residue.upper()
    letters = name.strip().upper().lstrip('0123456789\'"*')
    if is_unknown(told, letters, residue):
        return ''
    if is_standard(residue) and residue != 'UNK':
        return _of_standard(told, letters, residue)
    if told:
        is_told = residue != 'UNK' or told.upper() in _EXPECTED_UNKNOWN
        if is_told and not (is_alone and _is_renamed(letters, residue)):
            return told
    if is_alone and not is_known_in_chains(residue):
        alone = ion(letters, residue)
        if name[:1].strip():  # in the columns of two letters
            alone = alone or _of_an_ion(_uncharged(letters))
        if alone:
            return alone
    return _of_letters(letters, is_aligned=bool(name[:1].strip()))


def ion(name: str, residue: str) -> str:
    r"""The element of an atom that is alone in its residue.

    It is told by the atom and by its residue: :obj:`"I"` in :obj:`"IOD"`,
    :obj:`"Na+"` in :obj:`"CIO"`, :obj:`"POT"` in :obj:`"POT"`.

    Args:
        name: The name of the atom.
        residue: The name of the residue.

    Returns:
        The symbol of a metal, a halogen or a noble gas; an empty text if the
        residue is none.
    """
    name, residue = _uncharged(name), _uncharged(residue)
    of_atom, of_residue = _of_an_ion(name), _of_an_ion(residue)
    if residue in _IONS or residue in _ANY_ION:
        of_atom = _IONS.get(name) or of_atom
    elif not of_residue:
        return ''
    # 'MG' of chlorophyll says more than CLA, but 'C' no more than CL.
    return of_atom if len(of_atom) == 2 or not of_residue else of_residue


def is_unknown(told: str, name: str, residue: str) -> bool:
    r"""Whether an atom stands for something that nobody knows.

    Args:
        told: The element that the file tells, or an empty text. Uranium and
            deuterium are believed to be what the name begins with.
        name: The name of the atom.
        residue: The name of the residue.
    """
    atom = name.strip().upper().rstrip('0123456789')
    is_nothing = residue.upper() in _UNKNOWN or atom in _UNKNOWN_ATOMS
    return is_nothing and told.upper() in ('', 'U', 'D')


def _is_renamed(letters: str, residue: str) -> bool:
    """Whether names of a force field tell an ion, whatever a column says."""
    names = _uncharged(letters), _uncharged(residue)
    return names[0] in _IONS and (names[1] in _IONS or names[1] in _ANY_ION)


def _of_standard(told: str, letters: str, residue: str) -> str:
    if told.upper() in _EXPECTED:
        return told
    if letters.startswith('SE') and residue in ('SEC', 'CSE'):
        return 'Se'
    return _element(letters[:1]) if letters[:1] in _EXPECTED else ''


def _of_letters(letters: str, is_aligned: bool) -> str:
    rest = letters[2:].strip('0123456789+-')
    if letters.startswith(_TWO) and not rest:
        return _element(letters[:2])
    if letters.startswith(_TWO_ALIGNED) and is_aligned and not rest:
        return _element(letters[:2])
    if letters[:1] in _ONE or not letters[1:].strip('0123456789+-'):
        return _element(letters[:1])
    return ''


def _of_an_ion(text: str) -> str:
    found = _element(text)
    element = gemmi.Element(found)
    is_one = element.is_metal or found.upper() in _NOT_METALS
    return found if is_one and element.atomic_number <= _HEAVIEST else ''


def _uncharged(name: str) -> str:
    """A name without numbers and signs: 'FE2', 'CU1', 'Na+', '3CO'."""
    return name.strip().upper().strip('0123456789+-')


def _element(text: str) -> str:
    """The symbol as gemmi writes it, or an empty text if it is none."""
    found = gemmi.Element(text)
    is_one = found.atomic_number and found.name.upper() == text.upper()
    return found.name if is_one else ''
