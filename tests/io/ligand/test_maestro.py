import gzip
import math

import pytest

Chem = pytest.importorskip('rdkit.Chem')

SMILES = 'CC(=O)Nc1ccc(F)cc1'
AMIDE = 'C[C@H](N)C(=O)[O-]'
SCORE = 'r_i_docking_score'


@pytest.fixture
def mols(make):
    return [make.embedded(SMILES, seed) for seed in (1, 2, 3)]


@pytest.fixture
def texts(make, mols):
    return [
        make.mae(mol, 'CPD-1', [(SCORE, score)])
        for mol, score in zip(mols, (-7.5, -6.5, -5.5), strict=True)
    ]


def scores(poses, name=SCORE):
    return [round(s, 4) for s in poses[0][name].tolist()]


def positions(mol):
    return mol.GetConformer().GetPositions()


@pytest.mark.parametrize('name', ['a.mae', 'a.mae.gz', 'a.maegz', 'A.MAEGZ'])
def test_names(read, make, texts, mols, name):
    text = make.mae_head + ''.join(texts)
    if name.lower().endswith('.maegz'):
        text = gzip.compress(text.encode())
    poses = read({name: text})
    assert poses.names == ['CPD-1'] and not poses.report.rows
    assert scores(poses) == [-7.5, -6.5, -5.5]
    for pose, mol in zip(poses[0].to_poses(), mols, strict=True):
        assert abs(pose.pos.numpy() - positions(mol)).max() < 1e-5


@pytest.mark.parametrize(
    'smiles',
    [
        SMILES,
        'C[N+](C)(C)CC(=O)[O-]',
        'O=[N+]([O-])c1ccccc1C#N',
        'C[C@H](N)C(=O)N',
        'F/C=C/Cl',
        'c1cc[nH]c1',
        'O=S(=O)(N)c1cnc2ccccc2c1',
    ],
)
@pytest.mark.parametrize('hydrogens', [False, True])
def test_as_rdkit_reads_it(read, make, smiles, hydrogens, tmp_path):
    """RDKit's reader and writer, on sound files."""
    mol = make.embedded(smiles, hydrogens=hydrogens)
    mol.SetProp('_Name', 'A')
    with Chem.MaeWriter(str(tmp_path / 'rdkit.mae')) as writer:
        writer.write(mol)
    ours = read({'a.mae': make.mae(mol)})
    theirs = read({}, paths=tmp_path / 'rdkit.mae')
    (again,) = Chem.MaeMolSupplier(str(tmp_path / 'a.mae'))
    expected = Chem.MolToSmiles(Chem.RemoveHs(mol))
    assert ours.smiles == theirs.smiles == [expected]
    assert Chem.MolToSmiles(Chem.RemoveHs(again)) == expected
    assert not ours.report.rows and not theirs.report.dropped


def test_the_bundled_hydrogens(read, make):
    mol = make.embedded(AMIDE, hydrogens=True)
    text = make.mae(mol)
    assert read({'a.mae': text})[0].z.numel() == 6
    poses = read({'a.mae': text}, hydrogens=True)
    assert poses[0].z.numel() == mol.GetNumAtoms()
    assert poses.smiles == [AMIDE]


@pytest.mark.parametrize('what', ['lost', 'twice'])
def test_a_damaged_structure_is_alone(read, make, texts, why, what):
    """Whatever line is lost or repeated: no wrong pose, no other lost."""
    lines = texts[1].splitlines(keepends=True)
    harmless = {'# First column is Index #', ''}
    for place, line in enumerate(lines):
        middle = [] if what == 'lost' else [line, line]
        broken = ''.join([*lines[:place], *middle, *lines[place + 1 :]])
        poses = read({'a.mae': make.mae_head + texts[0] + broken + texts[2]})
        if line.strip() in harmless:
            assert scores(poses) == [-7.5, -6.5, -5.5]
            continue
        # Beside a structure that is whole, a line of its may be left over.
        over = what == 'twice' and line.strip() in ('f_m_ct {', '}')
        kept = scores(poses)
        assert kept == [-7.5, -5.5] or (over and kept == [-7.5, -6.5, -5.5])
        numbers = [number for number, _ in why(poses)]
        assert set(numbers) <= {2, 3} and numbers, line
        assert {reason for _, reason in why(poses)} <= {
            'incomplete Maestro block', 'no bonds'
        }  # fmt: skip
        rows = poses.report.dropped
        assert all(row.file.endswith('a.mae') for row in rows)


