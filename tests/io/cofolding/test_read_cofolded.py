"""What a reading of samples gives, and its options."""

import numpy as np
import pytest
import torch
from torch_geometric.loader import DataLoader

from pyg_multipose.io import Score, check_poses, read_cofolded
from pyg_multipose.testing import ReaderContract
from pyg_multipose.transforms import PocketCut, RadiusGraph


@pytest.fixture
def folder(tmp_path, fold, three):
    fold.write_boltz(tmp_path, 'CPD-1', three)
    return tmp_path / 'predictions'


def backbone(atoms):
    return np.array(
        [a.xyz for a in atoms if a.name in ('N', 'CA', 'C') and a.chain == 'A']
    )


def receptor_of(pose_set, number):
    whole = pose_set.pose(number)
    return whole.pos[~whole.is_ligand]


def kabsch_rmsd(mobile, target):
    """By the singular values alone."""
    p, q = mobile - mobile.mean(0), target - target.mean(0)
    values = np.linalg.svd(p.T @ q, compute_uv=False)
    values[-1] *= np.sign(np.linalg.det(p.T @ q))
    square = (p**2).sum() + (q**2).sum() - 2 * values.sum()
    return np.sqrt(max(square, 0) / len(p))


# One frame ###################################################################


def test_samples_are_in_one_frame(folder, fold, three):
    poses = read_cofolded(folder, fold.SMILES)
    (rmsd,) = poses.rmsd
    assert rmsd[0] == 0 and (rmsd < 0.02).all()
    (pose_set,) = poses
    names = [a.name for a in three[0] if not a.is_ligand]
    rows = [n for n, name in enumerate(names) if name in ('N', 'CA', 'C')]
    first = receptor_of(pose_set, 0)[rows]
    for number in range(3):
        off = receptor_of(pose_set, number)[rows] - first
        assert off.abs().max() < 0.01  # the backbones were the same
    assert 'RMSD of at most 0.00' in poses.report.summary


def test_rmsd_is_that_of_the_pocket(tmp_path, fold):
    protein = fold.peptide()
    complexes = fold.samples(2, protein=protein)
    random = np.random.default_rng(0)
    for atom in complexes[1]:
        atom.xyz = atom.xyz + 0.3 * random.normal(size=3) * (
            not atom.is_ligand
        )
    fold.write_boltz(tmp_path, 'CPD-1', complexes)
    poses = read_cofolded(tmp_path, fold.SMILES, pocket=100.0)
    expected = kabsch_rmsd(backbone(complexes[1]), backbone(complexes[0]))
    assert poses.rmsd[0].tolist() == pytest.approx([0, expected], abs=1e-3)
    near = read_cofolded(tmp_path, fold.SMILES, pocket=9.0)
    assert near.rmsd[0][1] > 0.05
    assert near.rmsd[0][1] != poses.rmsd[0][1]


def test_limit(tmp_path, fold, three):
    """A sample of another conformation is dropped, wherever it stands."""
    for odd in range(3):
        complexes = [list(atoms) for atoms in three]
        bent = [fold.Atom(**vars(a)) for a in complexes[odd]]
        for atom in bent:
            if not atom.is_ligand and atom.number > 6:
                atom.xyz = atom.xyz + np.array([12.0, 0.0, 0.0])
        complexes[odd] = bent
        fold.write_boltz(tmp_path / str(odd), 'CPD-1', complexes)
        poses = read_cofolded(tmp_path / str(odd), fold.SMILES, pocket=50.0)
        (row,) = [r for r in poses.report.dropped if r.record]
        assert row.reason == 'superposition above the limit'
        assert row.file.endswith(f'CPD-1_model_{odd}.cif') and row.record == 1
        assert 'limit 2 Angstrom' in row.detail and 'RMSD' in row.detail
        assert poses.num_poses.tolist() == [2]
        left = [0.9 - 0.1 * n for n in range(3) if n != odd]
        assert poses[0].confidence_score.tolist() == pytest.approx(left)
        wide = read_cofolded(
            tmp_path / str(odd), fold.SMILES, pocket=50.0, max_rmsd=10.0
        )
        assert wide.num_poses.tolist() == [3]


