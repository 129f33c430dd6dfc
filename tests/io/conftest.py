"""Records in the formats of docking programs, made by RDKit."""

import gzip
import random
from types import SimpleNamespace

import pytest

Chem = pytest.importorskip('rdkit.Chem')

from rdkit.Chem import AllChem  # noqa: E402


def embedded(smiles, seed=1, hydrogens=False):
    """A molecule with a 3-D conformer; atoms in the order of the SMILES."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=seed) == 0
    return mol if hydrogens else Chem.RemoveHs(mol)


def shuffled(mol, seed=0):
    order = list(range(mol.GetNumAtoms()))
    random.Random(seed).shuffle(order)
    return Chem.RenumberAtoms(mol, order)


def sdf(mol, title='A', items=(), end='$$$$\n', **kwargs):
    """One record. Items are pairs, so that a name can be there twice."""
    block = mol if isinstance(mol, str) else Chem.MolToMolBlock(mol, **kwargs)
    block = block.split('\n', 1)[1].rstrip('\n') + '\n'
    fields = ''.join(f'> <{name}>\n{value}\n\n' for name, value in items)
    return f'{title}\n{block}{fields}{end}'


def pdbqt(mol, smiles=None, index_map=True, score=-7.0, polar=True, skip=()):
    """One model as Vina writes it, with or without Meeko's remarks.

    Args:
        mol: With all hydrogens; heavy atoms in the order of the SMILES.
        smiles: For the remark.
        index_map: Whether the remark has a map.
        score: None for no result line.
        polar: Whether polar hydrogens are written.
        skip: Heavy atoms that are left out.
    """
    types = {'N': 'NA', 'O': 'OA', 'S': 'SA'}
    xyz = mol.GetConformer().GetPositions()
    atoms, idx, parents = [], [], []
    for atom in mol.GetAtoms():
        symbol = atom.GetSymbol()
        if symbol == 'H':
            (parent,) = atom.GetNeighbors()
            if not polar or parent.GetSymbol() == 'C':
                continue
            kind = 'HD'
            parents += [parent.GetIdx() + 1, len(atoms) + 1]
        elif atom.GetIdx() in skip:
            continue
        else:
            kind = types.get(symbol, symbol)
            if symbol == 'C' and atom.GetIsAromatic():
                kind = 'A'
            idx += [atom.GetIdx() + 1, len(atoms) + 1]
        x, y, z = xyz[atom.GetIdx()]
        atoms.append(
            f'ATOM  {len(atoms) + 1:5d}  {symbol:<3} UNL     1    '
            f'{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00    +0.000 {kind}'
        )
    lines = []
    if score is not None:
        lines.append(f'REMARK VINA RESULT: {score:9.3f}      0.000      0.000')
    if smiles is not None:
        lines.append(f'REMARK SMILES {smiles}')
        if index_map:
            lines.append('REMARK SMILES IDX ' + ' '.join(map(str, idx)))
            lines.append('REMARK H PARENT ' + ' '.join(map(str, parents)))
    lines += ['ROOT', *atoms, 'ENDROOT', 'TORSDOF 0']
    return '\n'.join(lines) + '\n'


def models(*texts):
    return ''.join(
        f'MODEL {number}\n{text}ENDMDL\n'
        for number, text in enumerate(texts, start=1)
    )


@pytest.fixture
def make():
    return SimpleNamespace(
        embedded=embedded,
        models=models,
        pdbqt=pdbqt,
        sdf=sdf,
        shuffled=shuffled,
    )


@pytest.fixture
def read(tmp_path):
    """Writes texts to files, and reads these."""
    from pyg_multipose.io import read_poses

    def read_texts(texts, **kwargs):
        if isinstance(texts, str | bytes):
            texts = {'poses.sdf': texts}
        paths = []
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            content = text if isinstance(text, bytes) else text.encode()
            if name.endswith('.gz') and not content.startswith(b'\x1f\x8b'):
                content = gzip.compress(content)
            path.write_bytes(content)
            paths.append(path)
        poses = read_poses(kwargs.pop('paths', paths), **kwargs)
        poses.report.check()
        return poses

    return read_texts


@pytest.fixture
def why():
    """The rows of a report, as (record, reason)."""

    def rows(poses, kind='dropped'):
        return [
            (row.record, row.reason) for row in getattr(poses.report, kind)
        ]

    return rows