def test_lost_beginning(read, make, texts, why):
    for broken in (texts[1][len('f_m_ct {\n') :], texts[1][40:]):
        poses = read({'a.mae': make.mae_head + texts[0] + broken + texts[2]})
        assert scores(poses) == [-7.5, -5.5]
        assert why(poses) == [(2, 'incomplete Maestro block')]
    poses = read({'a.mae': make.mae_head + broken + texts[2]})
    assert scores(poses) == [-5.5]
    assert why(poses) == [(1, 'incomplete Maestro block')]
    assert 'before or after structures' in poses.report.dropped[0].detail


def test_cut_file(read, make, texts, why):
    text = make.mae_head + ''.join(texts)
    for size in range(len(make.mae_head) + len(texts[0]), len(text) - 3, 211):
        poses = read({'a.mae': text[:size]})
        assert scores(poses)[0] == -7.5
        assert (
            poses.report.num_kept == len(poses[0].pos_batch.unique())
            if ('pos_batch' in poses[0])
            else True
        )
        assert len(why(poses)) <= 1
    packed = gzip.compress(text.encode())
    poses = read({'a.maegz': packed[:-9]})
    assert 'cut file' in [reason for _, reason in why(poses, 'flagged')]


def test_other_blocks_and_layouts(read, make, mols):
    """Empty blocks, blocks of other programs, all of it on one line."""
    text = make.mae(mols[0], 'CPD-1', [(SCORE, -7.5)])
    others = (
        '  m_depend[0] {\n    s_m_x\n    :::\n    :::\n  }\n'
        '  m_x-y_z[2] {\n    :::\n    1\n    2\n    :::\n  }\n'
        '  x_Empty {\n    :::\n  }\n'
        '  x_e {\n    :::\n    :::\n  }\n'
        '  x_f[0] {\n    s_x_y\n    :::\n  }\n'
        '  x_g {\n  }\n'
        '  x_y {\n    r_x_z\n    :::\n    1\n'
        '    x_in[1] {\n      s_x_}\n      :::\n      1 "}"\n      :::\n'
        '    }\n  }\n'
    )
    with_others = text.replace('  m_bond', f'{others}  m_bond')
    assert with_others != text
    first = read({'a.mae': text})
    for other in (
        with_others,
        make.mae_head + text + make.mae_head,
        text.replace('f_m_ct {', 'f_m_ct{').replace('] {', ']{'),
        text.replace('f_m_ct {', 'f_m_ct\n{').replace('] {', ']\n{'),
        ' '.join(line for line in text.split('\n') if '#' not in line),
        text.replace('\n', '\r\n'),
        text.replace('"CPD-1"', 'CPD-1'),
    ):
        poses = read({'a.mae': other})
        assert not poses.report.rows
        assert poses[0].pos.equal(first[0].pos)
        assert poses.names == ['CPD-1'] and scores(poses) == [-7.5]


def test_titles_and_values(read, make, mols):
    values = [
        (SCORE, '<>'),
        (r's_sd_Chemical\_Name', '"a \\"b\\" {c} # d"'),
        ('s_user_id', '""'),
    ]
    text = make.mae(mols[0], r'CPD \"1\" ::: x', values)
    poses = read({'a.mae': text})
    assert poses.names == ['CPD "1" ::: x'] and not poses.scores
    poses = read({'a.mae': text}, group_by=r's_sd_Chemical\_Name')
    assert poses.names == ['a "b" {c} # d']
    poses = read({'a.mae': text}, group_by='file', scores=[SCORE])
    assert math.isnan(poses[0][SCORE].item())
    (row,) = poses.report.flagged
    assert row.reason == 'missing score'


def test_each_bond_from_both_ends(read, make, mols):
    """As older programs write them."""
    text = make.mae(mols[0])
    start = text.index('  m_bond')
    rows = [
        line.split()
        for line in text[start:].splitlines()
        if line.split()[:1] and line.split()[0].isdecimal()
    ]
    again = [
        f'    {number} {" ".join(row)}'
        for number, row in enumerate(
            [
                pair
                for _, i, j, kind in rows
                for pair in ((i, j, kind), (j, i, kind))
            ],
            start=1,
        )
    ]
    both = text[:start] + '\n'.join(
        [
            f'  m_bond[{len(again)}] {{',
            *('i_m_from', 'i_m_to', 'i_m_order', ':::'),
            *again,
            ':::',
            '}',
            '}',
            '',
        ]
    )
    assert read({'a.mae': both}).smiles == read({'a.mae': text}).smiles
    other = both.replace(again[1], again[1][:-1] + '3')
    with pytest.warns(UserWarning, match='No poses'):
        poses = read({'a.mae': other})
    assert [row.reason for row in poses.report.dropped] == ['bond type']


