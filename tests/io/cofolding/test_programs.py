"""Samples of each program are found, with their own confidences."""

import numpy as np
import pytest
import torch

from pyg_multipose.io import read_cofolded


def check(poses, three, fold, key, name='CPD-1'):
    assert poses.names == [name] and poses.num_poses.tolist() == [3]
    assert poses.smiles == [fold.SMILES]
    (pose_set,) = poses
    assert pose_set[key].tolist() == pytest.approx([0.9, 0.8, 0.7])
    check_shapes(pose_set, three)


def check_shapes(pose_set, complexes):
    """Each pose is a file's complex, moved as a whole."""
    for number, atoms in enumerate(complexes):
        expected = np.array([a.xyz for a in atoms])
        whole = pose_set.pose(number)
        got = whole.pos.double().numpy()
        assert whole.is_ligand.tolist() == [a.is_ligand for a in atoms]
        far = np.linalg.norm(expected[:, None] - expected, axis=2)
        now = np.linalg.norm(got[:, None] - got, axis=2)
        assert np.abs(far - now).max() < 2e-3
        # No mirror image.
        e, g = expected - expected.mean(0), got - got.mean(0)
        assert np.linalg.det(e.T @ g) > 0
        if number == 0:
            assert np.abs(expected - got).max() < 1e-3


@pytest.mark.parametrize('suffix', ['cif', 'pdb'])
def test_boltz(tmp_path, fold, three, suffix):
    fold.write_boltz(tmp_path, 'CPD-1', three, suffix=suffix)
    poses = read_cofolded(tmp_path, fold.SMILES)
    check(poses, three, fold, 'confidence_score')
    assert list(poses.scores) == ['confidence_score', 'iptm']
    score = poses.scores['confidence_score']
    assert (score.unit, score.higher_is_better) == ('0 to 1', True)
    files = [f'predictions/CPD-1/CPD-1_model_{n}.{suffix}' for n in range(3)]
    assert poses.records == [[(str(tmp_path / f), 1) for f in files]]
    (row,) = poses.report.rows
    assert '3 files of other kinds are not read' in row.detail
    assert 'plddt_CPD-1_model_0.npz' in row.detail


def test_affinity_is_of_the_first_sample(tmp_path, fold, three):
    at = fold.write_boltz(tmp_path, 'CPD-1', three)
    (at / 'affinity_CPD-1.json').write_text(
        '{"affinity_pred_value": -1.5, "affinity_probability_binary": 0.7}'
    )
    poses = read_cofolded(tmp_path, fold.SMILES)
    (pose_set,) = poses
    assert pose_set.affinity_pred_value[0] == -1.5
    assert pose_set.affinity_pred_value.isnan().tolist() == [False, True, True]
    score = poses.scores['affinity_pred_value']
    assert (score.unit, score.higher_is_better) == ('log10(IC50/uM)', False)
    assert not poses.report.flagged


def test_chai(tmp_path, fold, three):
    fold.write_chai(tmp_path / 'CPD-1', three)
    poses = read_cofolded(tmp_path, fold.SMILES)
    check(poses, three, fold, 'aggregate_score')
    assert poses[0].has_inter_chain_clashes.tolist() == [0.0, 1.0, 0.0]
    assert not poses.scores['has_inter_chain_clashes'].higher_is_better
    assert not poses.report.rows


def test_trunks_of_chai(tmp_path, fold, three):
    for number, sample in enumerate(three):
        fold.write_chai(
            tmp_path / 'CPD-1' / f'trunk_{number}',
            [sample],
            [0.9 - 0.1 * number],
        )
    poses = read_cofolded(tmp_path, fold.SMILES)
    check(poses, three, fold, 'aggregate_score')
    assert not poses.report.flagged


@pytest.mark.parametrize('prefix', [True, False])
def test_alphafold3(tmp_path, fold, prefix):
    samples = fold.samples(3, name='LIG_B')
    fold.write_alphafold3(tmp_path, 'CPD-1', samples, prefix)
    poses = read_cofolded(tmp_path, fold.SMILES)
    check(poses, samples, fold, 'ranking_score')
    reasons = sorted(poses.report.reasons())
    assert reasons == ['a copy of the best sample', 'not a sample']


