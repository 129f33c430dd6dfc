"""What names of residues in structure files mean.

gemmi's table of residues is extended by the names of programs that prepare
receptors, and of the cryoprotectants that it does not count as buffers.
"""

from __future__ import annotations

from pyg_multipose.io.receptor.gemmi import gemmi

_KINDS = gemmi.ResidueKind
_POLYMER = {
    _KINDS.AA, _KINDS.AAD, _KINDS.PAA, _KINDS.MAA, _KINDS.RNA, _KINDS.DNA
}  # fmt: skip
#: Protonation states and caps in the names of AMBER, CHARMM and GROMACS.
_VARIANTS = frozenset(
    'HID HIE HIP HSD HSE HSP HISA HISB HISD HISE HISH CYX CYM CYS2 CYSH ASH '
    'ASPP GLH GLUP LYN LSN ARN TYM ADE CYT GUA THY URA '
    'DA3 DA5 DC3 DC5 DG3 DG5 DT3 DT5 RA3 RA5 RC3 RC5 RG3 RG5 RU3 RU5'.split()
)
#: What an end of a chain is closed with.
_CAPS = frozenset('ACE NME NMA NH2 FOR'.split())
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
        gemmi.find_tabulated_residue(name).is_standard()
        or name in _VARIANTS
        or name in _CAPS
    )


def is_cap(name: str) -> bool:
    r"""Whether a residue closes an end of a chain.

    Args:
        name: The name of the residue.
    """
    return name.upper() in _CAPS


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


def _kind(name: str) -> gemmi.ResidueKind:
    return gemmi.find_tabulated_residue(name.upper()).kind
