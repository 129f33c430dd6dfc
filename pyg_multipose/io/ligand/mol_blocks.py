"""The ligand of a mol block; blocks that differ in coordinates are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pyg_multipose.io.ligand.ligand import Ligand, ligand_of
from pyg_multipose.io.ligand.mol_block import (
    parse_mol_block,
    read_positions,
    without_positions,
)
from pyg_multipose.io.molecule.atoms import atoms_of
from pyg_multipose.io.molecule.graph_match import placed
from pyg_multipose.io.molecule.molecule import Molecule
from pyg_multipose.io.rdkit import Chem

#: Molecules that are remembered; the poses of one mostly stand together.
MAX_KNOWN = 256


@dataclass(frozen=True, eq=False)
class _Known:
    """What blocks with one text have in common."""

    ligand: Ligand
    is_heavy: np.ndarray
    has_stereo: bool


class MolBlocks:
    r"""Turns mol blocks into ligands.

    RDKit parses a block if it is the first with its atoms and bonds. For the
    others, which most poses are, coordinates and the stereochemistry that
    they have are all that can differ.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Known] = {}

    def ligand(
        self, lines: Sequence[str], template: Molecule | None
    ) -> Ligand:
        r"""The ligand of a block.

        Args:
            lines: The lines from the counts line to ``M  END``.
            template: The molecule that it is said to be, if that is known.

        Raises:
            Rejected: If it is no sound pose of that molecule.
        """
        key = without_positions(lines), template.smiles if template else ''
        known = self._known.get(key)
        if known is not None:
            pos = read_positions(lines)
            heavy = pos[known.is_heavy]
            molecule = known.ligand.molecule
            if not known.has_stereo or (
                Chem.MolToSmiles(placed(molecule, heavy)) == molecule.smiles
            ):
                return replace(
                    known.ligand,
                    pos=heavy,
                    hydrogen_pos=pos[~known.is_heavy],
                )
        mol = parse_mol_block(lines)
        ligand = ligand_of(mol, template)
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            z = np.array([atom.GetAtomicNum() for atom in atoms_of(mol)])
            stereo = Chem.FindPotentialStereo(ligand.molecule.mol)
            self._known[key] = _Known(ligand, z != 1, len(stereo) > 0)
        return ligand
