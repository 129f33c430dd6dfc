import re

import numpy as np
import pytest

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io.ligand.pdbqt import (  # noqa: E402
    PDBQT,
    parse_model,
    pdbqt_records,
)
from pyg_multipose.io.ligand.pdbqt_ligand import ligand_of_model  # noqa: E402
from pyg_multipose.io.molecule.autodock_types import (  # noqa: E402
    atomic_number,
    is_pseudo,
)
from pyg_multipose.io.molecule.graph_match import from_smiles  # noqa: E402
from pyg_multipose.io.report import Rejected  # noqa: E402
from pyg_multipose.io.source.text_file import TextFile  # noqa: E402

SMILES = [
    'CC(=O)Nc1ccc(O)cc1',
    'COC(=O)c1ccc(NC(=O)CCl)nc1',
    'C[C@H](N)C(=O)O',
    'CC(C)C[C@@H](C(=O)[O-])[NH3+]',
    'O=[N+]([O-])c1cc(Br)ccc1S(N)(=O)=O',
    'Cc1cnc[nH]1',
    'NC(=[NH2+])NCCc1ccc(F)cc1',
    'F/C=C/CN1CCOCC1',
    'CN1C[C@H]2CC[C@@H]1C2',
    'CP(=O)(O)OCC#N',
    'C12C3C4C1C5C2C3C45',
]


def split(tmp_path, text):
    path = tmp_path / 'a.pdbqt'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(pdbqt_records(TextFile(path), 'a.pdbqt'))


def ligand(text, template=None):
    template = template if template is None else from_smiles(template)
    return ligand_of_model(parse_model(text.splitlines()), template)


def assert_is(got, mol, smiles):
    """The molecule of a SMILES, at the positions that the model has."""
    assert got.molecule.smiles == Chem.CanonSmiles(smiles)
    heavy = Chem.RemoveHs(mol)
    # To three decimals; only symmetric atoms may have changed places.
    xyz = heavy.GetConformer().GetPositions()
    ranks = list(Chem.CanonicalRankAtoms(heavy, breakTies=False))
    there = list(Chem.CanonicalRankAtoms(got.molecule.mol, breakTies=False))
    for place, rank in zip(got.pos, there, strict=True):
        distance = np.linalg.norm(xyz - place, axis=1)
        assert distance.min() < 1e-3 and ranks[distance.argmin()] == rank


@pytest.mark.parametrize('smiles', SMILES)
def test_index_map(make, smiles):
    mol = make.embedded(smiles, hydrogens=True)
    got = ligand(make.pdbqt(mol, smiles))
    assert_is(got, mol, smiles)
    order = [atom.GetAtomicNum() for atom in Chem.MolFromSmiles(
        smiles).GetAtoms()]  # fmt: skip
    assert [z for z, _, _ in got.molecule.atoms] == order
    for parent, xyz in zip(got.parents, got.hydrogen_pos, strict=True):
        assert np.linalg.norm(got.pos[parent] - xyz) < 1.2


@pytest.mark.parametrize('smiles', SMILES)
@pytest.mark.parametrize('remark', [True, False])
def test_graph(make, smiles, remark):
    # Atoms in another order than in the SMILES, and no index map.
    mol = make.embedded(smiles, hydrogens=True)
    text = make.pdbqt(
        make.shuffled(mol), smiles if remark else None, index_map=False
    )
    got = ligand(text, None if remark else smiles)
    assert_is(got, mol, smiles)
    for parent, xyz in zip(got.parents, got.hydrogen_pos, strict=True):
        assert np.linalg.norm(got.pos[parent] - xyz) < 1.2


