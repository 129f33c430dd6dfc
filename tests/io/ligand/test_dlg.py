import math

import pytest

Chem = pytest.importorskip('rdkit.Chem')

SMILES = 'CC(=O)Nc1ccc(O)cc1'
SCORE = 'autodock_free_energy'


@pytest.fixture
def mols(make):
    return [make.embedded(SMILES, seed, hydrogens=True) for seed in (1, 2)]


@pytest.fixture
def models(make, mols):
    return [make.pdbqt(mol, SMILES, score=None) for mol in mols]


def scores(poses):
    return [round(s, 4) for s in poses[0][SCORE].tolist()]


def check(poses, mols):
    """The atoms of each pose are where its model has them."""
    assert poses.smiles == [SMILES]
    for pose, mol in zip(poses[0].to_poses(), mols, strict=True):
        pos = Chem.RemoveHs(mol).GetConformer().GetPositions()
        assert abs(pose.pos.numpy() - pos).max() < 1e-3


@pytest.mark.parametrize('remarks', [True, False])
@pytest.mark.parametrize('program', ['AutoDock-GPU', 'AutoDock 4.2.6'])
@pytest.mark.parametrize('name', ['CPD-1.dlg', 'CPD-1.dlg.gz'])
def test_log(read, make, mols, models, remarks, program, name):
    """What comes after the models is not read once more."""
    pairs = list(zip((-6.1, -7.3), models, strict=True))
    text = make.dlg(*pairs, remarks=remarks, program=program)
    poses = read({name: text})
    assert poses.names == ['CPD-1'] and not poses.report.rows
    assert scores(poses) == [-6.1, -7.3]
    assert poses.scores[SCORE].unit == 'kcal/mol'
    assert not poses.scores[SCORE].higher_is_better
    check(poses, mols)


def test_other_energies_are_data_items(read, make, models):
    from pyg_multipose.io import Score

    other = Score('Final Intermolecular Energy', 'kcal/mol', False)
    poses = read({'a.dlg': make.dlg((-6.1, models[0]))}, scores=[other])
    assert poses[0].Final_Intermolecular_Energy.tolist() == pytest.approx(
        [-7.1]
    )
    poses = read({'a.dlg': make.dlg((-6.1, models[0]))}, group_by='Run')
    assert poses.names == ['1']


def test_without_bonds(read, make, mols, why):
    bare = [make.pdbqt(mol, None, score=None) for mol in mols]
    text = make.dlg(*zip((-6.1, -7.3), bare, strict=True))
    with pytest.warns(UserWarning, match='No poses'):
        poses = read({'a.dlg': text})
    assert why(poses) == [(1, 'no bonds'), (2, 'no bonds')]
    poses = read({'a.dlg': text}, template={'CPD-1': SMILES})
    assert poses.names == ['CPD-1'] and scores(poses) == [-6.1, -7.3]
    check(poses, mols)


def test_joined_logs(read, make, mols, models):
    """The remarks on an input are those of the models after it."""
    other = make.embedded('OCC(F)=O', hydrogens=True)
    text = make.dlg(
        (-3.5, make.pdbqt(other, 'OCC(F)=O', score=None)), remarks=False
    ) + make.dlg((-6.1, models[0]), remarks=False)
    poses = read({'a.dlg': text})
    (row,) = poses.report.dropped  # two compounds under one name
    assert row.reason == 'another molecule under one id'
    assert poses.smiles == ['O=C(F)CO']


@pytest.mark.parametrize(
    'old, new, what',
    [
        ('   -7.30 kcal/mol', 'nan kcal/mol', 'nan'),
        ('   -7.30 kcal/mol', ' kcal/mol', 'no such data item'),
        ('   -7.30 kcal/mol', ' -7.30 kJ/mol', 'no such data item'),
        ('   -7.30 kcal/mol', ' -7,30 kcal/mol', 'not a number'),
        ('   -7.30 kcal/mol', '********* kcal/mol', 'not a number'),
    ],
)
def test_missing_energy(read, make, models, old, new, what):
    text = make.dlg((-6.1, models[0]), (-7.3, models[1]))
    assert text.count(old) == 1
    poses = read({'a.dlg': text.replace(old, new)})
    got = scores(poses)
    assert got[0] == -6.1 and math.isnan(got[1])
    (row,) = poses.report.flagged
    assert (row.record, row.reason) == (2, 'missing score')
    assert what in row.detail


def test_energies_without_blanks(read, make, models):
    text = make.dlg((-6.1, models[0]), (None, models[1]))
    text = text.replace('=    -6.10 kcal', '=-1234.56 kcal')
    got = scores(read({'a.dlg': text}))
    assert got[0] == pytest.approx(-1234.56) and math.isnan(got[1])


def test_damage(read, make, mols, models, why):
    """Each model fails alone."""
    text = make.dlg((-6.1, models[0]), (-7.3, models[1]))
    lines = text.splitlines(keepends=True)
    docked = [n for n, line in enumerate(lines) if line.startswith('DOCKED:')]
    half = docked[len(docked) // 2 :]
    for place in half:
        poses = read({'a.dlg': ''.join(lines[:place] + lines[place + 1 :])})
        assert scores(poses)[0] == -6.1
        check(poses, mols[: poses[0].num_poses])
    cut = ''.join(lines[: docked[-3]])
    poses = read({'a.dlg': cut})
    assert scores(poses) == [-6.1] and why(poses) == [(2, 'incomplete model')]


def test_nothing_docked(read, make, models, why):
    text = make.dlg((-6.1, models[0]))
    head = text[: text.index('DOCKED')]
    with pytest.warns(UserWarning, match='No poses'):
        poses = read({'a.dlg': head})
    assert why(poses) == [(1, 'no docked model')]


def test_long_lines_take_no_time(read, make, models):
    line = 'USER ' + ' ' * 500_000 + 'x\nUSER = = =' + ' x' * 200_000 + '\n'
    model = models[0].replace('ROOT\n', line + 'ROOT\n', 1)
    poses = read({'a.dlg': make.dlg((-6.1, model), (-7.3, models[1]))})
    assert scores(poses)[-1] == -7.3