@pytest.mark.parametrize(
    'old, new, reason',
    [
        (' 6 0 <>', ' 0 0 <>', 'placeholder atom'),
        (' 6 0 <>', ' -2 0 <>', 'placeholder atom'),
        (' 6 0 <>', ' 999 0 <>', 'placeholder atom'),
        (' 6 0 <>', ' C 0 <>', 'incomplete Maestro block'),
        (' 6 0 <>', ' 6 ? <>', 'incomplete Maestro block'),
        (' 6 0 <>', ' 6 -4 <>', 'valence'),
        ('i_m_atomic_number', 'i_m_other', 'incomplete Maestro block'),
        ('r_m_y_coord', 'r_m_x_coord', 'incomplete Maestro block'),
        ('r_m_y_coord', 'r_m_other', 'incomplete Maestro block'),
        ('i_m_order', 'i_m_other', 'incomplete Maestro block'),
        ('m_bond[', 'm_other[', 'no bonds'),
        ('m_atom[', 'm_other[', 'no atoms'),
        ('m_atom[11]', 'm_atom', 'incomplete Maestro block'),
        ('m_atom[11]', 'm_atom[12]', 'incomplete Maestro block'),
        ('m_atom[11]', 'm_atom[10]', 'incomplete Maestro block'),
        ('m_atom[11]', 'm_atom[0]', 'incomplete Maestro block'),
        ('m_atom[11]', f'm_atom[{"9" * 30}]', 'incomplete Maestro block'),
        ('    1 1 2 1\n', '    1 1 2 0\n', 'bond type'),
        ('    1 1 2 1\n', '    1 1 2 4\n', 'bond type'),
        ('    1 1 2 1\n', '    1 1 99 1\n', 'bond to no atom'),
        ('    1 1 2 1\n', '    1 0 2 1\n', 'bond to no atom'),
        ('    1 1 2 1\n', '    1 2 2 1\n', 'bond to no atom'),
        ('    1 1 2 1\n', '    1 1 2 one\n', 'incomplete Maestro block'),
    ],
)
def test_what_is_refused(read, make, mols, texts, why, old, new, reason):
    assert old in texts[1]
    text = texts[0] + texts[1].replace(old, new, 1)
    poses = read({'a.mae': text})
    ((number, got),) = why(poses)
    assert number == 2 and got.startswith(reason)
    assert scores(poses) == [-7.5]


@pytest.mark.parametrize('value', ['<>', 'nan', '-', '1e999', '99999'])
def test_coordinates(read, texts, why, value):
    (row,) = (
        line
        for line in texts[1].split('\n')
        if line[:6] == '    1 ' and '"' in line
    )
    x = row.split()[2]
    text = texts[1].replace(x, value, 1)
    assert text != texts[1]
    poses = read({'a.mae': texts[0] + text})
    ((number, reason),) = why(poses)
    assert number == 2 and 'coordinates' in reason


def test_charges_may_be_left_out(read, make):
    """A template repairs what follows from that."""
    mol = make.embedded('C[N+](C)(C)C')
    columns = [
        'r_m_x_coord',
        'r_m_y_coord',
        'r_m_z_coord',
        'i_m_atomic_number',
    ]
    text = make.mae(mol, only=columns)
    with pytest.warns(UserWarning, match='No poses'):
        poses = read({'a.mae': text})
    assert [row.reason for row in poses.report.dropped] == ['valence']
    poses = read({'a.mae': text}, template={'A': 'C[N+](C)(C)C'})
    assert poses.smiles == ['C[N+](C)(C)C']
    neutral = make.mae(make.embedded('CCO'), only=columns)
    assert read({'a.mae': neutral}).smiles == ['CCO']


def test_one_atom_has_no_bonds(read, make):
    text = (
        make.mae(make.embedded('C'))
        if False
        else (
            'f_m_ct {\n s_m_title\n :::\n A\n m_atom[1] {\n r_m_x_coord\n'
            ' r_m_y_coord\n r_m_z_coord\n i_m_atomic_number\n :::\n'
            ' 1 1.0 2.0 3.0 8\n :::\n }\n}\n'
        )
    )
    assert read({'a.mae': text}).smiles == ['O']


