"""Bad samples are named, with the reason; the good ones survive."""

import json
import re
import zipfile

import numpy as np
import pytest

from pyg_multipose.io import read_cofolded


@pytest.fixture
def write(tmp_path, fold, three):
    """Writes three samples, one of them changed, and reads them."""

    def of(change=None, which=1, suffix='cif'):
        complexes = [list(atoms) for atoms in three]
        if change is not None:
            complexes[which] = change(
                [fold.Atom(**vars(a)) for a in complexes[which]]
            )
        at = fold.write_boltz(tmp_path, 'CPD-1', complexes, suffix=suffix)
        return at, lambda **kwargs: read_cofolded(
            at, kwargs.pop('template', fold.SMILES), **kwargs
        )

    return of


def check_dropped(poses, which, reason, *words):
    """One sample is dropped; the others have their own confidences."""
    (row,) = [row for row in poses.report.dropped if row.record]
    assert row.file.endswith(f'CPD-1_model_{which}.cif')
    assert (row.record, row.reason) == (1, reason)
    assert row.title == f'CPD-1, model {which}'
    assert all(word in row.detail for word in words), row.detail
    left = [0.9 - 0.1 * n for n in range(3) if n != which]
    assert poses[0].confidence_score.tolist() == pytest.approx(left)
    poses.report.check()


# Complexes ###################################################################


@pytest.mark.parametrize('which', [0, 1, 2])
def test_another_sequence(write, which):
    def change(atoms):
        for atom in atoms:
            if atom.number == 5 and not atom.is_ligand:
                atom.residue = 'ILE'
        return atoms

    _, read = write(change, which)
    check_dropped(read(), which, 'another sequence', 'ILE A/5', 'LEU A/5')


def test_a_longer_sequence(write, fold):
    def change(atoms):
        extra = [
            fold.Atom(**{**vars(a), 'number': 13, 'xyz': a.xyz + 9.0})
            for a in atoms
            if a.number == 12 and not a.is_ligand
        ]
        return [*atoms, *extra]

    _, read = write(change)
    check_dropped(read(), 1, 'another sequence', '13 residues', '12')


@pytest.mark.parametrize('which', [0, 1])
def test_another_number_of_atoms(write, which):
    def change(atoms):
        return [
            a for a in atoms if not (a.name == 'CG2' and a.residue == 'VAL')
        ]

    _, read = write(change, which)
    check_dropped(read(), which, 'another number of atoms', 'VAL A/3 CG2')


def test_other_atoms(write):
    def change(atoms):
        for atom in atoms:
            if atom.name == 'OG' and not atom.is_ligand:
                atom.name = 'OG9'
        return atoms

    _, read = write(change)
    check_dropped(read(), 1, 'other atoms', 'OG9')


def test_another_order_of_atoms(write, three):
    """It is no fault: atoms have names."""

    def change(atoms):
        return sorted(atoms[::-1], key=lambda a: (a.is_ligand, a.number))

    _, read = write(change)
    poses = read()
    assert poses.num_poses.tolist() == [3]
    expected = np.array([a.xyz for a in three[1]])
    got = poses[0].pose(1).pos.double().numpy()
    far = np.linalg.norm(expected[:, None] - expected, axis=2)
    receptor = ~np.array([a.is_ligand for a in three[1]])
    now = np.linalg.norm(got[:, None] - got, axis=2)
    assert np.abs(far - now)[receptor][:, receptor].max() < 1e-3


def test_another_ligand(write, fold):
    def change(atoms):
        other = fold.molecule('CC(=O)Nc1ccc(O)cc1', start=(3, 2, 1))
        return [a for a in atoms if not a.is_ligand] + other

    _, read = write(change)
    check_dropped(
        read(), 1, 'another number of atoms', 'LIG B/1', 'heavy atoms'
    )


