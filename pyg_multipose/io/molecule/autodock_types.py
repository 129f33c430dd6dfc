"""The atom types of AutoDock, Vina and Meeko, and the elements they mean.

A PDBQT file names types and not elements in its last column: :obj:`A` is an
aromatic carbon and :obj:`OA` an oxygen that accepts hydrogen bonds, while the
columns where a PDB file has its element hold a charge.
"""

from __future__ import annotations

import re

#: Atomic number of each type, in upper case.
_TYPES = {
    **dict.fromkeys(('H', 'HD', 'HS'), 1),
    **dict.fromkeys(('C', 'A', 'CX', 'AX'), 6),
    **dict.fromkeys(('N', 'NA', 'NS', 'NX'), 7),
    **dict.fromkeys(('O', 'OA', 'OS', 'OX'), 8),
    **dict.fromkeys(('S', 'SA', 'SX'), 16),
    'B': 5, 'F': 9, 'NE': 10, 'MG': 12, 'AL': 13, 'SI': 14, 'P': 15,
    'CL': 17, 'K': 19, 'CA': 20, 'V': 23, 'CR': 24, 'MN': 25, 'FE': 26,
    'CO': 27, 'NI': 28, 'CU': 29, 'ZN': 30, 'GA': 31, 'AS': 33, 'SE': 34,
    'BR': 35, 'SR': 38, 'MO': 42, 'RU': 44, 'RH': 45, 'PD': 46, 'AG': 47,
    'CD': 48, 'IN': 49, 'SN': 50, 'SB': 51, 'I': 53, 'XE': 54, 'CS': 55,
    'BA': 56, 'W': 0, 'PT': 78, 'AU': 79, 'HG': 80, 'TL': 81, 'PB': 82,
    'BI': 83, 'AT': 85, 'U': 92,
}  # fmt: skip
#: Places without an atom: water sites, tetrahedral zinc's charges, dummies.
_PSEUDO = re.compile(r'G\d*|W|TZ|Z|X|D[DU]')
#: The carbon at an end of the bond at which a macrocycle was cut.
_GLUE_CARBON = re.compile(r'CG\d*')


def is_pseudo(kind: str) -> bool:
    r"""Whether a type stands for a place that no atom is at.

    Args:
        kind: The type, as in columns 78 and 79 of a PDBQT file.
    """
    return _PSEUDO.fullmatch(kind.upper()) is not None


def atomic_number(kind: str) -> int | None:
    r"""The atomic number of a type, or :obj:`None` if it is not known.

    Args:
        kind: The type, as in columns 78 and 79 of a PDBQT file.
    """
    if is_pseudo(kind):
        return None
    if _GLUE_CARBON.fullmatch(kind.upper()):
        return 6
    return _TYPES.get(kind.upper()) or None
