"""The formats that poses are read from."""

from __future__ import annotations

from pyg_multipose.io.ligand.dlg import DLG
from pyg_multipose.io.ligand.format import Format
from pyg_multipose.io.ligand.maestro import Maestro
from pyg_multipose.io.ligand.mol2 import MOL2
from pyg_multipose.io.ligand.pdbqt import PDBQT
from pyg_multipose.io.ligand.sdf import SDF

#: All of them, in the order in which messages name them.
FORMATS: tuple[type[Format], ...] = (SDF, MOL2, PDBQT, DLG, Maestro)
