r"""From predicted free energies to what is measured, and back."""

from pyg_multipose.nn.affinity.cheng_prusoff import cheng_prusoff_shift
from pyg_multipose.nn.affinity.functional import (
    convert_dg,
    dg_to_pki,
    pic50_to_pki,
    pki_to_dg,
    pki_to_pic50,
)
from pyg_multipose.nn.affinity.readouts import PIC50, DeltaG, PKi

__all__ = [
    'DeltaG',
    'PIC50',
    'PKi',
    'cheng_prusoff_shift',
    'convert_dg',
    'dg_to_pki',
    'pic50_to_pki',
    'pki_to_dg',
    'pki_to_pic50',
]