def test_index_map_with_written_hydrogens(make):
    """Their numbers count, as the SMILES is written."""
    mol = make.embedded('NC(C)=O', hydrogens=True)
    text = make.pdbqt(mol, 'NC(C)=O').replace(
        'SMILES NC(C)=O', 'SMILES [H]N(C(C)=O)[H]'
    )
    # Atoms of the model: N, C, C, O, H, H; of the SMILES: H, N, C, C, O, H.
    old = text[text.index('REMARK SMILES IDX') : text.index('REMARK H')]
    text = text.replace(old, 'REMARK SMILES IDX 2 1 3 2 4 3 5 4 1 5 6 6\n')
    text = text.replace('H PARENT 1 5 1 6', 'H PARENT 2 5 2 6')
    got = ligand(text)
    assert_is(got, mol, 'CC(N)=O')
    assert got.parents == (0, 0)


def test_atoms_that_only_hydrogens_tell_apart(make):
    mol = make.embedded('CC(=O)O', hydrogens=True)
    got = ligand(make.pdbqt(mol), 'CC(=O)O')
    assert_is(got, mol, 'CC(=O)O')
    # Without polar hydrogens, it is not the acid.
    with pytest.raises(Rejected, match='another protonation state'):
        ligand(make.pdbqt(mol, polar=False), 'CC(=O)O')
    # Without hydrogens of their own, the ends are as good as each other.
    ion = make.embedded('CC(=O)[O-]', hydrogens=True)
    got = ligand(make.pdbqt(ion), 'CC(=O)[O-]')
    assert got.molecule.smiles == 'CC(=O)[O-]'
    # Neither are the methyl and methylene ends of an alkene.
    with pytest.raises(Rejected, match='cannot be told apart'):
        ligand(make.pdbqt(make.embedded('CC(=C)CO', hydrogens=True)),
               'CC(=C)CO')  # fmt: skip


@pytest.mark.parametrize(
    'smiles, template, reason',
    [
        ('CCO', None, 'no bonds'),
        ('CCO', 'CCCO', 'another molecule than its template'),
        ('CCO', 'CCN', 'another molecule than its template'),
        ('CCCO', 'CC(C)O', 'another molecule than its template'),
        # One polar hydrogen more or less.
        ('CCN', 'CC[NH3+]', 'another protonation state than its template'),
        ('c1ccccc1[O-]', 'c1ccccc1O', 'another protonation state'),
        ('C[C@H](N)CO', 'C[C@@H](N)CO', 'another stereoisomer'),
        (r'C/C=C/CO', r'C/C=C\CO', 'another stereoisomer'),
    ],
)
def test_graph_of_another_molecule(make, smiles, template, reason):
    text = make.pdbqt(make.embedded(smiles, hydrogens=True))
    with pytest.raises(Rejected, match=reason):
        ligand(text, template)


def test_remark_and_template_have_to_agree(make):
    text = make.pdbqt(make.embedded('CCO', hydrogens=True), 'CCO')
    assert ligand(text, 'OCC').molecule.smiles == 'CCO'
    with pytest.raises(Rejected, match='another molecule than its template'):
        ligand(text, 'COC')


def test_remark_of_another_stereoisomer(make):
    mol = make.embedded('C[C@H](N)CO', hydrogens=True)
    with pytest.raises(Rejected, match='stereoisomer than its SMILES remark'):
        ligand(make.pdbqt(mol, 'C[C@@H](N)CO'))


