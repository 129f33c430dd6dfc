import pytest

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io.ligand.ligand import ligand_of  # noqa: E402
from pyg_multipose.io.molecule.graph_match import from_smiles  # noqa: E402
from pyg_multipose.io.molecule.molecule import flat_smiles  # noqa: E402
from pyg_multipose.io.report import Rejected  # noqa: E402

# Rings, cages, symmetric groups, charges, and stereochemistry of all kinds.
SMILES = [
    'CC(=O)Nc1ccc(O)cc1',
    'C[C@H](N)C(=O)O',
    'C[C@@H]1CC[C@H](C)CC1',
    'F/C=C/C#N',
    'C[N+](C)(C)CC(=O)[O-]',
    'O=[N+]([O-])c1ccc(C(F)(F)F)cc1',
    'CC(C)(C)c1nc2ccccc2[nH]1',
    'NC(=[NH2+])c1ccc(C(=O)[O-])cc1',
    'C1C2CC3CC1CC(C2)C3',
    'C[S@](=O)c1ccccc1',
    'O=S(=O)(N1CCOCC1)c1cccs1',
    'CP(=O)(O)OCC#N',
    'CP(=O)([O-])OC',
    'C[C@@H](O)[C@H](O)C(=O)N/N=C/c1ccco1',
    'OC[C@H]1O[C@@H](n2cnc3c(N)ncnc32)[C@H](O)[C@@H]1O',
]


def molecule(mol):
    return ligand_of(mol, None)


@pytest.mark.parametrize('smiles', SMILES)
def test_order_of_atoms_and_hydrogens_do_not_matter(make, smiles):
    mol = make.embedded(smiles, hydrogens=True)
    first = ligand_of(mol, None)
    assert first.molecule.smiles == Chem.CanonSmiles(smiles)
    for seed in range(4):
        other = make.shuffled(Chem.RemoveHs(mol) if seed % 2 else mol, seed)
        got = ligand_of(other, None)
        assert first.molecule.difference(got.molecule) == ''
        found = first.molecule.atom_map(got.molecule)
        assert sorted(found) == list(range(len(first.pos)))
        # The atoms of one structure: only symmetric ones change places.
        back = got.molecule.atom_map(first.molecule)
        ranks = list(
            Chem.CanonicalRankAtoms(first.molecule.mol, breakTies=False)
        )
        there = list(
            Chem.CanonicalRankAtoms(got.molecule.mol, breakTies=False)
        )
        assert [there[index] for index in found] == ranks
        assert [ranks[index] for index in back] == there


@pytest.mark.parametrize(
    'one, other, difference',
    [
        ('C[C@H](N)C(=O)O', 'C[C@@H](N)C(=O)O', 'another stereoisomer'),
        ('F/C=C/Cl', r'F/C=C\Cl', 'another stereoisomer'),
        (
            'C[C@@H]1CC[C@H](C)CC1',
            'C[C@H]1CC[C@H](C)CC1',
            'another stereoisomer',
        ),
        ('CCN', 'CC[NH3+]', 'another charge or protonation state'),
        ('CC(=O)O', 'CC(=O)[O-]', 'another charge or protonation state'),
        ('Cc1cnc[nH]1', 'Cc1c[nH]cn1', 'another tautomer'),
        ('CC(=O)C', 'CC(O)=C', 'another tautomer'),
        ('CCO', 'COC', 'another molecule'),
        ('CCO', 'CCS', 'another molecule'),
        ('CCO', 'CCCO', 'another molecule'),
        ('OC(=O)CC[NH3+]', '[O-]C(=O)CC[NH3+]', 'another charge'),
        # The same formula and charge, the proton elsewhere.
        ('[O-]C(=O)CC[NH3+]', 'OC(=O)CCN', 'another tautomer'),
    ],
)
def test_what_is_another_molecule(make, one, other, difference):
    first, second = (
        ligand_of(make.embedded(smiles, hydrogens=True), None).molecule
        for smiles in (one, other)
    )
    assert first.difference(second).startswith(difference)
    assert first.atom_map(second) is None


def test_isotopes_are_not_told_apart(make):
    mol = make.embedded('CC(N)C', hydrogens=True)
    plain = ligand_of(mol, None)
    heavy = Chem.Mol(mol)
    for atom in heavy.GetAtoms():
        if atom.GetAtomicNum() == 1:
            atom.SetIsotope(2)
    heavy.GetAtomWithIdx(0).SetIsotope(13)
    got = ligand_of(heavy, None)
    assert plain.molecule.difference(got.molecule) == ''
    assert {z for z, _, _ in got.molecule.atoms} == {6, 7}


def test_stereochemistry_is_that_of_the_coordinates(make):
    mol = make.embedded('C[C@H](N)C(=O)O')
    mol.GetAtomWithIdx(1).SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    assert ligand_of(mol, None).molecule.smiles == 'C[C@H](N)C(=O)O'
    mirrored = Chem.Mol(mol)
    conformer = mirrored.GetConformer()
    conformer.SetPositions(conformer.GetPositions() * [1.0, 1.0, -1.0])
    assert ligand_of(mirrored, None).molecule.smiles == 'C[C@@H](N)C(=O)O'


@pytest.mark.parametrize(
    'build, reason',
    [
        (lambda m: m.AddBond(1, m.AddAtom(Chem.Atom(6)),
                             Chem.BondType.TRIPLE), 'valence'),
        (lambda m: m.GetBondWithIdx(0).SetBondType(Chem.BondType.DATIVE),
         'bond type'),
        (lambda m: m.AddAtom(Chem.Atom(1)), 'hydrogen without a parent'),
    ],
)  # fmt: skip
def test_what_is_no_molecule(make, build, reason):
    mol = Chem.RWMol(make.embedded('CC(C)(C)C'))
    build(mol)
    with pytest.raises(Rejected) as error:
        ligand_of(mol.GetMol(), None)
    assert error.value.reason == reason


def test_hydrogen_alone_is_no_ligand(make):
    with pytest.raises(Rejected, match='no heavy atoms'):
        ligand_of(make.embedded('[H][H]', hydrogens=True), None)


@pytest.mark.parametrize('smiles', SMILES)
def test_template_is_the_molecule_of_its_smiles(smiles):
    template = from_smiles(smiles)
    assert template.smiles == Chem.CanonSmiles(smiles)
    assert flat_smiles(template) == Chem.MolToSmiles(
        Chem.MolFromSmiles(smiles), isomericSmiles=False
    )


@pytest.mark.parametrize('smiles', ['', 'C1CC', 'c1cccc1', 'C*', '[H][H]'])
def test_what_is_no_template(smiles):
    with pytest.raises(ValueError, match='here'):
        from_smiles(smiles, 'here')