def test_snap(folder, fold):
    kept = read_cofolded(folder, fold.SMILES)[0]
    poses = read_cofolded(folder, fold.SMILES, snap=0.2)
    pose_set = poses[0]
    assert pose_set.num_nodes < kept.num_nodes
    (row,) = poses.report.flagged
    assert row.reason == 'atoms of the receptor were moved'
    assert 'snap=0.2' in row.detail and row.title == 'CPD-1'
    for number in range(3):
        off = receptor_of(pose_set, number) - receptor_of(kept, number)
        assert off.norm(dim=1).max() <= 0.2001
        one, other = pose_set.ligands()[number], kept.ligands()[number]
        assert one.pos.equal(other.pos)


def test_ligand_far_away_is_flagged(tmp_path, fold):
    complexes = fold.samples(3)
    for atom in complexes[0]:
        if atom.is_ligand:
            atom.xyz = atom.xyz + np.array([80.0, 0.0, 0.0])
    fold.write_boltz(tmp_path, 'CPD-1', complexes)
    poses = read_cofolded(tmp_path, fold.SMILES)
    (row,) = poses.report.flagged
    assert row.reason == 'far from the receptor' and 'model_0' in row.file
    assert poses.rmsd[0][1] == 0  # it is not the reference
    assert poses.num_poses.tolist() == [3]


def test_no_pocket(tmp_path, fold):
    complexes = fold.samples(2)
    for atom in [*complexes[0], *complexes[1]]:
        if atom.is_ligand:
            atom.xyz = atom.xyz + np.array([80.0, 0.0, 0.0])
    fold.write_boltz(tmp_path, 'CPD', complexes)
    with pytest.warns(UserWarning, match='No samples'):
        poses = read_cofolded(tmp_path, fold.SMILES)
    rows = [row for row in poses.report.dropped if row.record]
    assert [row.reason for row in rows] == ['no pocket'] * 2
    assert 'expected at least 3; the nearest is' in rows[0].detail
    # A sample alone is in its own frame.
    fold.write_boltz(tmp_path / 'one', 'CPD', complexes[:1])
    poses = read_cofolded(tmp_path / 'one', fold.SMILES)
    assert poses.num_poses.tolist() == [1]
    assert poses.report.flagged[0].reason == 'far from the receptor'


# Sets ########################################################################


def test_keys_and_features(folder, fold, three):
    poses = read_cofolded(folder, fold.SMILES, features=['formal_charge'])
    (pose_set,) = poses
    whole = pose_set.pose(1)
    is_ligand = torch.tensor([a.is_ligand for a in three[0]])
    assert whole.is_ligand.equal(is_ligand)
    residue = [0 if a.is_ligand else a.number for a in three[0]]
    assert whole.residue.tolist() == residue
    numbers = {'C': 6, 'N': 7, 'O': 8, 'Cl': 17}
    assert whole.z.tolist() == [numbers[a.element] for a in three[0]]
    assert is_ligand[whole.bond_index].all()
    assert not whole.formal_charge.any() and 'aromatic' not in whole
    assert poses.report.seen.total() == 3


def test_models_batches_and_checks(folder, fold):
    poses = read_cofolded(
        folder, fold.SMILES, transform=RadiusGraph(4.5), snap=0.3
    )
    (batch,) = DataLoader(poses, batch_size=1)
    assert batch.num_poses == 3 and batch.edge_index.numel()
    cut = PocketCut(5.0, group='residue')(
        read_cofolded(folder, fold.SMILES)[0]
    )
    assert 0 < cut.receptor_size.item() < poses[0].receptor_size.item()
    assert check_poses(poses).num_seen == 3


def test_items_are_copies(folder, fold):
    poses = read_cofolded(folder, fold.SMILES)
    poses[0].pos.zero_()
    assert poses[0].pos.any()
    assert poses[:1].names == poses.names and len(poses[:0].rmsd) == 0
    assert repr(poses).startswith('CofoldedPoses(1 sets, 3 poses, scores=')