@pytest.mark.parametrize(
    'old, new, match',
    [
        (r'IDX 1 1 2 2', 'IDX 1 2 2 1', 'Angstrom long'),  # no bond is
        (r'IDX 1 1', 'IDX 1 3', 'index map does not fit'),
        (r'IDX 1 1', 'IDX 1 99', 'index map does not fit'),
        (r'IDX 1 1', 'IDX 1', 'unreadable index map'),
        (r'IDX 1 1', 'IDX 1 x', 'unreadable index map'),
        (r'IDX 1 1', 'IDX 1 1 9 ' + '9' * 5000, 'unreadable index map'),
        (r'IDX 1 1', 'IDX', 'index map does not fit'),
        (r'SMILES CCCCO', 'SMILES CCCCN', 'elements are not those'),
        (r'SMILES CCCCO', 'SMILES CCCO', 'it has no atoms'),
        (r'SMILES CCCCO', 'SMILES CCCCO.O', 'index map does not fit'),
        (r'SMILES CCCCO', 'SMILES C1CCO', 'unreadable SMILES remark'),
        (r'ROOT\n', 'ROOT\nROOT\n', 'several ligands .*two ligands'),
        (r'ROOT\n', 'ROOT\nROOT\nROOT\n', '3 ligands'),
        (r'\nROOT\n', '\n', 'not one ligand.*a receptor'),
        (r'ENDROOT', 'BRANCH 1 2', 'incomplete model'),
        (r'ENDROOT', 'BRANCH 1 2\nENDBRANCH 1 3', 'incomplete model'),
        (r'ENDROOT', 'BEGIN_RES LYS A 1', 'incomplete model'),
        (r'OA', 'Qq', "has type 'QQ'"),
        (r' OA', '', 'no atom type'),
        (r'ATOM  .*C\n', lambda m: m[0] * 2, 'one number'),
        (r'(ATOM.{26}).{8}', r'\1     nan', 'unreadable coordinates'),
        (r'(ATOM.{26}).{8}', r'\1        ', 'unreadable coordinates'),
    ],
)
def test_what_is_no_model(make, old, new, match):
    text = make.pdbqt(make.embedded('CCCCO', hydrogens=True), 'CCCCO')
    spoiled, count = re.subn(old, new, text, count=1)
    assert count == 1
    with pytest.raises(Rejected, match=match):
        ligand(spoiled)


def test_flexible_residues_and_glue_are_not_ligand(make):
    text = make.pdbqt(make.embedded('CCCCO', hydrogens=True), 'CCCCO')
    residue = text[text.index('ROOT') : text.index('TORSDOF')]
    glue = re.search('ATOM.*C\n', text)[0].replace('    1  C', '   99  G')
    glue = glue[:77] + 'G0\n'
    text = text.replace('ENDROOT\n', f'{glue}ENDROOT\n')
    text += f'BEGIN_RES LYS A 12\n{residue}END_RES LYS A 12\n'
    got = ligand(text)
    assert got.molecule.smiles == 'CCCCO' and len(got.pos) == 5
    alone = text[text.index('BEGIN_RES') :]
    with pytest.raises(Rejected, match='flexible residues of a receptor'):
        ligand(alone)


@pytest.mark.parametrize(
    'remark, says',
    [
        ('', 'no SMILES remark'),
        ('REMARK  Name = CPD 7', 'no SMILES remark'),
        ('REMARK  SMILES = CCO', "'REMARK SMILES = CCO' is not the remark"),
        ('REMARK SMILES: CCO', "'REMARK SMILES: CCO' is not the remark"),
        ('REMARK canonical smiles CCO', 'smiles CCO. is not the remark'),
        ('USER    SMI CCO', 'not the remark of Meeko'),
    ],
)
def test_remarks_of_other_programs(make, remark, says):
    text = make.pdbqt(make.embedded('CCO', hydrogens=True))
    with pytest.raises(Rejected, match='no bonds') as error:
        ligand(f'{remark}\n{text}')
    assert says in error.value.detail or re.search(says, error.value.detail)
    assert 'template=' in error.value.detail
    assert ligand(f'{remark}\n{text}', 'CCO').molecule.smiles == 'CCO'


def test_macrocycle_without_an_index_map():
    # The ring is closed by its glue, however far apart its ends have come.
    mol = Chem.MolFromSmiles('C1CCCCCCCCC1')
    angles = np.linspace(0, 5.4, 10)
    radius = 0.77 / np.sin(5.4 / 18)
    lines = []
    for row, angle in enumerate(angles):
        x, y = radius * np.cos(angle), radius * np.sin(angle)
        kind = 'CG0' if row in (0, 9) else 'C'
        lines.append(
            f'ATOM  {row + 1:5d}  C   UNL     1    {x:8.3f}{y:8.3f}'
            f'{0.1 * (row % 2):8.3f}  1.00  0.00    +0.000 {kind}'
        )
    text = '\n'.join(['ROOT', *lines, 'ENDROOT', 'TORSDOF 0'])
    ends = [
        np.array([float(line[30 + 8 * i : 38 + 8 * i]) for i in range(3)])
        for line in (lines[0], lines[-1])
    ]
    assert np.linalg.norm(ends[0] - ends[1]) > 2.0
    assert ligand(text, Chem.MolToSmiles(mol)).molecule.smiles == (
        'C1CCCCCCCCC1'
    )
    with pytest.raises(Rejected, match='another molecule'):
        ligand(text.replace('CG0', 'C'), Chem.MolToSmiles(mol))


