"""Reading files as a user does: kinds of trouble, each with its outcome."""

import gzip
import math
import warnings

import pytest
import torch

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io import KNOWN, Score, read_poses  # noqa: E402

ETHANOL = 'CCO'


def values(poses, key, index=0):
    return poses[index][key].tolist()


def poses_of(make, smiles='CC(C)CO', count=3, title='A', **kwargs):
    """Records of one ligand with the scores -1, -2, ..."""
    return ''.join(
        make.sdf(
            make.embedded(smiles, seed, **kwargs),
            title,
            [('minimizedAffinity', -seed)],
        )
        for seed in range(1, count + 1)
    )


# Files ######################################################################


@pytest.mark.parametrize(
    'name', ['a.sdf', 'a.sdf.gz', 'a.SDF', 'a.sd', 'a.sdfgz', 'a.sdz']
)
def test_formats_of_sdf(make, read, name):
    text = poses_of(make)
    packed = name.endswith(('gz', 'z'))
    poses = read({name: gzip.compress(text.encode()) if packed else text})
    assert values(poses, 'minimizedAffinity') == [-1, -2, -3]
    assert poses.names == ['A'] and not poses.report.rows


@pytest.mark.parametrize('end', ['\r\n', '\r', '\r\r\n'])
def test_line_ends(make, read, end):
    poses = read(poses_of(make).replace('\n', end))
    assert values(poses, 'minimizedAffinity') == [-1, -2, -3]
    assert poses.names == ['A']


def test_files_of_several_programs_have_the_same_keys(make, read):
    mol = make.embedded(ETHANOL, hydrogens=True)
    texts = {
        'a.sdf': make.sdf(mol, 'A', [('CNNscore', 0.5)]),
        'b_out.pdbqt': make.models(make.pdbqt(mol, ETHANOL)),
        'c/rank1_confidence-0.5.sdf': make.sdf(mol, ''),
    }
    with pytest.warns(UserWarning, match='one pose'):
        poses = read(texts)
    assert poses.names == ['A', 'b_out', 'c']
    assert list(poses.scores) == ['CNNscore', 'vina_affinity', 'confidence']
    table = torch.stack(
        [torch.stack([s[key] for key in poses.scores]) for s in poses]
    ).squeeze(-1)
    assert table.diagonal().tolist() == [0.5, -7.0, -0.5]
    assert int(table.isnan().sum()) == 6
    assert len(set(poses.smiles)) == 1


def test_broken_files_spare_the_others(make, read, why, tmp_path):
    good = poses_of(make)
    packed = gzip.compress(good.encode())
    poses = read(
        {
            'a_good.sdf': good,
            'b_empty.sdf': '',
            'c_blank.sdf': '\n\n',
            'd_binary.sdf': bytes(range(256)) * 50,
            'e_cut.sdf': good[: good.rindex('V2000') + 60],
            'f_cut.sdf.gz': packed[:-200],
            'g_plain.sdf.gz': b'\x1f\x8b' + good.encode(),
            'h_utf16.sdf': good.encode('utf-16'),
            'i_text.pdbqt': 'nothing of this',
            'j_text.mol2': 'nothing of this',
            'k.xlsx': 'nothing of this',
            'l_good.sdf': good.replace('A\n', 'B\n'),
        },
        paths=[tmp_path],
    )
    by_file = {}
    for row in poses.report.dropped:
        name = row.file.rsplit('/', 1)[1]
        by_file.setdefault(name, []).append((row.record, row.reason))
    cut = by_file.pop('f_cut.sdf.gz')
    assert len(cut) == 1 and cut[0][1] in ('cut off', 'incomplete mol block')
    assert by_file == {
        'b_empty.sdf': [(None, 'no records')],
        'c_blank.sdf': [(None, 'no records')],
        'd_binary.sdf': [(1, 'binary')],
        'e_cut.sdf': [(3, 'incomplete mol block')],
        'g_plain.sdf.gz': [(None, 'no records')],
        'h_utf16.sdf': [(None, 'no records')],
        'i_text.pdbqt': [(1, 'no atoms')],
        'j_text.mol2': [(1, 'no molecule')],
        'k.xlsx': [(None, 'not a pose')],
    }
    assert sorted(poses.names) == ['A', 'B']
    assert values(poses, 'minimizedAffinity', poses.names.index('B')) == [
        -1, -2, -3
    ]  # fmt: skip
    text = str(poses.report)
    for name in by_file:
        assert name in text


