"""Charges of a MOL2 in a section of their own, as Open Babel writes them."""

import re

import pytest

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io.ligand.mol2 import parse_mol2  # noqa: E402
from pyg_multipose.io.molecule.graph_match import from_smiles  # noqa: E402
from pyg_multipose.io.report import Rejected  # noqa: E402

SMILES = [
    'CCO',
    '[O-]c1ccccc1',
    'C[S-]',
    'CC(=O)[O-]',
    'CP(=O)([O-])[O-]',
    'COP(=O)(O)[O-]',
    'CS(=O)(=O)[O-]',
    'O=[N+]([O-])c1ccccc1',
    'CN=[N+]=[N-]',
    'C[N+](C)(C)CC(=O)[O-]',
    'CNC(N)=[NH2+]',
    'NC(=[NH2+])c1ccccc1',
    'C[NH+]1CCN(C)CC1',
    'c1cc[nH+]cc1',
    'C[n+]1ccccc1',
    'c1nn[n-]n1',
    'CC(=O)[N-]S(=O)(=O)c1ccccc1',
    'C[B-](F)(F)F',
    'CC#[N+][O-]',
    '[C-]#[N+]CC',
    'O=S([O-])c1ccccc1',
]


def ligand(text, template=None):
    lines = [line for line in text.splitlines()[1:] if line.strip()]
    template = template if template is None else from_smiles(template)
    return parse_mol2(lines, template)


def phenolate(make):
    mol = make.embedded('[O-]c1ccccc1', hydrogens=True)
    return make.mol2(mol, charges=True)


@pytest.mark.parametrize('smiles', SMILES)
@pytest.mark.parametrize('plain', [True, False])
@pytest.mark.parametrize('section', ['last', 'first'])
def test_charges_are_those_of_the_section(make, smiles, plain, section):
    mol = make.shuffled(make.embedded(smiles, hydrogens=True))
    text = make.mol2(mol, charges=True, plain=plain)
    if section == 'first':
        attributes = text[text.index('@<TRIPOS>UNITY') :]
        text = text.removesuffix(attributes)
        text = text.replace('@<TRIPOS>BOND', f'{attributes}@<TRIPOS>BOND')
    got = ligand(text)
    assert got.molecule.smiles == Chem.CanonSmiles(smiles)
    assert not got.molecule.num_radicals and not got.notes
    assert ligand(text, smiles).molecule.smiles == got.molecule.smiles
    neutral = Chem.CanonSmiles('CCN')
    with pytest.raises(Rejected, match='another molecule than its template'):
        ligand(text, neutral)


@pytest.mark.parametrize('smiles', SMILES)
def test_without_the_section_nothing_is_a_radical(make, smiles):
    """It is right or refused."""
    mol = make.embedded(smiles, hydrogens=True)
    for plain in (True, False):
        text = make.mol2(mol, plain=plain)
        try:
            got = ligand(text)
        except Rejected:
            continue
        assert not got.molecule.num_radicals
        assert got.molecule.charge == Chem.GetFormalCharge(mol)


def test_amidines_with_aromatic_bonds(make):
    """As Sybyl writes them: C.cat, with the charge at one end."""
    mol = make.embedded('CNC(N)=[NH2+]', hydrogens=True)
    text = make.mol2(mol, charges=True)
    carbon = next(
        a.GetIdx() + 1 for a in mol.GetAtoms()
        if a.GetSymbol() == 'C' and len(a.GetNeighbors()) == 3
    )  # fmt: skip
    ends = {4, 5}
    for end in ends:
        text, count = re.subn(
            rf'(?m)^(\d+ (?:{carbon} {end}|{end} {carbon})) \d$', r'\1 ar',
            text,
        )  # fmt: skip
        assert count == 1
    assert ligand(text).molecule.smiles == Chem.CanonSmiles('CNC(N)=[NH2+]')


@pytest.mark.parametrize(
    'old, new, reason, detail',
    [
        ('1 1\ncharge', '99 1\ncharge', 'unreadable charges', 'an atom 99'),
        ('1 1\ncharge', '0 1\ncharge', 'unreadable charges', 'an atom 0'),
        ('1 1\ncharge', '-1 1\ncharge', 'unreadable charges', "'-1 1'"),
        ('1 1\ncharge', 'x 1\ncharge', 'unreadable charges', "'x 1'"),
        ('1 1\ncharge', '1\ncharge', 'unreadable charges', "'1'"),
        ('1 1\ncharge', '1 2\ncharge', 'incomplete MOL2', '2 attributes'),
        ('1 1\ncharge', '1 0\ncharge', 'unreadable charges', "'charge -1'"),
        ('charge -1', 'charge -9', 'unreadable charges', "'-9'"),
        ('charge -1', 'charge 999', 'unreadable charges', "'999'"),
        ('charge -1', f'charge {"9" * 5000}', 'unreadable charges', '999'),
        ('charge -1', 'charge -1.0', 'unreadable charges', "'-1.0'"),
        ('charge -1', 'charge x', 'unreadable charges', "'x'"),
        ('charge -1', 'charge', 'unreadable charges', "'charge'"),
        ('charge -1', 'iso', 'unreadable charges', "'iso'"),
        ('charge -1', 'charge \N{MINUS SIGN}1', 'unreadable charges', 'from'),
        ('charge -1', 'charge -1\n1 1\ncharge 1', 'unreadable charges',
         'two charges'),
        # Readable, but it cannot be.
        ('charge -1', 'charge 1', 'open valences', '(O)'),
        ('1 1\ncharge -1', '', 'open valences', '1 (O)'),
        ('1 1\ncharge -1', '2 1\ncharge -1', 'kekulization', '3 (C)'),
        ('1 1\ncharge -1', '8 1\ncharge -1', 'open valences', '1 (O)'),
    ],
)  # fmt: skip
def test_what_is_no_section(make, old, new, reason, detail):
    text = phenolate(make)
    assert old in text
    with pytest.raises(Rejected) as error:
        ligand(text.replace(old, new))
    assert error.value.reason == reason and detail in error.value.detail