def test_best_sample_of_alphafold3_alone(tmp_path, fold, three):
    job = fold.write_alphafold3(tmp_path / 'all', 'CPD-1', three)
    for file in ('CPD-1_model.cif', 'CPD-1_summary_confidences.json'):
        (job / file).rename(tmp_path / file)
    poses = read_cofolded(
        [tmp_path / 'CPD-1_model.cif', tmp_path / 'CPD-1_model.cif'],
        fold.SMILES,
    )
    assert poses.names == ['CPD-1'] and poses.num_poses.tolist() == [1]
    assert poses[0].ranking_score.tolist() == pytest.approx([0.9])


def test_alphafold_server(tmp_path, fold, three):
    fold.write_server(tmp_path, 'CPD-1', three)
    poses = read_cofolded(tmp_path, fold.SMILES)
    check(poses, three, fold, 'ranking_score')
    assert not poses.report.rows


@pytest.mark.parametrize('old', [True, False])
@pytest.mark.parametrize('name', ['CPD-1', 'CPD_101'])
def test_protenix(tmp_path, fold, three, old, name):
    fold.write_protenix(tmp_path, name, three, old)
    poses = read_cofolded(tmp_path, fold.SMILES)
    check(poses, three, fold, 'ranking_score', name)
    assert poses[0].plddt.tolist() == [81.5] * 3
    assert poses.scores['gpde'].unit == 'Angstrom'
    assert not poses.scores['gpde'].higher_is_better
    assert not poses.report.rows


def test_several_programs_and_ids(tmp_path, fold, three):
    fold.write_boltz(tmp_path, 'CPD-1', three[:2])
    fold.write_chai(tmp_path / 'CPD-2', three)
    poses = read_cofolded(tmp_path, fold.SMILES)
    assert dict(zip(poses.names, poses.num_poses.tolist(), strict=True)) == {
        'CPD-1': 2,
        'CPD-2': 3,
    }
    one = poses[poses.names.index('CPD-1')]
    assert one.aggregate_score.isnan().all()
    assert not one.confidence_score.isnan().any()
    assert not poses.report.flagged  # no program lacks what others write


def test_files_that_are_no_samples(tmp_path, fold, three):
    at = fold.write_boltz(tmp_path, 'CPD-1', three)
    (tmp_path / 'receptor.pdb').write_text(fold.pdb(three[0]))
    (at / 'CPD-1_best_model.cif').write_text(fold.cif(three[0]))
    poses = read_cofolded([tmp_path, at], fold.SMILES)
    assert poses.num_poses.tolist() == [3]
    rows = {
        (row.file.rpartition('/')[2], row.reason)
        for row in poses.report.dropped
    }
    assert ('receptor.pdb', 'not a sample') in rows
    assert ('CPD-1_best_model.cif', 'not a sample') in rows
    assert ('CPD-1_model_0.cif', 'given twice') in rows


def test_gzip(tmp_path, fold, three):
    import gzip

    at = fold.write_boltz(tmp_path, 'CPD-1', three)
    for path in list(at.glob('*.cif')):
        packed = gzip.compress(path.read_bytes())
        path.with_name(f'{path.name}.gz').write_bytes(packed)
        path.unlink()
    poses = read_cofolded(tmp_path, fold.SMILES)
    check(poses, three, fold, 'confidence_score')


def test_poses_are_in_the_order_of_samples(tmp_path, fold):
    complexes = fold.samples(12)
    fold.write_boltz(
        tmp_path, 'CPD-1', complexes, [n / 100 for n in range(12)]
    )
    (pose_set,) = read_cofolded(tmp_path, fold.SMILES)
    expected = torch.arange(12) / 100
    torch.testing.assert_close(pose_set.confidence_score, expected)
    check_shapes(pose_set, complexes)
