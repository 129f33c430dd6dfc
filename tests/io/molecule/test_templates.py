import pytest

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io.ligand.ligand import ligand_of  # noqa: E402
from pyg_multipose.io.molecule.graph_match import from_smiles  # noqa: E402
from pyg_multipose.io.molecule.templates import Templates  # noqa: E402
from pyg_multipose.io.report import Rejected  # noqa: E402


def uncharged(mol):
    """As a program writes it that forgets charges."""
    mol = Chem.RWMol(mol)
    for atom in mol.GetAtoms():
        atom.SetFormalCharge(0)
        atom.SetNoImplicit(False)
        atom.SetNumExplicitHs(0)
    return mol.GetMol()


def with_aromatic_bonds(mol):
    """As a program writes it that has no [nH]."""
    mol = Chem.RWMol(mol)
    for atom in mol.GetAtoms():
        atom.SetNumExplicitHs(0)
        atom.SetNoImplicit(False)
    return mol.GetMol()


@pytest.mark.parametrize(
    'smiles, spoil, reason',
    [
        ('C[N+](C)(C)CCO', uncharged, 'valence'),
        ('C[n+]1ccccc1', uncharged, None),
        ('CC[N+](C)(C)[C@H](C)O', uncharged, 'valence'),
        ('CC(N)=[N+](C)C', uncharged, 'valence'),
        ('c1ccc2[nH]ccc2c1', with_aromatic_bonds, 'kekulization'),
        ('Cc1nc[nH]c1C(=O)N', with_aromatic_bonds, 'kekulization'),
    ],
)
def test_template_repairs(make, smiles, spoil, reason):
    mol = spoil(make.shuffled(make.embedded(smiles)))
    with pytest.raises(Rejected) as error:
        ligand_of(mol, None)
    assert error.value.reason in ('valence', 'kekulization')
    assert reason is None or error.value.reason == reason
    assert 'template' in error.value.detail
    ligand = ligand_of(mol, from_smiles(smiles))
    assert ligand.molecule.smiles == Chem.CanonSmiles(smiles)
    # In the order of the record.
    got = [z for z, _, _ in ligand.molecule.atoms]
    assert got == [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    xyz = mol.GetConformer().GetPositions()
    assert (ligand.pos == xyz).all()


@pytest.mark.parametrize(
    'smiles, template, reason',
    [
        # A charge is missing, but the rest is not the template either.
        ('C[N+](C)(C)CCO', 'C[N+](C)(C)CCN', 'another molecule'),
        ('C[N+](C)(C)CCO', 'C[N+](C)(C)C=CO', 'another molecule'),
        ('C[N+](C)(C)CC=O', 'C[N+](C)(C)CCO', 'another molecule'),
        ('C[N+](C)(C)CCO', 'C[N+](C)(C)CCCO', 'another molecule'),
        (
            'CC[N+](C)(C)[C@H](C)O',
            'CC[N+](C)(C)[C@@H](C)O',
            'another stereoisomer',
        ),
    ],
)
def test_template_of_another_molecule(make, smiles, template, reason):
    mol = uncharged(make.embedded(smiles))
    with pytest.raises(Rejected) as error:
        ligand_of(mol, from_smiles(template))
    assert error.value.reason == f'{reason} than its template'


@pytest.mark.parametrize(
    'smiles, template, reason',
    [
        ('CCN', 'CC[NH3+]', 'another charge or protonation state'),
        ('CCO', 'COC', 'another molecule'),
        ('C[C@H](N)O', 'C[C@@H](N)O', 'another stereoisomer'),
        ('CC(C)=O', 'CC(O)=C', 'another tautomer, valence or resonance form'),
    ],
)
def test_template_never_changes_a_sound_record(make, smiles, template, reason):
    with pytest.raises(Rejected) as error:
        ligand_of(make.embedded(smiles), from_smiles(template))
    assert error.value.reason == f'{reason} than its template'


def test_template_may_leave_stereochemistry_open(make):
    mol = make.embedded('C[C@H](N)C(=O)O')
    ligand = ligand_of(mol, from_smiles('CC(N)C(=O)O'))
    assert ligand.molecule.smiles == 'C[C@H](N)C(=O)O'


def test_written_hydrogens_have_to_be_those_of_the_template(make):
    # An ammonium whose charge is lost is not the amine of the template.
    mol = uncharged(make.embedded('CC[NH3+]', hydrogens=True))
    with pytest.raises(Rejected, match='another protonation state than its'):
        ligand_of(mol, from_smiles('CCN'))
    ligand = ligand_of(mol, from_smiles('CC[NH3+]'))
    assert ligand.molecule.smiles == 'CC[NH3+]'


def test_lookup(tmp_path):
    path = tmp_path / 'x.smi'
    path.write_text('smiles id\nCCO A 1\n\n# none\nCCN\tB\n')
    templates = Templates(path)
    assert templates.get('A 1').smiles == 'CCO'
    assert templates.get('B').smiles == 'CCN' and templates.get('C') is None
    assert templates.unused() == [] and templates.only() is None
    assert Templates(str(path)).get('B').smiles == 'CCN'

    templates = Templates({'A': 'CCO'})
    assert templates.only()[0] == 'A' and templates.unused() == ['A']
    assert templates.get('a') is None
    assert Templates('CCO').get('anything').smiles == 'CCO'
    assert Templates().get('A') is None


@pytest.mark.parametrize(
    'text, match',
    [
        ('CCO A\nCCN A\n', 'two SMILES'),
        ('CCO\n', "expected 'SMILES id'"),
        ('', 'no SMILES'),
        ('C1CC A\n', "template of 'A'"),
    ],
)
def test_what_is_no_file_of_templates(tmp_path, text, match):
    path = tmp_path / 'x.smi'
    path.write_text(text)
    with pytest.raises(ValueError, match=match):
        Templates(path)


def test_what_is_no_template():
    with pytest.raises(ValueError, match="template of 'A'.*got None"):
        Templates({'A': None})
    with pytest.raises(FileNotFoundError):
        Templates('missing.smi')