def test_unreadable_file(make, read, tmp_path, monkeypatch):
    from pyg_multipose.io.source import text_file

    def refuse(*_):
        raise PermissionError('no')

    monkeypatch.setattr(text_file, 'open', refuse, raising=False)
    with pytest.warns(UserWarning, match='No poses were read'):
        poses = read(poses_of(make))
    (row,) = poses.report.dropped
    assert row.reason == 'no records' and 'unreadable: no' in row.detail


def test_no_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='does not exist'):
        read_poses(tmp_path / 'missing.sdf')
    with pytest.warns(UserWarning, match='No poses were read'):
        poses = read_poses(tmp_path)
    assert len(poses) == 0 and list(poses) == []
    assert poses.report.dropped[0].reason == 'empty folder'


def test_not_utf8(make, read, why):
    text = poses_of(make, title='CPD-µ')
    assert read(text.encode('utf-8')).names == ['CPD-µ']
    assert read(b'\xef\xbb\xbf' + text.encode()).names == ['CPD-µ']
    joined = ''.join(f'\ufeff{poses_of(make, count=1)}' for _ in range(2))
    assert read(joined).names == ['A']
    poses = read(text.encode('cp1252'))
    assert poses.names == ['CPD-µ']
    assert why(poses, 'flagged') == [(n, 'not UTF-8') for n in (1, 2, 3)]


def test_nothing_goes_to_stdout_or_stderr(make, read, capfd):
    text = poses_of(make) + make.sdf('x\n\n\nnothing', 'B')
    read(text)
    read(text, template='CC(C)CO')
    assert capfd.readouterr() == ('', '')
    read(text, progress=True)
    out, err = capfd.readouterr()
    assert out == '' and 'Reading poses' in err


# Records that are no poses ##################################################


def test_reference_first(make, read, why):
    poses = read(make.sdf(make.embedded('c1ccccc1C'), 'x1') + poses_of(make))
    assert poses.names == ['A']
    assert why(poses) == [(1, 'not a pose')]
    assert 'reference' in poses.report.dropped[0].detail


def test_reference_first_under_the_name_of_the_ligand(make, read, why):
    same = make.sdf(make.embedded('CC(C)CO', 9), 'A')
    poses = read(same + poses_of(make))
    # It may be a pose without a score: kept, and said.
    scores = values(poses, 'minimizedAffinity')
    assert math.isnan(scores[0]) and scores[1:] == [-1, -2, -3]
    assert (1, 'no score in the first record') in why(poses, 'flagged')
    other = make.sdf(make.embedded('CCCCO', 9), 'A')
    poses = read(other + poses_of(make))
    assert values(poses, 'minimizedAffinity') == [-1, -2, -3]
    assert why(poses) == [(1, 'another molecule under one id')]


def test_reference_first_that_has_a_template_is_a_ligand(make, read):
    text = make.sdf(make.embedded(ETHANOL), 'B') + poses_of(make)
    assert read(text).names == ['A']
    assert read(text, template={'B': ETHANOL}).names == ['B', 'A']