def test_an_isomer(write, fold):
    def change(atoms):
        start = np.mean([a.xyz for a in atoms if a.is_ligand], axis=0)
        other = fold.molecule('C#CC(=O)Nc1cnc2[nH]cc(Cl)c2c1', start=start)
        return [a for a in atoms if not a.is_ligand] + other

    _, read = write(change)
    check_dropped(read(), 1, 'another molecule than its template', 'LIG B/1')


def test_another_element(write):
    def change(atoms):
        for atom in atoms:
            if atom.element == 'Cl':
                atom.element = 'Br'
        return atoms

    _, read = write(change)
    check_dropped(read(), 1, 'another ligand', 'its elements')


def test_no_ligand(write):
    _, read = write(lambda atoms: [a for a in atoms if not a.is_ligand])
    check_dropped(read(), 1, 'no ligand', 'chains and metals alone')


def test_another_stereoisomer(tmp_path, fold):
    complexes = fold.samples(3, smiles='C[C@H](N)c1ccccc1Cl')
    complexes[1] = [
        fold.Atom(
            **{**vars(a), 'xyz': a.xyz * [1, 1, -1] if a.is_ligand else a.xyz}
        )
        for a in complexes[1]
    ]
    at = fold.write_boltz(tmp_path, 'CPD-1', complexes)
    poses = read_cofolded(at, 'C[C@H](N)c1ccccc1Cl')
    check_dropped(poses, 1, 'another stereoisomer than its template')
    # Where the template leaves it open, most decide.
    poses = read_cofolded(at, 'CC(N)c1ccccc1Cl')
    check_dropped(poses, 1, 'another stereoisomer under one id')


def test_no_such_ligand(write):
    _, read = write()
    with pytest.warns(UserWarning, match='No samples'):
        poses = read(ligand='XYZ')
    rows = [row for row in poses.report.dropped if row.record]
    assert {row.reason for row in rows} == {'unreadable complex'}
    assert "no residue ['XYZ']" in rows[0].detail


@pytest.mark.parametrize(
    'text, word',
    [
        ('', 'empty'),
        ('data_model\n#\n', 'no atoms'),
        ('<html>404</html>', 'no mmCIF'),
        ('a\0b', 'NUL'),
    ],
)
def test_damaged_files(write, text, word):
    at, read = write()
    (at / 'CPD-1_model_1.cif').write_text(text)
    check_dropped(read(), 1, 'unreadable complex', word)


def test_coordinates_that_are_none(write):
    at, read = write()
    path = at / 'CPD-1_model_1.cif'
    lines = path.read_text().splitlines()
    lines[-3] = re.sub(r'-?\d+\.\d{5}', 'nan', lines[-3], count=1)
    path.write_text('\n'.join(lines))
    check_dropped(read(), 1, 'unreadable complex', 'Cartn_x', "'nan'")


def test_all_are_bad(write, fold):
    at, read = write()
    for path in at.glob('*.cif'):
        path.write_text('')
    with pytest.warns(UserWarning, match='No samples were read'):
        poses = read()
    assert len(poses) == 0
    assert poses.report.num_dropped == poses.report.num_seen == 3


# Confidences #################################################################


def missing(poses):
    return {
        row.file.rpartition('_')[2]: row.detail
        for row in poses.report.flagged
        if row.reason == 'missing score' and 'confidence_score' in row.detail
    }


def check_missing(poses, word):
    assert not [row for row in poses.report.dropped if row.record]
    found = missing(poses)
    assert list(found) == ['1.cif'] and word in found['1.cif'], found
    values = poses[0].confidence_score
    assert values.isnan().tolist() == [False, True, False]
    assert values[[0, 2]].tolist() == pytest.approx([0.9, 0.7])


def test_no_file_of_confidences(write):
    at, read = write()
    (at / 'confidence_CPD-1_model_1.json').unlink()
    check_missing(read(), 'does not exist')
    for number in (0, 2):
        (at / f'confidence_CPD-1_model_{number}.json').unlink()
    poses = read()
    assert list(poses.scores) == ['confidence_score']
    assert poses[0].confidence_score.isnan().all() and len(missing(poses)) == 3


