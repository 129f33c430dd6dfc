import re

import numpy as np
import pytest

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io.ligand.mol_block import parse_mol_block  # noqa: E402
from pyg_multipose.io.ligand.mol_blocks import MolBlocks  # noqa: E402
from pyg_multipose.io.molecule.atoms import MAX_ATOMS  # noqa: E402
from pyg_multipose.io.report import Rejected  # noqa: E402


def block(mol, **kwargs):
    return Chem.MolToMolBlock(mol, **kwargs).split('\n')[3:-1]


@pytest.mark.parametrize('v3000', [False, True])
def test_reads_what_rdkit_writes(make, v3000):
    mol = make.embedded('C[C@H](N)C(=O)[O-]', hydrogens=True)
    got = parse_mol_block(block(mol, forceV3000=v3000))
    assert Chem.MolToSmiles(got) == Chem.MolToSmiles(mol)
    xyz = mol.GetConformer().GetPositions()
    assert np.abs(got.GetConformer().GetPositions() - xyz).max() < 1e-3


def test_reads_blocks_without_a_version(make):
    lines = block(make.embedded('CCO'))
    lines[0] = lines[0].replace(' V2000', '')
    assert parse_mol_block(lines).GetNumAtoms() == 3


@pytest.mark.parametrize(
    'old, new, reason',
    [
        # RDKit takes what it can of a field: these it would read.
        (r'^.{10}', ' ' * 10, 'unreadable coordinates'),
        (r'^.{10}', '  1,5000  ', 'unreadable coordinates'),
        (r'^.{10}', '       nan', 'unreadable coordinates'),
        (r'^.{10}', '       inf', 'unreadable coordinates'),
        (r'^.{10}', '**********', 'unreadable coordinates'),
        (r'^.{10}', ' 99999.000', 'coordinates out of range'),
        (r' [CO] ', ' R# ', 'placeholder atom or unknown element'),
        (r' [CO] ', ' *  ', 'placeholder atom or unknown element'),
        (r' [CO] ', ' A  ', 'placeholder atom or unknown element'),
        (r' [CO] ', ' Q  ', 'placeholder atom or unknown element'),
        (r' [CO] ', ' L  ', 'placeholder atom or unknown element'),
        (r' [CO] ', ' LP ', 'placeholder atom or unknown element'),
        (r' [CO] ', ' Du ', 'placeholder atom or unknown element'),
        (r' [CO] ', ' R1 ', 'placeholder atom or unknown element'),
        (r' [CO] ', ' Xx ', 'placeholder atom or unknown element'),
        (r' [CO] ', '    ', 'placeholder atom or unknown element'),
        # The charge is 4 less than the field for RDKit, whatever it is.
        (r'( [CO]   0)  0', r'\1 -1', 'mol block cannot be parsed'),
        (r'( [CO]   0)  0', r'\1  8', 'mol block cannot be parsed'),
        (r'( [CO]   0)  0', r'\1  x', 'mol block cannot be parsed'),
        # RDKit breaks off over this valence.
        (r'^(.{48})...', r'\g<1>999', 'mol block cannot be parsed'),
        (r'^(.{48})...', r'\1 16', 'mol block cannot be parsed'),
    ],
)
@pytest.mark.parametrize('row', [1, 3])
def test_atom_lines(make, old, new, reason, row):
    lines = block(make.embedded('CCO'))
    spoiled = re.sub(old, new, lines[row], count=1)
    assert spoiled != lines[row]
    lines[row] = spoiled
    with pytest.raises(Rejected) as error:
        parse_mol_block(lines)
    assert error.value.reason == reason


@pytest.mark.parametrize('size', [0, 5, 15, 29, 30, 31])
@pytest.mark.parametrize('row', [1, 3])
def test_atom_lines_that_end_early(make, size, row):
    lines = block(make.embedded('CCO'))
    lines[row] = lines[row][:size]
    with pytest.raises(Rejected, match='line of atom . ends early') as error:
        parse_mol_block(lines)
    assert error.value.reason == 'incomplete mol block'


@pytest.mark.parametrize(
    'counts, reason',
    [
        ('  0  0', 'no atoms'),
        ('  4  2', 'incomplete mol block'),
        ('  3  3', 'incomplete mol block'),
        # RDKit would read these, without the second bond.
        ('  3  1', 'incomplete mol block'),
        ('  3  0', 'incomplete mol block'),
        ('  2  2', 'incomplete mol block'),
        (' x3  2', 'mol block cannot be parsed'),
        ('  3999', 'too many bonds'),
    ],
)
def test_counts_line(make, counts, reason):
    lines = block(make.embedded('CCO'))
    lines[0] = counts + lines[0][6:]
    with pytest.raises(Rejected) as error:
        parse_mol_block(lines)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    'old, new, reason',
    [
        (r'COUNTS 3 2', 'COUNTS 4 2', 'incomplete mol block'),
        (r'COUNTS 3 2', f'COUNTS {MAX_ATOMS + 1} 2', 'too many atoms'),
        (r'COUNTS 3 2', f'COUNTS {"9" * 5000} 2', 'no atoms'),
        (r'COUNTS 3 2', 'COUNTS 0 0', 'no atoms'),
        (r'1 C \S+', '1 C nan', 'unreadable coordinates'),
        (r'1 C .*', '1 C 1.0', 'incomplete mol block'),
        (r'1 C ', '1 R# ', 'placeholder atom or unknown element'),
        (r'1 C ', '1 [C,N] ', 'placeholder atom or unknown element'),
        (r'1 C .*', '1', 'incomplete mol block'),
        (r'BEGIN BOND', 'BEGIN BAND', 'mol block cannot be parsed'),
    ],
)
def test_v3000(make, old, new, reason):
    text = '\n'.join(block(make.embedded('CCO'), forceV3000=True))
    spoiled, count = re.subn(old, new, text, count=1)
    assert count == 1
    with pytest.raises(Rejected) as error:
        parse_mol_block(spoiled.split('\n'))
    assert error.value.reason == reason