def test_receptor_anywhere(make, read, why):
    peptide = make.sdf(make.embedded('NCC(=O)NCC(=O)NCC(=O)NCC(=O)O'), '9XYZ')
    poses = read(poses_of(make) + peptide + poses_of(make, title='B'))
    assert poses.names == ['A', 'B']
    assert why(poses) == [(4, 'not a pose')]
    # With a score it is a ligand, and so it is where nothing has scores.
    scored = peptide.replace('M  END\n', 'M  END\n> <CNNscore>\n0.5\n\n')
    assert read(poses_of(make) + scored).names == ['A', '9XYZ']
    with pytest.warns(UserWarning, match='one pose'):
        assert len(read(peptide + make.sdf(make.embedded('CCO'), 'A'))) == 2


def test_mark_of_glide(make, read, why):
    text = make.sdf(
        make.embedded('NCC(=O)O'),
        'r',
        [('b_glide_receptor', 1), ('r_i_docking_score', -9)],
    )
    poses = read(poses_of(make) + text)
    assert why(poses) == [(4, 'not a pose')]


def test_input_of_docking(make, read, why):
    text = make.pdbqt(make.embedded('CCO', hydrogens=True), 'CCO', score=None)
    out = make.models(make.pdbqt(make.embedded('CCO', hydrogens=True), 'CCO'))
    poses = read({'a.pdbqt': text, 'a_out.pdbqt': out})
    assert poses.names == ['a_out'] and why(poses) == [(1, 'not a pose')]
    poses = read({'b.pdbqt': text})
    assert values(poses, 'vina_affinity') != values(poses, 'vina_affinity')


# Groups #####################################################################


def test_empty_titles_never_form_a_group(make, read, why):
    text = poses_of(make, title='') + poses_of(make, title=' ')
    with pytest.warns(UserWarning, match='No poses'):
        poses = read(text)
    assert [reason for _, reason in why(poses)] == ['empty title'] * 6
    assert 'group_by' in poses.report.dropped[0].detail
    assert read(text, group_by='file').num_poses.tolist() == [6]


def test_one_pose_in_nearly_every_set_is_warned_of(make, read, why):
    text = ''.join(
        poses_of(make, count=1, title=f'A_pose{n}') for n in range(4)
    )
    with pytest.warns(UserWarning, match='4 of 4 sets have one pose'):
        poses = read(text)
    assert why(poses, 'flagged') == [(None, 'nearly every set has one pose')]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        poses = read(text, pattern=r'(.+)_pose\d')
    assert poses.names == ['A'] and poses.num_poses.tolist() == [4]
    # They are one pose, four times.
    assert why(poses, 'flagged') == [(n, 'duplicate pose') for n in (2, 3, 4)]


def test_groups_by_a_data_item(make, read, why):
    text = ''.join(
        make.sdf(make.embedded(ETHANOL, seed), 'x', items)
        for seed, items in enumerate(
            [
                [('id', 'A')],
                [('id', 'B')],
                [('id', ' A ')],
                [('id', '')],
                [],
                [('id', 'A'), ('id', 'B')],
                [('id', '0012')],
                [('id', '0012')],
            ],
            start=1,
        )
    )
    poses = read(text, group_by='id')
    assert poses.names == ['A', 'B', '0012']
    assert [[n for _, n in of_set] for of_set in poses.records] == [
        [1, 3], [2], [7, 8]
    ]  # fmt: skip
    assert [record for record, _ in why(poses)] == [4, 5, 6]


def test_one_set_from_several_files(make, read, why):
    poses = read(
        {'run1/a.sdf': poses_of(make, count=2), 'run2/a.sdf': poses_of(make)}
    )
    assert poses.num_poses.tolist() == [5]
    reasons = [reason for _, reason in why(poses, 'flagged')]
    assert 'one set from several files' in reasons
    assert reasons.count('duplicate pose') == 2


def test_ids_that_are_nearly_the_same(make, read, why):
    poses = read(poses_of(make, title='cpd-1') + poses_of(make, title='CPD-1'))
    assert poses.names == ['cpd-1', 'CPD-1']
    assert why(poses, 'flagged') == [(None, 'ids that are nearly the same')]