def test_parts(read, make, mols, why):
    """p_m_ct: other coordinates, and values, of the structure before it."""
    xyz = ['r_m_x_coord', 'r_m_y_coord', 'r_m_z_coord']
    whole = make.mae(mols[0], 'CPD-1', [(SCORE, -7.5)])
    parts = make.mae(mols[1], None, [(SCORE, -6.5)], 'p', xyz) + make.mae(
        mols[2], None, [], 'p', xyz
    )
    poses = read({'a.mae': whole + parts})
    assert poses.names == ['CPD-1']
    assert scores(poses)[:2] == [-7.5, -6.5]
    assert math.isnan(scores(poses)[2])  # never that of a neighbour
    for pose, mol in zip(poses[0].to_poses(), mols, strict=True):
        assert abs(pose.pos.numpy() - positions(mol)).max() < 1e-5
    # Without the whole, and after another one.
    poses = read({'a.mae': parts + whole})
    assert why(poses) == [(n, 'incomplete Maestro block') for n in (1, 2)]
    other = make.mae(make.embedded('CCO'), 'B')
    poses = read({'a.mae': other + parts})
    assert why(poses) == [(n, 'incomplete Maestro block') for n in (2, 3)]
    damaged = whole.replace('m_bond[11]', 'm_bond[12]')
    poses = read({'a.mae': other + damaged + parts})
    assert [number for number, _ in why(poses)] == [2, 3, 4]
    lost = whole.replace('f_m_ct {\n', '')
    poses = read({'a.mae': whole + lost + parts})
    assert [number for number, _ in why(poses)] == [2, 3, 4]
    assert scores(poses) == [-7.5]


def test_a_part_without_coordinates(read, make, mols, why):
    whole = make.mae(mols[0], 'CPD-1', [(SCORE, -7.5)])
    part = make.mae(mols[0], None, [(SCORE, -6.5)], 'p', ['i_m_mmod_type'])
    poses = read({'a.mae': whole + part})
    assert why(poses) == [(2, 'incomplete Maestro block')]


def test_the_receptor(read, make, mols, texts, why):
    protein = make.embedded('NCC(=O)NCC(=O)NCC(=O)O')
    receptor = make.mae(protein, '1ABC')
    for name in ('dock_pv.mae', 'dock_PV.mae.gz'):
        poses = read({name: receptor + ''.join(texts)})
        assert why(poses) == [(1, 'not a pose')]
        assert '_pv' in poses.report.dropped[0].detail
        assert poses.names == ['CPD-1']
    # A mark, in a file of any name; and by its lack of a score.
    marked = make.mae(protein, '1ABC', [('b_glide_receptor', 1)])
    for first in (marked, receptor):
        poses = read({'all.mae': first + ''.join(texts)})
        assert why(poses) == [(1, 'not a pose')]
    # Without the receptor, the first is a pose.
    poses = read({'dock_pv.mae': ''.join(texts)})
    assert scores(poses) == [-7.5, -6.5, -5.5] and not poses.report.rows


def test_a_large_receptor(read, make, texts, why):
    rows = '\n'.join(
        f'{n} {n % 40}.1 {n // 40}.2 {n % 7}.3 6' for n in range(1, 4001)
    )
    receptor = (
        'f_m_ct {\n s_m_title\n :::\n 1ABC\n m_atom[4000] {\n r_m_x_coord\n'
        f' r_m_y_coord\n r_m_z_coord\n i_m_atomic_number\n :::\n{rows}\n'
        ' :::\n }\n}\n'
    )
    poses = read({'a.mae': receptor + texts[0]})
    assert why(poses) == [(1, 'too many atoms')]
    assert scores(poses) == [-7.5]


@pytest.mark.parametrize('text', ['nothing\n', '{\n', 'm_atom[2] {\n}\n'])
def test_no_structure(read, text):
    with pytest.warns(UserWarning, match='No poses'):
        poses = read({'a.mae': text})
    (row,) = poses.report.dropped
    assert row.record == 1
    with pytest.warns(UserWarning, match='No poses'):
        poses = read({'a.mae': '{\n s_m_m2io_version\n :::\n 2.0.0\n}\n'})
    (row,) = poses.report.dropped
    assert row.reason == 'no structure'


@pytest.mark.parametrize(
    'text',
    [
        'f_m_ct {\n' + '"' * 500_000,
        'f_m_ct {\n' + '\\' * 500_000,
        'f_m_ct {\n' + 'a_' * 250_000 + '{\n',
        'f_m_ct {\n' + '#' * 500_000,
        'f_m_ct {\n' + 's_m_' + 'x' * 500_000,
        'f_m_ct ' + ' ' * 500_000 + 'x\n',
        'f_m_ct {\n:::\n' + 'm_x {\n:::\n' * 50_000,
        '{\n' * 200_000,
    ],
)
def test_long_texts_take_no_time(read, make, texts, text):
    poses = read({'a.mae': texts[0] + text})
    assert scores(poses) == [-7.5]
