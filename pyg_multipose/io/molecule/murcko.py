"""Scaffolds of molecules."""

from __future__ import annotations

from collections.abc import Iterable

from pyg_multipose.io.rdkit import Chem, MurckoScaffold


def scaffolds(smiles: Iterable[str]) -> list[str]:
    r"""The Bemis-Murcko scaffold of each molecule, without stereochemistry.

    A molecule without rings has the scaffold :obj:`""`.

    Args:
        smiles: The SMILES of each molecule.

    Returns:
        The canonical SMILES of the scaffolds.

    Raises:
        ValueError: If a SMILES cannot be read.

    Example:
        >>> from pyg_multipose.io import scaffolds
        >>> scaffolds(['CCc1ccccc1', 'CCO'])
        ['c1ccccc1', '']
    """
    return [_scaffold(text, index) for index, text in enumerate(smiles)]


def _scaffold(smiles: str, index: int) -> str:
    mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        raise ValueError(f'Molecule {index} is no SMILES: {smiles!r}')
    if not mol.GetRingInfo().NumRings():
        return ''
    scaffold = MurckoScaffold.GetScaffoldForMol(mol)
    return Chem.MolToSmiles(scaffold, isomericSmiles=False)
