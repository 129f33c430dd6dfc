"""A receptor with the names of its atoms and residues."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from pyg_multipose.io.receptor.report import ReceptorReport
from pyg_multipose.io.receptor.structure import Residue, ResidueId


class Receptor(Data):
    r"""A receptor, as :func:`read_receptor` returns it.

    A :class:`~torch_geometric.data.Data` with the keys :obj:`z` (atomic
    numbers), :obj:`pos` (Angstrom) and :obj:`residue` (from 1, the place in
    :attr:`residues`; 0 stands for atoms of ligands, as in the bundled
    dataset). What is no tensor is an attribute beside them.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyg_multipose.io import read_receptor
        >>> text = '''
        ... ATOM      1  N   GLY A   1       0.000   0.000   0.000
        ... ATOM      2  CA  GLY A   1       1.458   0.000   0.000
        ... HETATM    3  O   HOH A   2       5.000   0.000   0.000
        ... '''
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, 'receptor.pdb')
        ...     _ = path.write_text(text)
        ...     receptor = read_receptor(path)
        >>> receptor.atom_names, receptor.residues[0].name
        (['N', 'CA'], 'GLY')
        >>> receptor.subgraph(receptor.z == 6).atom_names
        ['CA']
    """

    @property
    def report(self) -> ReceptorReport:
        r"""What was read, left out and flagged; print it."""
        return self._beside('report')

    @property
    def residues(self) -> list[ResidueId]:
        r"""All residues that were kept; :obj:`residue` counts them from 1."""
        return self._beside('residues')

    @property
    def atom_names(self) -> list[str]:
        r"""The name of each atom, e.g. :obj:`"CA"`."""
        names = self._beside('atom_names')
        if len(names) != self.num_nodes:
            raise ValueError(
                f'The receptor has {self.num_nodes} atoms, but names of '
                f'{len(names)}. Take atoms by receptor.subgraph(mask)'
            )
        return names

    @property
    def left_out(self) -> list[Residue]:
        r"""Residues that were left out, water aside, with their atoms."""
        return self._beside('left_out')

    def subgraph(self, subset: Tensor) -> Receptor:
        r"""Some of the atoms, with their names.

        Args:
            subset: A mask, or the numbers of the atoms.
        """
        out = super().subgraph(subset)
        names = self.atom_names
        rows = torch.arange(len(names), device=subset.device)[subset]
        out.__dict__['_atom_names'] = [names[row] for row in rows.tolist()]
        return out

    def _beside(self, name: str) -> Any:
        try:
            return self.__dict__[f'_{name}']
        except KeyError:
            # An AttributeError would make PyG look among the keys.
            raise ValueError(
                f"This receptor has no '{name}': it was not read by "
                f'read_receptor'
            ) from None