@pytest.mark.parametrize(
    'text, word',
    [
        ('', 'no JSON'),
        ('{"confidence_score": 0.8', 'no JSON'),
        ('[0.8]', 'holds a list'),
        ('0.8', 'holds a float'),
        ('null', 'holds a NoneType'),
        ('[' * 100_000, 'no JSON'),
        ('{"iptm": 0.5}', "no 'confidence_score' in it"),
        ('{"confidence_score": null}', 'is null'),
        ('{"confidence_score": "high"}', "'high'"),
        ('{"confidence_score": [0.8, 0.7]}', 'not one number'),
        ('{"confidence_score": {"a": 1}}', 'not one number'),
        ('{"confidence_score": NaN}', 'not finite'),
        ('{"confidence_score": -Infinity}', 'not finite'),
        ('{"confidence_score": 1e999}', 'not finite'),
        ('{"confidence_score": 1' + 4000 * '0' + '}', 'not finite'),
        ('{"confidence_score": 1' + 9999 * '0' + '}', 'no JSON'),
        ('{"confidence_score": 0.8, "confidence_score": 0.1}', 'not one'),
        ('\xff\xfe', 'no JSON'),
    ],
)
def test_json_that_is_none(write, text, word):
    at, read = write()
    path = at / 'confidence_CPD-1_model_1.json'
    path.write_bytes(text.encode('latin-1'))
    check_missing(read(), word)


def test_confidences_that_are_no_file(write):
    at, read = write()
    path = at / 'confidence_CPD-1_model_1.json'
    path.unlink()
    path.mkdir()
    check_missing(read(), 'not a regular file')


def test_large_file_of_confidences(write, monkeypatch):
    from pyg_multipose.io.cofolding import confidences

    at, read = write()
    monkeypatch.setattr(confidences, 'MAX_SIZE', 200)
    path = at / 'confidence_CPD-1_model_1.json'
    path.write_text(json.dumps({'confidence_score': 0.8, 'x': [0] * 200}))
    check_missing(read(), 'expected at most 200')


def test_value_out_of_range(write):
    at, read = write()
    path = at / 'confidence_CPD-1_model_1.json'
    path.write_text('{"confidence_score": 80.0, "iptm": true}')
    poses = read()
    assert poses[0].confidence_score[1] == 80.0
    assert poses[0].iptm[1] == 1.0
    (row,) = poses.report.flagged
    assert row.reason == 'score out of range' and 'model_1' in row.file


def test_npz_that_is_none(tmp_path, fold, three):
    fold.write_chai(tmp_path, three)
    path = tmp_path / 'scores.model_idx_1.npz'
    good = path.read_bytes()

    class Evil:
        def __reduce__(self):
            return (print, ('unpickled',))

    def pickled():
        objects = np.array([Evil()], dtype=object)
        np.savez(path, aggregate_score=objects)

    def text():
        path.write_text('0.8')

    def cut():
        path.write_bytes(good[: len(good) // 2])

    def other():
        np.savez(path, ptm=np.array([0.5]))

    def two():
        np.savez(path, aggregate_score=np.array([0.5, 0.6]))

    def bomb():
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
            file.writestr('aggregate_score.npy', bytes(1 << 25))

    def no_array():
        with zipfile.ZipFile(path, 'w') as file:
            file.writestr('aggregate_score.npy', b'not an array')

    for spoil in (pickled, text, cut, other, two, bomb, no_array):
        spoil()
        poses = read_cofolded(tmp_path, fold.SMILES)
        values = poses[0].aggregate_score
        assert values.isnan().tolist() == [False, True, False], spoil
        assert values[[0, 2]].tolist() == pytest.approx([0.9, 0.7])
        rows = [
            row
            for row in poses.report.flagged
            if 'aggregate_score' in row.detail
        ]
        assert [row.reason for row in rows] == ['missing score'], spoil
        assert 'scores.model_idx_1.npz' in rows[0].detail