@pytest.mark.parametrize(
    'section',
    [
        '1 1\nCHARGE -1',
        '  1   1  \n  charge   -1  ',
        '1 1\ncharge -1\n1 1\ncharge -1',
        '2 1\ncharge 0\n1 1\ncharge -1',
        '1 0\n1 1\ncharge -1',
        '1 1\ncharge -1\n@<TRIPOS>UNITY_ATOM_ATTR',
    ],
)
def test_ways_to_write_it(make, section):
    text = phenolate(make).replace('1 1\ncharge -1', section)
    got = ligand(text)
    assert got.molecule.smiles == '[O-]c1ccccc1' and not got.notes


def test_other_attributes_are_said(make, read, why):
    text = phenolate(make).replace(
        '1 1\ncharge -1', '1 2\ncharge -1\niso 18\n2 1\nquery any'
    )
    poses = read({'a.mol2': text})
    assert poses.smiles == ['[O-]c1ccccc1']
    assert (1, 'attributes of atoms not read') in why(poses, 'flagged')
    (detail,) = (row.detail for row in poses.report.flagged
                 if row.reason.startswith('attributes'))  # fmt: skip
    assert detail == 'iso of atom 1, query of atom 2'


def test_each_molecule_has_its_own(make, read, why):
    texts = []
    for seed, (title, smiles) in enumerate(
        [('A', '[O-]c1ccccc1'), ('B', 'CN=[N+]=[N-]'), ('C', 'CCO')] * 2
    ):
        mol = make.embedded(smiles, seed + 1, hydrogens=True)
        texts.append(make.mol2(mol, title, charges=title != 'C'))
    poses = read({'a.mol2': ''.join(texts)})
    assert dict(zip(poses.names, poses.smiles, strict=True)) == {
        'A': '[O-]c1ccccc1', 'B': 'CN=[N+]=[N-]', 'C': 'CCO'
    }  # fmt: skip
    assert poses.num_poses.tolist() == [2, 2, 2] and not why(poses)


def test_a_template_repairs_what_was_lost(make, read, why):
    text = phenolate(make).replace('1 1\ncharge -1', '')
    poses = read({'a.mol2': text}, template='[O-]c1ccccc1')
    assert poses.smiles == ['[O-]c1ccccc1']
    assert (1, 'open valences') in why(poses, 'flagged')
    for template in ('Oc1ccccc1', '[S-]c1ccccc1', 'Cc1ccccc1'):
        with pytest.warns(UserWarning, match='No poses'):
            poses = read({'a.mol2': text}, template=template)
        assert 'than its template' in poses.report.dropped[0].reason


def test_hydrogens_are_needed_all_the_same(make):
    mol = make.embedded('CC(=O)[O-]', hydrogens=True)
    text = make.mol2(mol, charges=True, hydrogens=False)
    with pytest.raises(Rejected, match='hydrogens are missing'):
        ligand(text)
    assert ligand(text, 'CC(=O)[O-]').molecule.charge == -1
    # The charges that it states are held against the template.
    with pytest.raises(Rejected, match='another molecule than its template'):
        ligand(text, 'CC(=O)O')


def test_numbers_of_atoms_are_names(make):
    """RDKit goes by the order of lines, and would join other atoms."""
    mol = make.embedded('C[N+](C)(C)CC(=O)[O-]', hydrogens=True)
    text = make.mol2(mol, charges=True)
    head, atoms, bonds, charges = re.split(
        r'@<TRIPOS>(?:ATOM|BOND|UNITY_ATOM_ATTR)\n', text
    )
    number = {n: 7 * (n * 11 % 50) + 3 for n in range(1, 50)}

    def renamed(pattern, lines):
        return re.sub(
            pattern, lambda m: f'{m[1]}{number[int(m[2])]}', lines, flags=re.M
        )

    atoms = renamed(r'^( *)(\d+)', atoms)
    bonds = renamed(r'^(\d+ \d+ )(\d+)', renamed(r'^(\d+ )(\d+)', bonds))
    charges = renamed(r'^()(\d+)(?= 1$)', charges)
    text = (
        f'{head}@<TRIPOS>ATOM\n{atoms}@<TRIPOS>BOND\n{bonds}'
        f'@<TRIPOS>UNITY_ATOM_ATTR\n{charges}'
    )
    assert ligand(text).molecule.smiles == 'C[N+](C)(C)CC(=O)[O-]'
    twice = re.sub(r'(?m)^( *)80( C)', r'\g<1>157\2', text)
    assert twice != text
    with pytest.raises(Rejected, match='two atoms have one number'):
        ligand(twice)
    strange = text.replace('\n1 80 ', '\n1 81 ')
    assert strange != text
    with pytest.raises(Rejected, match=r'bonds of atoms \[81\]'):
        ligand(strange)


def test_a_cut_section(make, read, why):
    text = phenolate(make)
    end = text.index('1 1\ncharge')
    for size in range(end + 1, len(text.rstrip())):
        with pytest.warns(UserWarning, match='No poses'):
            poses = read({'a.mol2': text[:size]})
        assert why(poses)[0][1] in ('cut off', 'incomplete MOL2')
    assert read({'a.mol2': text.rstrip()}).smiles == ['[O-]c1ccccc1']