# Scores #####################################################################


@pytest.mark.parametrize('text', ['', 'nan', 'N/A', '-7,4', 'inf', None])
def test_missing_scores(make, read, text):
    """Never 0, and never that of a neighbour."""
    records = [
        make.sdf(
            make.embedded(ETHANOL, seed),
            'A',
            [('CNNscore', 0.1 * seed), ('docking_score', score)]
            if score is not None
            else [('CNNscore', 0.1 * seed)],
        )
        for seed, score in enumerate([-1, text, -3, text], start=1)
    ]
    for order in ([0, 1, 2, 3], [1, 0, 3, 2]):
        poses = read(''.join(records[place] for place in order))
        scores = values(poses, 'docking_score')
        for place, score in zip(order, scores, strict=True):
            assert math.isnan(score) if place % 2 else score == -1 - place
        rows = [
            row.record
            for row in poses.report.flagged
            if row.reason == 'missing score'
        ]
        assert rows == [n for n, place in enumerate(order, 1) if place % 2]
        assert values(poses, 'CNNscore') == pytest.approx(
            [0.1 * (place + 1) for place in order]
        )


def test_score_out_of_range_is_kept_and_flagged(make, read, why):
    text = ''.join(
        make.sdf(make.embedded(ETHANOL, seed), 'A', items)
        for seed, items in enumerate(
            [
                [('CNNscore', 0.5), ('docking_score', -7)],
                [('CNNscore', 1.5), ('docking_score', 10000.0)],
                [('CNNscore', -0.5), ('docking_score', 12.5)],
            ],
            start=1,
        )
    )
    poses = read(text)
    assert values(poses, 'CNNscore') == [0.5, 1.5, -0.5]
    assert values(poses, 'docking_score') == [-7, 10000, 12.5]
    assert why(poses, 'flagged') == [
        (record, 'score out of range') for record in (2, 2, 3)
    ]


def test_scores_of_your_own(make, read, why):
    mol = make.embedded(ETHANOL)
    items = [('CNNscore', 0.5), ('my score', 3), ('pIC50', 7)]
    text = make.sdf(mol, 'A', items) + make.sdf(
        make.embedded(ETHANOL, 2), 'A', items[:1]
    )
    assert list(read(text).scores) == ['CNNscore']
    mine = Score('my score', 'bits', True)
    poses = read(text, scores=[mine, 'CNNaffinity'])
    assert poses.scores == {
        'my_score': mine, 'CNNaffinity': KNOWN['CNNaffinity']
    }  # fmt: skip
    got = values(poses, 'my_score')
    assert got[0] == 3 and math.isnan(got[1])
    assert all(math.isnan(value) for value in values(poses, 'CNNaffinity'))
    assert 'pIC50' not in poses[0] and 'CNNscore' not in poses[0]
    assert why(poses, 'flagged') == [
        (2, 'missing score'), (None, 'missing score')
    ]  # fmt: skip
    with pytest.raises(ValueError, match="'pIC50' is not known"):
        read(text, scores=['pIC50'])
    with pytest.raises(ValueError, match='features of atoms'):
        read(text, scores=[Score('aromatic', '', True)])


def test_scores_that_are_not_known_are_said(make, read, why):
    text = ''.join(
        make.sdf(make.embedded(ETHANOL, seed), 'A', [('my score', seed)])
        for seed in (1, 2)
    )
    poses = read(text)
    assert why(poses, 'flagged') == [(None, 'no known scores')]
    assert 'my score' in poses.report.flagged[0].detail


# Molecules ##################################################################