def test_ids(tmp_path, fold, three):
    fold.write_boltz(tmp_path, 'target_CPD-1', three)
    poses = read_cofolded(tmp_path, fold.SMILES, pattern='target_(.+)')
    assert poses.names == ['CPD-1']
    # A single template names a single set.
    poses = read_cofolded(tmp_path, {'CPD-9': fold.SMILES})
    assert poses.names == ['CPD-9'] and not poses.report.flagged
    fold.write_boltz(tmp_path, 'other', three)
    poses = read_cofolded(tmp_path, fold.SMILES, pattern='target_(.+)')
    assert poses.names == ['CPD-1']
    assert poses.report.reasons()['pattern does not match'] == 3
    templates = {'target_CPD-1': fold.SMILES, 'x': 'CC', 'Other': 'CCC'}
    poses = read_cofolded(tmp_path, templates)
    assert poses.names == ['target_CPD-1']
    assert poses.report.reasons()['no bonds'] == 3
    unused = [r.title for r in poses.report.flagged if 'without' in r.reason]
    assert unused == ['x', 'Other']


def test_two_runs(tmp_path, fold, three):
    for run in ('a', 'b'):
        fold.write_boltz(tmp_path / run, 'CPD-1', three)
    poses = read_cofolded(tmp_path, fold.SMILES)
    assert poses.num_poses.tolist() == [6]
    reasons = [row.reason for row in poses.report.flagged]
    assert reasons.count('several runs in one set') == 1
    assert reasons.count('duplicate pose') == 3


# Confidences #################################################################


def test_scores_of_ones_own(folder, fold):
    poses = read_cofolded(
        folder,
        fold.SMILES,
        scores=['iptm', Score('confidence_score', '%', False, (0.0, 0.5))],
    )
    assert list(poses.scores) == ['iptm', 'confidence_score']
    assert poses.scores['confidence_score'].unit == '%'
    assert poses.report.flagged[0].reason == 'score out of range'
    assert read_cofolded(folder, fold.SMILES, scores=[])[0].keys()
    none = read_cofolded(folder, fold.SMILES, scores=[])
    assert none.scores == {} and not none.report.flagged
    one = read_cofolded(folder, fold.SMILES, scores='iptm')
    assert list(one.scores) == ['iptm']


@pytest.mark.parametrize(
    'kwargs, words',
    [
        ({'scores': ['my']}, "'my' is not known"),
        ({'pocket': 0.0}, "'pocket' is a positive distance"),
        ({'max_rmsd': -1.0}, "'max_rmsd' is a positive distance"),
        ({'snap': float('nan')}, "'snap' is a positive distance"),
        ({'features': ['mass']}, 'Unknown features'),
        ({'template': 'C(C'}, 'cannot read the SMILES'),
        ({'paths': []}, 'No folders given'),
        ({'scores': [Score('aromatic', '', True)]}, 'features of atoms'),
    ],
)
def test_arguments(folder, fold, kwargs, words):
    args = {'paths': folder, 'template': fold.SMILES, **kwargs}
    with pytest.raises(ValueError, match=words):
        read_cofolded(**args)


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere'):
        read_cofolded(tmp_path / 'nowhere', 'C')


# Ligands #####################################################################


def test_cofactors(tmp_path, fold):
    """Other molecules are left out, and named; keep= keeps them."""
    cofactor = fold.molecule(
        'OCC(O)CO', chain='C', name='XYZ', start=(2, 3, 4)
    )
    protein = fold.peptide()
    complexes = fold.samples(2, protein=[*protein, *cofactor])
    for atoms in complexes:
        for atom in atoms:
            atom.is_ligand = atom.chain != 'A'
    fold.write_boltz(tmp_path, 'CPD-1', complexes)
    poses = read_cofolded(tmp_path, fold.SMILES)
    (row,) = poses.report.flagged
    assert row.reason == 'left out of the receptor' and 'XYZ C/1' in row.detail
    assert poses[0].receptor_size.item() == len(protein)
    kept = read_cofolded(tmp_path, fold.SMILES, keep='XYZ', snap=9.0)
    assert kept[0].receptor_size.item() == len(protein) + len(cofactor)
    as_ligand = read_cofolded(tmp_path, 'OCC(O)CO')
    assert as_ligand.smiles == ['OCC(O)CO']


