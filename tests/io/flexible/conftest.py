"""A peptide as a receptor whose side chains turn, with poses beside it."""

import random
from types import SimpleNamespace

import numpy as np
import pytest

Chem = pytest.importorskip('rdkit.Chem')
pytest.importorskip('gemmi')

from rdkit.Chem import AllChem  # noqa: E402
from rdkit.Chem.rdMolTransforms import (  # noqa: E402
    GetDihedralDeg,
    SetDihedralDeg,
)

SEQUENCE = 'GVFLSRDTG'
#: What stays where it is in every residue.
BACKBONE = ('N', 'CA', 'C', 'O', 'OXT')
TYPES = {'O': 'OA', 'S': 'SA', 'H': 'HD'}


def made_peptide():
    """With hydrogens that have names of their own."""
    mol = Chem.AddHs(Chem.MolFromSequence(SEQUENCE), addResidueInfo=True)
    assert AllChem.EmbedMolecule(mol, randomSeed=5) == 0
    # What a file holds: three decimals, as the receptor has them.
    conformer = mol.GetConformer()
    for atom in range(mol.GetNumAtoms()):
        x, y, z = (round(float(v), 3) for v in conformer.GetAtomPosition(atom))
        conformer.SetAtomPosition(atom, (x, y, z))
    return mol


def label(atom):
    info = atom.GetPDBResidueInfo()
    return info.GetResidueNumber(), info.GetName().strip()


def turned(mol, angles):
    """Turns bonds, each by (number of residue, names of four atoms)."""
    out = Chem.Mol(mol)
    rows = {label(atom): atom.GetIdx() for atom in out.GetAtoms()}
    conformer = out.GetConformer()
    for (number, names), by in angles.items():
        ends = [rows[number, name] for name in names]
        now = GetDihedralDeg(conformer, *ends)
        SetDihedralDeg(conformer, *ends, now + by)
    return out


def pdb_line(atom, xyz, number, name=None, chain='A', kind=None):
    info = atom.GetPDBResidueInfo()
    called = name or info.GetName().strip()
    field = called if len(called) == 4 else f' {called:<3}'
    x, y, z = xyz
    line = (
        f'ATOM  {number:>5} {field} {info.GetResidueName():>3} {chain}'
        f'{info.GetResidueNumber():>4}    {x:8.3f}{y:8.3f}{z:8.3f}'
        f'  1.00  0.00'
    )
    if kind is None:
        return f'{line}          {atom.GetSymbol():>2}'
    return f'{line}    +0.000 {kind}'


def lines(mol, rows, pdbqt=False):
    """Records of some atoms."""
    xyz = mol.GetConformer().GetPositions()
    out = []
    for row in rows:
        atom = mol.GetAtomWithIdx(row)
        kind = None
        if pdbqt:
            kind = TYPES.get(atom.GetSymbol(), atom.GetSymbol())
        out.append(pdb_line(atom, xyz[row], len(out) + 1, kind=kind))
    return out


def rows_of(mol, numbers, hydrogens='polar', backbone=('CA',)):
    """The atoms of the side chains of residues, as programs write them."""
    out = []
    for atom in mol.GetAtoms():
        number, name = label(atom)
        if number not in numbers:
            continue
        if atom.GetSymbol() == 'H':
            (parent,) = atom.GetNeighbors()
            side = label(parent)[1] not in BACKBONE
            polar = parent.GetSymbol() != 'C'
            if side and (hydrogens == 'all' or (hydrogens and polar)):
                out.append(atom.GetIdx())
        elif name in backbone or name not in BACKBONE:
            out.append(atom.GetIdx())
    return out


def receptor_text(mol, hydrogens=False):
    rows = [
        atom.GetIdx()
        for atom in mol.GetAtoms()
        if hydrogens or atom.GetSymbol() != 'H'
    ]
    return '\n'.join([*lines(mol, rows), 'TER', 'END', ''])


def flexible_pdb(mols, numbers, title='', **kwargs):
    """As Open Babel writes the side chains of several poses."""
    out = []
    for model, mol in enumerate(mols, start=1):
        out.append(f'MODEL {model:>8}')
        out.append(f'COMPND    {title or "UNNAMED"}')
        out += lines(mol, rows_of(mol, numbers, **kwargs))
        out += ['END', 'ENDMDL']
    return '\n'.join([*out, ''])


def flexible_sdf(mols, numbers, title='', seed=None, **kwargs):
    """Elements and positions alone, in any order."""
    out = ''
    for mol in mols:
        rows = rows_of(mol, numbers, **kwargs)
        if seed is not None:
            random.Random(seed).shuffle(rows)
        xyz = mol.GetConformer().GetPositions()
        counts = f'{len(rows):3}  0  0  0  0  0  0  0  0999 V2000'
        out += f'{title}\n  flex\n\n{counts}\n'
        for row in rows:
            x, y, z = xyz[row]
            symbol = mol.GetAtomWithIdx(row).GetSymbol()
            out += f'{x:10.4f}{y:10.4f}{z:10.4f} {symbol:<3} 0  0\n'
        out += 'M  END\n$$$$\n'
    return out


def flexible_pdbqt(mol, numbers):
    """The blocks that stand behind the ligand in a model of Vina."""
    out = []
    for number in numbers:
        rows = rows_of(mol, [number])
        name = mol.GetAtomWithIdx(rows[0]).GetPDBResidueInfo().GetResidueName()
        called = f'{name} A{number:>4}'
        first, *others = lines(mol, rows, pdbqt=True)
        out += [f'BEGIN_RES {called}', 'ROOT', first, 'ENDROOT']
        out += ['BRANCH   1   2', *others, 'ENDBRANCH   1   2']
        out.append(f'END_RES {called}')
    return '\n'.join([*out, ''])


@pytest.fixture(scope='session')
def peptide():
    return made_peptide()


@pytest.fixture(scope='session')
def make_poses():
    """Three poses of a ligand beside the peptide, as SDF."""

    def of(peptide):
        mol = Chem.AddHs(Chem.MolFromSmiles('CCO'))
        assert AllChem.EmbedMolecule(mol, randomSeed=1) == 0
        xyz = mol.GetConformer().GetPositions()
        start = peptide.GetConformer().GetPositions().max(axis=0)
        out = ''
        for pose in range(3):
            mol.GetConformer().SetPositions(xyz + start + [pose, 1.0, 1.0])
            block = Chem.MolToMolBlock(mol).split('\n', 1)[1]
            out += f'CPD\n{block}> <minimizedAffinity>\n{-pose}\n\n$$$$\n'
        return out

    return of


@pytest.fixture(scope='session')
def flex():
    return SimpleNamespace(
        flexible_pdb=flexible_pdb,
        flexible_pdbqt=flexible_pdbqt,
        flexible_sdf=flexible_sdf,
        label=label,
        lines=lines,
        receptor_text=receptor_text,
        rows_of=rows_of,
        turned=turned,
    )


@pytest.fixture
def positions():
    """Where the heavy atoms of the peptide are, in the order of a file."""

    def of(mol, hydrogens=False):
        xyz = mol.GetConformer().GetPositions()
        rows = [
            atom.GetIdx()
            for atom in mol.GetAtoms()
            if hydrogens or atom.GetSymbol() != 'H'
        ]
        return np.asarray(xyz[rows])

    return of