@pytest.mark.parametrize(
    'one, other, reason',
    [
        ('C[C@H](N)CO', 'C[C@@H](N)CO', 'another stereoisomer'),
        ('CCCN', 'CCC[NH3+]', 'another charge or protonation state'),
        ('CC(=O)C', 'CC(O)=C', 'another tautomer, valence or resonance form'),
        ('CCCO', 'CC(C)O', 'another molecule'),
        ('CCO', 'CCS', 'another molecule'),
    ],
)
@pytest.mark.parametrize('hydrogens', [True, False])
def test_another_molecule_under_one_id(
    make, read, why, one, other, reason, hydrogens
):
    records = [
        make.sdf(make.embedded(smiles, seed, hydrogens), 'A')
        for seed, smiles in enumerate([other, one, one], start=1)
    ]
    poses = read(''.join(records))
    assert poses.smiles == [Chem.CanonSmiles(one)]
    assert why(poses) == [(1, f'{reason} under one id')]
    # In a tie, the first record says what the molecule is.
    poses = read(''.join(records[:2]))
    assert poses.smiles == [Chem.CanonSmiles(other)]
    # A template knows.
    poses = read(''.join(records), template={'A': other})
    assert poses.smiles == [Chem.CanonSmiles(other)]
    assert [row[0] for row in why(poses)] == [2, 3]


def test_hydrogens_written_or_not_are_one_molecule(make, read):
    mol = make.embedded('Cc1c[nH]c2ccccc12', hydrogens=True)
    deuterated = Chem.Mol(mol)
    for atom in deuterated.GetAtoms():
        if atom.GetSymbol() == 'H':
            atom.SetIsotope(2)
    texts = [
        make.sdf(record, 'A')
        for record in (
            mol,
            Chem.RemoveHs(mol),
            make.shuffled(mol),
            make.shuffled(deuterated),
        )
    ]
    texts.append(texts[0].replace(' H  ', ' D  '))
    poses = read(''.join(texts))
    assert poses.num_poses.tolist() == [5]
    assert 1 not in poses[0].z
    pos = poses[0].pos.view(5, -1, 3)
    torch.testing.assert_close(pos, pos[:1].expand(5, -1, -1))


def test_hydrogens_are_kept_if_asked_for(make, read, why):
    mol = make.embedded('CC(C)O', hydrogens=True)
    text = ''.join(
        make.sdf(record, 'A')
        for record in (mol, make.shuffled(mol), Chem.RemoveHs(mol))
    )
    poses = read(text, hydrogens=True)
    assert why(poses) == [(3, 'other hydrogens')]
    assert poses.num_poses.tolist() == [2]
    for pose in poses[0].to_poses():
        assert pose.z.tolist() == [6, 6, 6, 8] + [1] * 8
        i, j = pose.bond_index
        assert len(i) == 22
        lengths = (pose.pos[i] - pose.pos[j]).norm(dim=-1)
        assert 0.9 < lengths.min() and lengths.max() < 1.6


def test_bonds_have_lengths_of_bonds_in_every_pose(make, read):
    """Atoms in another order are put where they belong."""
    smiles = 'C[C@H](Nc1ccc(C(F)(F)F)cn1)C(=O)N1CCOCC1'
    text = ''.join(
        make.sdf(make.shuffled(make.embedded(smiles, seed), seed), 'A')
        for seed in range(1, 6)
    )
    poses = read(text)
    assert poses.num_poses.tolist() == [5]
    assert not poses.report.rows
    for pose in poses[0].to_poses():
        i, j = pose.bond_index
        lengths = (pose.pos[i] - pose.pos[j]).norm(dim=-1)
        assert 1.1 < lengths.min() and lengths.max() < 1.7


def test_several_molecules_in_a_record(make, read, why):
    poses = read(make.sdf(make.embedded('CC(C)[NH3+].[Cl-]'), 'A'))
    assert poses.num_poses.tolist() == [1]
    assert why(poses, 'flagged') == [(1, 'several molecules in a record')]


def test_no_atom_of_number_zero(make, read, why):
    text = poses_of(make)
    bad = text.replace(' O  ', ' R# ', 1).replace(' O  ', ' *  ', 1)
    poses = read(bad)
    assert [record for record, _ in why(poses)] == [1, 2]
    assert poses[0].z.min() > 0