def test_lines_of_v3000_that_go_on(make):
    text = '\n'.join(block(make.embedded('CCO'), forceV3000=True))
    text = re.sub(r'1 C ', '1 C -\nM  V30 ', text, count=1)
    assert parse_mol_block(text.split('\n')).GetNumAtoms() == 3


def test_ten_thousand_atoms_are_no_ligand():
    rows = [f'M  V30 {i} C {i}.0 0.1 {i % 7}.0 0' for i in range(1, 10_001)]
    lines = [
        '  0  0  0     0  0            999 V3000',
        'M  V30 BEGIN CTAB',
        'M  V30 COUNTS 10000 0 0 0 0',
        'M  V30 BEGIN ATOM',
        *rows,
        'M  V30 END ATOM',
        'M  V30 END CTAB',
        'M  END',
    ]
    for counts in (lines[2], 'M  V30 COUNTS 5 0 0 0 0'):
        with pytest.raises(Rejected, match='too many atoms: .*receptor'):
            parse_mol_block([*lines[:2], counts, *lines[3:]])


@pytest.mark.parametrize(
    'change, reason',
    [
        (lambda xyz: xyz * 0, 'no 3-D coordinates'),
        (lambda xyz: xyz * 0 + 2.5, 'no 3-D coordinates'),
        (lambda xyz: xyz * [1, 1, 0], 'no 3-D coordinates'),
        (lambda xyz: xyz * [1, 1, 0] + [0, 0, 3], 'no 3-D coordinates'),
        (lambda xyz: xyz * [0, 1, 1], 'no 3-D coordinates'),
        (lambda xyz: xyz * [1, 1, 1e-4], 'no 3-D coordinates'),
        (lambda xyz: np.vstack([xyz[1:2], xyz[1:]]), 'atoms at one place'),
    ],
)
@pytest.mark.parametrize('header', ['2D', '3D'])
def test_coordinates_decide_what_is_three_dimensional(
    make, change, reason, header
):
    mol = make.embedded('CC(C)N')
    conformer = mol.GetConformer()
    conformer.Set3D(header == '3D')
    assert parse_mol_block(block(mol)).GetNumAtoms() == 4
    conformer.SetPositions(change(conformer.GetPositions()))
    with pytest.raises(Rejected) as error:
        parse_mol_block(block(mol))
    assert error.value.reason == reason


def test_two_atoms_cannot_be_flat(make):
    mol = make.embedded('CO')
    conformer = mol.GetConformer()
    conformer.SetPositions(np.array([[0.0, 0, 0], [1.4, 0, 0]]))
    assert parse_mol_block(block(mol)).GetNumAtoms() == 2


@pytest.mark.parametrize('kind', [5, 6, 7, 8])
def test_query_bonds(make, kind):
    lines = block(make.embedded('CCO'))
    lines[4] = lines[4][:6] + f'{kind:3d}' + lines[4][9:]
    with pytest.raises(Rejected, match='query|parsed'):
        parse_mol_block(lines)


def test_blocks_alike_are_parsed_once_but_judged_each(make, monkeypatch):
    from pyg_multipose.io.ligand import mol_blocks

    parsed = []
    parse = mol_blocks.parse_mol_block
    monkeypatch.setattr(
        mol_blocks,
        'parse_mol_block',
        lambda lines: parsed.append(lines) or parse(lines),
    )
    blocks = MolBlocks()
    one, two = (make.embedded('C[C@H](N)CO', seed, True) for seed in (1, 2))
    first = blocks.ligand(block(one), None)
    second = blocks.ligand(block(two), None)
    assert second.molecule is first.molecule and len(parsed) == 1
    heavy = Chem.RemoveHs(two).GetConformer().GetPositions()
    assert np.abs(second.pos - heavy).max() < 1e-3
    assert second.parents == first.parents
    assert len(second.hydrogen_pos) == len(second.parents) == 9
    # The same text but for the coordinates, which are of the mirror image.
    conformer = two.GetConformer()
    conformer.SetPositions(conformer.GetPositions() * [1, 1, -1])
    mirrored = blocks.ligand(block(two), None)
    assert mirrored.molecule.smiles == 'C[C@@H](N)CO'
    conformer.SetPositions(conformer.GetPositions() * [1, 1, 0])
    with pytest.raises(Rejected, match='no 3-D'):
        blocks.ligand(block(two), None)