def test_models_fail_alone(make, tmp_path):
    good = make.pdbqt(make.embedded('CCO', hydrogens=True), 'CCO')
    text = make.models(good, good.replace('ROOT', 'RO\0OT'), '', good)
    cut = text[: text.rindex('ATOM') + 20]
    records = split(tmp_path, cut)
    assert [record.problem and record.problem[0] for record in records] == [
        None, 'binary', 'no atoms', 'incomplete model'
    ]  # fmt: skip
    # A model whose end is missing is not joined to the next.
    text = make.models(good, good, good).replace('ENDMDL\n', '', 1)
    records = split(tmp_path, text)
    assert [record.problem for record in records] == [
        ('incomplete model', 'no ENDMDL'), None, None
    ]  # fmt: skip


def test_a_file_without_models_is_one(make, tmp_path):
    text = make.pdbqt(make.embedded('CCO', hydrogens=True), 'CCO')
    (record,) = split(tmp_path, text)
    assert record.problem is None
    assert record.items['vina_affinity'] == ['-7.000']
    (record,) = split(tmp_path, text.replace('TORSDOF 0\n', ''))
    assert record.problem == ('incomplete model', 'the file ends within it')
    # A receptor has neither; it is not cut off.
    atoms = ''.join(re.findall(r'ATOM.*\n', text))
    for end in ('', 'TER\n', 'END\n'):
        (record,) = split(tmp_path, atoms + end)
        assert record.problem is None
        with pytest.raises(Rejected, match='not one ligand: .*a receptor'):
            PDBQT().ligand(record, None)
    (record,) = split(tmp_path, 'nothing of this\n')
    assert record.problem[0] == 'no atoms'
    assert split(tmp_path, '\n \n') == []


@pytest.mark.parametrize(
    'remark, title, items',
    [
        (
            'REMARK VINA RESULT:    -7.1      0.000      1.500',
            '',
            {'vina_affinity': ['-7.1']},
        ),
        ('REMARK VINA RESULT:', '', {'vina_affinity': ['']}),
        ('REMARK  Name = CPD 7 ', 'CPD 7', {}),
        (
            'REMARK minimizedAffinity -7.10',
            '',
            {'minimizedAffinity': ['-7.10']},
        ),
        ('REMARK CNNscore: 0.5', '', {'CNNscore': ['0.5']}),
        ('REMARK CNNscore = 0.5', '', {'CNNscore': ['0.5']}),
        ('REMARK INTER + INTRA:      -9.3', '', {}),
        ('REMARK Flexibility Score:   35.900', '', {}),
    ],
)
def test_remarks(make, tmp_path, remark, title, items):
    text = make.pdbqt(make.embedded('CCO', hydrogens=True), score=None)
    (record,) = split(tmp_path, make.models(f'{remark}\n{text}'))
    assert record.title == title and record.items == items


@pytest.mark.parametrize(
    'kind, z',
    [('A', 6), ('C', 6), ('OA', 8), ('NA', 7), ('HD', 1), ('SA', 16),
     ('Cl', 17), ('CL', 17), ('Br', 35), ('Zn', 30), ('CG0', 6), ('CG12', 6),
     ('Si', 14), ('G0', None), ('G', None), ('W', None), ('TZ', None),
     ('Qq', None), ('', None)],
)  # fmt: skip
def test_types(kind, z):
    assert atomic_number(kind) == z
    assert is_pseudo(kind) == (kind in ('G0', 'G', 'W', 'TZ'))