def test_templates_without_poses(make, read, why):
    poses = read(
        poses_of(make), template={'A': 'CC(C)CO', 'B': 'CCO', 'C': 'C'}
    )
    assert why(poses, 'flagged') == [(None, 'template without poses')] * 2


def test_template_of_another_id_is_not_used(make, read):
    spoiled = make.sdf(make.embedded('C[N+](C)(C)CC'), 'A').replace(
        'M  CHG', 'M  XXX'
    )
    text = spoiled + poses_of(make, title='B')
    poses = read(text, template={'C': 'C[N+](C)(C)CC'})
    assert poses.names == ['B']
    poses = read(text, template={'A': 'C[N+](C)(C)CC'})
    assert poses.names == ['A', 'B']
    # One SMILES alone is for all ligands.
    poses = read(text, template='C[N+](C)(C)CC')
    assert poses.names == ['A']


def test_a_single_template_of_files(make, read, tmp_path):
    model = make.pdbqt(make.embedded('CCO', hydrogens=True))
    path = tmp_path / 't.smi'
    path.write_text('CCO CPD-1\n')
    poses = read({'a.pdbqt': make.models(model)}, template=path)
    assert poses.names == ['CPD-1']
    # Two files are two sets, so that each keeps its own name.
    texts = {'a.pdbqt': make.models(model), 'b.pdbqt': make.models(model)}
    with pytest.warns(UserWarning, match='one pose'):
        poses = read(texts, template=path)
    assert poses.names == ['a', 'b']


# DiffDock ###################################################################


def test_folder_of_diffdock(make, read, why, tmp_path):
    def pose(seed):
        return make.sdf(make.embedded(ETHANOL, seed), '')

    texts = {
        'c/rank1.sdf': pose(1),
        'c/rank1_confidence0.07.sdf': pose(1),
        'c/rank2_confidence-1.20.sdf': pose(2),
        'c/rank10_confidencenan.sdf': pose(3),
        'd/rank1.sdf': pose(1),
        'd/rank2.sdf': pose(2),
        'd/visualisation.png': b'\x89PNG',
    }
    poses = read(texts, paths=[tmp_path])
    assert poses.names == ['c', 'd']
    first, second = (values(poses, 'confidence', i) for i in (0, 1))
    assert first[:2] == pytest.approx([0.07, -1.2]) and math.isnan(first[2])
    assert all(math.isnan(value) for value in second)
    assert why(poses) == [
        (None, 'not a pose'), (1, "DiffDock's copy of a pose")
    ]  # fmt: skip
    # A folder of one complex has its own name.
    assert read_poses(tmp_path / 'c').names == ['c']


def test_confidence_is_of_one_pose(make, read):
    text = poses_of(make, count=2)
    poses = read({'c/rank1_confidence0.5.sdf': text})
    first, second = values(poses, 'confidence')
    assert first == 0.5 and math.isnan(second)
    # Another program may call its files alike.
    poses = read({'d/rank1.sdf': text})
    assert list(poses.scores) == ['minimizedAffinity']


# The report #################################################################


def test_report_names_every_record(make, read):
    good = poses_of(make)
    flat = make.embedded(ETHANOL)
    flat.GetConformer().SetPositions(
        flat.GetConformer().GetPositions() * [1, 1, 0]
    )
    text = good + make.sdf(flat, 'F  ') + make.sdf('x\nnothing', 'bad\x07id')
    poses = read(text)
    report = poses.report
    assert (report.num_seen, report.num_kept, report.num_dropped) == (5, 3, 2)
    assert [(row.record, row.title) for row in report.dropped] == [
        (4, 'F'), (5, 'bad?id')
    ]  # fmt: skip
    assert report.summary.startswith('1 sets of 3 poses')
    assert 'minimizedAffinity (kcal/mol)' in report.summary
