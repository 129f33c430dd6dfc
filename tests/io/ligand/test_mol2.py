import pytest

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io.ligand.mol2 import mol2_records, parse_mol2  # noqa: E402
from pyg_multipose.io.molecule.graph_match import from_smiles  # noqa: E402
from pyg_multipose.io.report import Rejected  # noqa: E402
from pyg_multipose.io.source.text_file import TextFile  # noqa: E402


def split(tmp_path, text):
    path = tmp_path / 'a.mol2'
    path.write_text(text)
    return list(mol2_records(TextFile(path), 'a.mol2'))


def ligand(tmp_path, text, template=None):
    (record,) = split(tmp_path, text)
    if record.problem:
        raise Rejected(*record.problem)
    template = template if template is None else from_smiles(template)
    return parse_mol2(record.block, template)


@pytest.mark.parametrize(
    'smiles',
    [
        'CC(=O)Nc1ccc(O)cc1',
        'CC(=O)[O-]',
        'C[NH3+]',
        'C[C@H](O)CC#N',
        'c1ccc2[nH]ccc2c1',
        'C[N+](C)(C)CCO',
    ],
)
def test_with_hydrogens_charges_follow(make, tmp_path, smiles):
    mol = make.embedded(smiles, hydrogens=True)
    got = ligand(tmp_path, make.mol2(mol))
    assert got.molecule.smiles == Chem.CanonSmiles(smiles)
    assert got.molecule.charge == Chem.GetFormalCharge(mol)
    assert len(got.parents) == mol.GetNumAtoms() - len(got.pos)


@pytest.mark.parametrize(
    'smiles',
    [
        'CC(=O)Nc1ccc(O)cc1',
        'CC(=O)[O-]',
        'CC[NH3+]',
        'CC(=O)O',
        'C[C@H](O)CC#N',
        'CCn1ccc2ccccc12',
        'c1ccc2[nH]ccc2c1',
    ],
)
def test_without_hydrogens_a_template_is_needed(make, tmp_path, smiles):
    mol = make.embedded(smiles, hydrogens=True)
    text = make.mol2(make.shuffled(mol), hydrogens=False)
    with pytest.raises(Rejected, match='hydrogens are missing'):
        ligand(tmp_path, text)
    got = ligand(tmp_path, text, smiles)
    assert got.molecule.smiles == Chem.CanonSmiles(smiles)
    assert got.molecule.charge == Chem.GetFormalCharge(mol)


def test_without_hydrogens_because_it_has_none(make, tmp_path):
    mol = make.embedded('FC(F)(Cl)C(F)(F)Br', hydrogens=True)
    assert ligand(tmp_path, make.mol2(mol)).molecule.charge == 0


def test_some_hydrogens_are_not_all(make, tmp_path):
    mol = Chem.RWMol(make.embedded('CCN', hydrogens=True))
    (last,) = (a.GetIdx() for a in mol.GetAtomWithIdx(0).GetNeighbors()
               if a.GetSymbol() == 'H' and a.GetIdx() == 3)  # fmt: skip
    mol.RemoveAtom(last)
    with pytest.raises(Rejected, match='hydrogens are missing'):
        ligand(tmp_path, make.mol2(mol.GetMol()))


def test_template_has_to_be_the_molecule(make, tmp_path):
    mol = make.embedded('CC(C)O', hydrogens=True)
    for hydrogens in (True, False):
        text = make.mol2(mol, hydrogens=hydrogens)
        for template in ('CCCO', 'CC(=C)O', 'CC(C)[O-]', 'CC(C)S'):
            if template == 'CC(C)[O-]' and not hydrogens:
                continue  # the template is what tells the charge
            with pytest.raises(Rejected, match='than its template'):
                ligand(tmp_path, text, template)


@pytest.mark.parametrize(
    'old, new, match',
    [
        ('C.3', 'Du', 'placeholder'),
        ('C.3', 'LP', 'placeholder'),
        ('C.3', 'Hev', 'placeholder'),
        (' 9 8 1', ' 8 8 1', 'incomplete MOL2'),
        (' 9 8 1', ' 9 9 1', 'incomplete MOL2'),
        (' 9 8 1', ' x 9 1', 'expected numbers'),
        (' 9 8 1', f' {"9" * 5000} 9 1', 'expected numbers'),
        (' 9 8 1', ' 0 0 1', 'no atoms'),
        (' 9 8 1', ' 9999 9 1', 'too many atoms'),
        ('@<TRIPOS>BOND', '@<TRIPOS>OTHER', 'incomplete MOL2'),
        ('@<TRIPOS>ATOM', '', 'incomplete MOL2'),
        # RDKit would leave the bond out.
        ('\n1 1 2 1\n', '\n1 1 2 x\n', 'bond 1 has type .x., expected one of'),
        ('\n1 1 2 1\n', '\n1 1 2 4\n', 'bond 1 has type .4.'),
        ('\n1 1 2 1\n', '\n1 1 2 un\n', 'bond type: bond 1 has type .un.'),
        ('\n1 1 2 1\n', '\n1 1 2\n', 'incomplete MOL2: bond 1'),
        ('\n1 1 2 1\n', '\n1 1 x 1\n', 'incomplete MOL2: bond 1'),
    ],
)
def test_what_is_no_record(make, tmp_path, old, new, match):
    text = make.mol2(make.embedded('CCO', hydrogens=True))
    assert old in text
    with pytest.raises(Rejected, match=match):
        ligand(tmp_path, text.replace(old, new, 1))


