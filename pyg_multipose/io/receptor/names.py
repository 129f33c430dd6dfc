"""What names of residues and atoms in structure files mean.

gemmi's table of residues is extended by the names of programs that prepare
receptors, and of the cryoprotectants that it does not count as buffers.
"""

from __future__ import annotations

import re

from pyg_multipose.io.receptor.gemmi import gemmi

_KINDS = gemmi.ResidueKind
_POLYMER = {
    _KINDS.AA, _KINDS.AAD, _KINDS.PAA, _KINDS.MAA, _KINDS.RNA, _KINDS.DNA
}  # fmt: skip
#: Protonation states and caps in the names of AMBER, CHARMM and GROMACS.
_VARIANTS = frozenset(
    'HID HIE HIP HSD HSE HSP HISA HISB HISD HISE HISH CYX CYM CYS2 CYSH ASH '
    'ASPP GLH GLUP LYN LSN ARN TYM ACE NME NMA NH2 FOR ADE CYT GUA THY URA '
    'DA3 DA5 DC3 DC5 DG3 DG5 DT3 DT5 RA3 RA5 RC3 RC5 RG3 RG5 RU3 RU5'.split()
)
_WATERS = frozenset(
    'HOH WAT DOD D2O H2O OH2 TIP TP3 TP4 TP5 TIP2 TIP3 TIP4 TIP5 SOL SPC '
    'T3P T4P'.split()
)
#: Buffers and cryoprotectants that gemmi's table has not, or not as such.
_BUFFERS = frozenset(
    'PEG PG0 PG4 PG5 PG6 1PE 2PE P33 P6G 7PE 12P 15P XPE TOE ME2 EPE MES BME '
    'DTT DTV IMD MLI MLA FLC PO4 PI 2HP H2P CO3 BCT NO2 TAM MRD SIN TEA CCN '
    'DIO PDO HEZ BU1 BU3 1BO XYL SOR GBL NHE MOPS PIN BCN'.split()
)
#: Elements of standard residues; a column that tells another is wrong.
_EXPECTED = frozenset('H D C N O S P SE'.split())
#: Elements that two letters of an atom's name mean, wherever they begin.
_TWO = ('CL', 'BR', 'SE', 'FE', 'ZN', 'MG', 'MN')
#: Those that they mean only in the columns of a PDB file for two letters.
_TWO_ALIGNED = ('CU', 'CO', 'NI', 'MO', 'SI', 'AS', 'PT', 'AU', 'RU', 'LI')


def is_water(name: str) -> bool:
    r"""Whether a residue is water.

    Args:
        name: The name of the residue.
    """
    return name.upper() in _WATERS


def is_buffer(name: str) -> bool:
    r"""Whether a residue comes from the buffer or the cryoprotectant.

    Args:
        name: The name of the residue.
    """
    return name.upper() in _BUFFERS or _kind(name) == _KINDS.BUF


def is_standard(name: str) -> bool:
    r"""Whether a residue is one of a chain, in the name of some program.

    Args:
        name: The name of the residue.
    """
    name = name.upper()
    return (
        gemmi.find_tabulated_residue(name).is_standard() or name in _VARIANTS
    )


def is_known_in_chains(name: str) -> bool:
    r"""Whether a residue is a standard or a modified one of a chain.

    Args:
        name: The name of the residue.
    """
    return is_standard(name) or _kind(name) in _POLYMER


def is_metal(z: int) -> bool:
    r"""Whether an element is a metal.

    Args:
        z: Its atomic number.
    """
    return gemmi.Element(z).is_metal


def symbol(column: str, name: str, residue: str, is_alone: bool) -> str:
    r"""The element of an atom, or an empty text if nothing tells it.

    A column that tells an element is believed, unless a standard residue
    cannot have it (some programs write the C-alpha as calcium). Without one,
    the residue decides: :obj:`CA` is calcium in a residue :obj:`CA` of one
    atom, carbon in all others.

    Args:
        column: The element in the file, or anything else.
        name: The name of the atom, in a PDB file all four columns of it.
        residue: The name of the residue.
        is_alone: Whether the residue has no other atom.
    """
    told, residue = _element(column.strip()), residue.upper()
    standard = is_standard(residue)
    if told and (told.upper() in _EXPECTED or not standard):
        return told
    letters = name.strip().upper().lstrip('0123456789\'"*')
    if standard:
        if letters.startswith('SE') and residue in ('SEC', 'CSE'):
            return 'Se'
        return _element(letters[:1])
    if is_alone:
        # 'FE2', 'CU1', and 'IOD' in the name of the residue, not the atom.
        alone = _element(re.sub(r'[\d+-]+$', '', residue))
        alone = alone or _element(re.sub(r'[\d+-]+$', '', letters))
        if alone:
            return alone
    rest = letters[2:].strip('0123456789')
    if letters.startswith(_TWO) and not rest:
        return _element(letters[:2])
    if letters.startswith(_TWO_ALIGNED) and name[:1].strip() and not rest:
        return _element(letters[:2])
    return _element(letters[:1])


def _kind(name: str) -> gemmi.ResidueKind:
    return gemmi.find_tabulated_residue(name.upper()).kind


def _element(text: str) -> str:
    """The symbol as gemmi writes it, or an empty text if it is none."""
    found = gemmi.Element(text)
    is_one = found.atomic_number and found.name.upper() == text.upper()
    return found.name if is_one else ''
