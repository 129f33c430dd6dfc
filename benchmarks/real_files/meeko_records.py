"""Poses as Meeko reads them; a program of its own, see :mod:`meeko`.

``python meeko_records.py FILE ...`` prints a list of mol blocks for each
file, as JSON; null where Meeko makes no molecule. It is run by its path, with
Meeko in ``PYTHONPATH``, and imports nothing of this project.
"""

from __future__ import annotations

import json
import sys

from meeko import PDBQTMolecule, RDKitMolCreate
from rdkit import Chem


def blocks(path: str) -> list[str | None]:
    """The mol block of each pose in a file.

    Args:
        path: The file, a PDBQT or a DLG.
    """
    found = PDBQTMolecule.from_file(
        path, is_dlg=path.endswith('.dlg'), skip_typing=True
    )
    count = len(found._positions)
    mols = RDKitMolCreate.from_pdbqt_mol(found)
    if not mols or None in mols:
        return [None] * count
    whole = mols[0]
    for mol in mols[1:]:
        whole = Chem.CombineMols(whole, mol)
    # The parts have a conformer for each pose; CombineMols keeps the first.
    out: list[str | None] = []
    for pose in range(count):
        places = [
            xyz
            for mol in mols
            for xyz in mol.GetConformer(pose).GetPositions().tolist()
        ]
        conformer = Chem.Conformer(len(places))
        for row, xyz in enumerate(places):
            conformer.SetAtomPosition(row, xyz)
        one = Chem.Mol(whole)
        one.RemoveAllConformers()
        one.AddConformer(conformer)
        out.append(Chem.MolToMolBlock(one))
    return out


if __name__ == '__main__':
    read: dict[str, list[str | None] | str] = {}
    for name in sys.argv[1:]:
        try:
            read[name] = blocks(name)
        except Exception as error:  # whatever a file makes it raise
            read[name] = f'{type(error).__name__}: {error}'
    json.dump(read, sys.stdout)