def test_comments_belong_to_the_molecule_that_follows(make, tmp_path):
    mol = make.embedded('CCO', hydrogens=True)
    texts = [
        make.mol2(
            mol, name, comments=(f'# Name: {name}', f'# Grid_Score: {score}')
        )
        for name, score in (('A', -1), ('B', -2))
    ]
    inside = make.mol2(mol, 'C').replace('SMALL', '# Grid_Score: -3\nSMALL')
    bare = make.mol2(mol, 'D')
    text = '\n\n'.join([*texts, inside, bare, '# Grid_Score: -5\n'])
    records = split(tmp_path, text)
    assert [record.title for record in records] == list('ABCD')
    assert [record.items.get('Grid_Score') for record in records] == [
        ['-1'], ['-2'], ['-3'], None
    ]  # fmt: skip


def test_comments_that_name_another_molecule_give_no_scores(make, tmp_path):
    mol = make.embedded('CCO', hydrogens=True)
    text = make.mol2(mol, 'A', comments=('# Name: B', '# Grid_Score: -1'))
    (record,) = split(tmp_path, text)
    assert not record.items and 'another molecule' in record.notes[0][0]


@pytest.mark.parametrize('title', ['', '*****'])
def test_no_title(make, tmp_path, title):
    mol = make.embedded('CCO', hydrogens=True)
    records = split(tmp_path, make.mol2(mol, title) + make.mol2(mol, 'B'))
    assert [record.title for record in records] == ['', 'B']
    assert parse_mol2(records[0].block, None).molecule.smiles == 'CCO'


def test_cut_file(make, tmp_path):
    text = make.mol2(make.embedded('CCO', hydrogens=True))
    for size in range(text.index('SMALL'), len(text) - 1):
        first, second = split(tmp_path, text + text[:size])
        assert first.problem is None
        with pytest.raises(Rejected) as error:
            if second.problem:
                raise Rejected(*second.problem)
            parse_mol2(second.block, None)
        assert error.value.reason in ('cut off', 'incomplete MOL2')
    assert len(split(tmp_path, text * 3)) == 3


def test_no_molecule(tmp_path):
    (record,) = split(tmp_path, 'nothing of this')
    assert record.problem[0] == 'no molecule'
    assert split(tmp_path, '# a comment\n\n') == []


@pytest.mark.parametrize(
    'smiles', ['c1ccc2[nH]ccc2c1', 'O=c1cc[nH]cc1', 'Cc1c[nH]c(=O)[nH]c1=O']
)
def test_nitrogen_of_a_pyrrole(make, tmp_path, smiles):
    """Of type N.ar, RDKit takes it for a pyridinium's."""
    text = make.mol2(make.embedded(smiles, hydrogens=True))
    text = text.replace('N.pl3', 'N.ar')
    got = ligand(tmp_path, text)
    assert got.molecule.smiles == Chem.CanonSmiles(smiles)
    assert got.molecule.charge == 0
    # A pyridinium is none without its charge.
    mol = make.embedded('c1cc[nH+]cc1', hydrogens=True)
    text = make.mol2(mol).replace('N.4', 'N.ar')
    try:
        assert ligand(tmp_path, text).molecule.charge == 1
    except Rejected as error:
        assert error.reason == 'kekulization'


def test_types_of_bonds_in_capitals(make, tmp_path):
    text = make.mol2(make.embedded('Cc1ccccc1C(=O)N', hydrogens=True))
    text = text.replace(' ar', ' AR')
    assert ligand(tmp_path, text).molecule.smiles == 'Cc1ccccc1C(N)=O'


def renumbered(text, numbers):
    """The same molecule, its atoms called otherwise; bonds go by number."""
    out, section = [], ''
    for line in text.splitlines():
        if line.startswith('@'):
            section = line
        fields = line.split()
        if section.endswith('ATOM') and len(fields) > 5:
            fields[0] = str(numbers[int(fields[0]) - 1])
            line = ' '.join(fields)
        elif section.endswith('BOND') and len(fields) > 3:
            ends = (str(numbers[int(end) - 1]) for end in fields[1:3])
            line = ' '.join([fields[0], *ends, *fields[3:]])
        out.append(line)
    return '\n'.join([*out, ''])


def test_numbers_of_atoms(make, tmp_path):
    """They are told from the order where they can be."""
    mol = make.embedded('CCO', hydrogens=True)
    text, count = make.mol2(mol), mol.GetNumAtoms()
    shifted = renumbered(text, range(11, 11 + count))
    assert ligand(tmp_path, shifted).molecule.smiles == 'CCO'
    turned = renumbered(text, [count, *range(1, count)])
    with pytest.raises(Rejected, match='not in the order of their numbers'):
        ligand(tmp_path, turned)
    hydrogens = [*range(1, count - 1), count, count - 1]
    with pytest.raises(Rejected, match='whether bonds go by the numbers'):
        ligand(tmp_path, renumbered(text, hydrogens))