def test_two_copies_of_the_ligand(tmp_path, fold):
    protein = fold.peptide()
    copy = fold.molecule(chain='C', start=(-9, 3, 4))
    complexes = fold.samples(2, protein=[*protein, *copy])
    for atoms in complexes:
        for atom in atoms:
            atom.is_ligand = atom.chain != 'A'
    fold.write_boltz(tmp_path, 'CPD-1', complexes)
    with pytest.warns(UserWarning, match='No samples'):
        poses = read_cofolded(tmp_path, fold.SMILES)
    assert poses.report.reasons()['several ligands'] == 2
    assert "ligand='LIG C/1'" in poses.report.dropped[1].detail
    chosen = read_cofolded(tmp_path, fold.SMILES, ligand='LIG B/1')
    assert chosen.num_poses.tolist() == [2]
    expected = np.array([a.xyz for a in complexes[0] if a.chain == 'B'])
    got = chosen[0].ligands()[0].pos.numpy()
    assert np.abs(got - expected).max() < 1e-3


def test_free_amino_acid_in_atom_records(tmp_path, fold):
    """A ligand that is called as a residue of a chain, in a chain alone."""
    smiles = 'N[C@@H](Cc1ccc(O)cc1)C(=O)O'
    complexes = fold.samples(2, smiles=smiles, name='TYR')
    fold.write_chai(tmp_path / 'tyrosine', complexes)
    poses = read_cofolded(tmp_path, smiles)
    assert poses.num_poses.tolist() == [2]
    assert poses[0].ligands()[0].num_nodes == 13
    assert poses[0].receptor_size.item() == len(fold.peptide())


@pytest.mark.parametrize('name', ['N', 'C', 'CB'])
def test_ligand_that_clashes_with_the_chain(tmp_path, fold, name):
    """It is no part of the chain, however near it is."""
    complexes = fold.samples(2)
    for atoms in complexes:
        (at,) = [
            a.xyz
            for a in atoms
            if a.name == name and a.number == 6 and not a.is_ligand
        ]
        ligand = [a for a in atoms if a.is_ligand]
        shift = at + np.array([1.4, 0.0, 0.0]) - ligand[0].xyz
        for atom in ligand:
            atom.xyz = atom.xyz + shift
    fold.write_boltz(tmp_path, 'CPD-1', complexes)
    poses = read_cofolded(tmp_path, fold.SMILES)
    assert poses.num_poses.tolist() == [2]
    assert poses[0].receptor_size.item() == len(fold.peptide())
    assert poses[0].ligands()[1].num_nodes == 15


def test_equivalent_atoms(tmp_path, fold):
    """The oxygens of an acid: the order of the file tells them apart."""
    smiles = 'O=C(O)c1ccccc1Cl'
    fold.write_boltz(tmp_path, 'acid', fold.samples(2, smiles=smiles))
    poses = read_cofolded(tmp_path, smiles)
    assert not poses.report.flagged
    (ligand, _) = poses[0].ligands()
    assert ligand.num_hydrogens.tolist()[:3] == [0, 0, 1]
    # In canonical order, as standardized SMILES are.
    assert not read_cofolded(tmp_path, 'OC(=O)c1c(Cl)cccc1').report.flagged
    # A template of another order.
    complexes = fold.samples(2, smiles='Clc1ccccc1C(O)=O')
    fold.write_boltz(tmp_path / 'b', 'acid', complexes)
    poses = read_cofolded(tmp_path / 'b', smiles)
    assert [row.reason for row in poses.report.flagged] == (
        2 * ['hydrogens of equivalent atoms']
    )
    assert 'as the program had it' in poses.report.flagged[0].detail
    one, other = poses[0].ligands()
    assert one.num_hydrogens.equal(other.num_hydrogens)


class TestContract(ReaderContract):
    @pytest.fixture(autouse=True)
    def write(self, tmp_path, fold, three):
        fold.write_boltz(tmp_path, 'CPD-1', three)
        fold.write_boltz(tmp_path, 'CPD-2', fold.samples(2, 'CCOC(=O)CN'))
        self.folder, self.smiles = tmp_path / 'predictions', fold.SMILES

    def path(self):
        return self.folder

    def read(self, path):
        return read_cofolded(
            path, {'CPD-1': self.smiles, 'CPD-2': 'CCOC(=O)CN'}
        )
